"""Whatever is altered in the tables or the vault folder is found, and named without personal data."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, delete, insert, select, text, update

import materials.store.tables as tables
from materials.events import EventCode
from materials.registry.erase import erase
from materials.registry.fsck import StoreFinding, check_materials
from materials.registry.fsck_status import check_status_lists
from materials.registry.publish import publish_status_list
from materials.registry.register import register
from materials.registry.revoke import StatusChange, change_status
from materials.store.scan import SqlMaterialScan
from tests.support.materials_home import NOW, STATUS_URI, HomeKit, fields, submission


def fill(kit: HomeKit, engine: Engine) -> None:
    """Two materials in force, one superseded, one revoked, one erased; two status lists."""
    with kit.unit(engine) as ports:
        for n in range(4):
            made = register(
                ports, kit.home(), submission(serial=f"202300000{n}"), kit.keys, now=NOW, random_bytes=os.urandom
            )
            if n == 0:
                publish(kit, ports, NOW)
            if n == 2:
                change = StatusChange(made.record.jti, EventCode.REVOKED, "decision", NOW)
                change_status(ports, kit.home(), change, kit.status, now=NOW, random_bytes=os.urandom)
            if n == 1:
                again = submission(serial="2023000001", version=2, supersedes=made.record.jti)
                register(ports, kit.home(), again, kit.keys, now=NOW, random_bytes=os.urandom)
            if n == 3:
                erase(ports, made.record.jti)
        publish(kit, ports, NOW + 10)


def publish(kit: HomeKit, ports: Any, now: int) -> None:
    publish_status_list(ports.statuses, ports.archive, kit.terms, kit.status, trust=kit.home().trust, now=now)


def fsck(kit: HomeKit, conn: Connection) -> list[StoreFinding]:
    ports, scan = kit.ports(conn), SqlMaterialScan(conn)
    found = list(check_materials(ports, scan, home_secret=kit.secret, find_key=kit.find_key))
    return found + list(check_status_lists(ports, scan, uri=STATUS_URI, find_key=kit.find_key))


def fsck_after(kit: HomeKit, engine: Engine, fault: Callable[[Connection], object]) -> list[StoreFinding]:
    """What is found with a fault that is rolled back afterwards."""
    with engine.connect() as conn:
        fault(conn)
        found = fsck(kit, conn)
        conn.rollback()
    return found


def no_fault(_: Connection) -> None:
    pass


@pytest.fixture
def kit(engine: Engine, tmp_path: Path) -> HomeKit:
    kit = HomeKit(tmp_path / "vault")
    kit.create(engine)
    fill(kit, engine)
    return kit


def test_an_untouched_store_is_clean(kit: HomeKit, engine: Engine) -> None:
    assert fsck_after(kit, engine, no_fault) == []


def test_a_change_not_yet_published_is_no_finding(kit: HomeKit, engine: Engine) -> None:
    with kit.unit(engine) as ports:
        (jti, *_) = [
            record.jti for record in SqlMaterialScan(ports.materials._conn).records() if not ports.events.of(record.jti)
        ]
        change = StatusChange(jti, EventCode.SUSPENDED, "decision", NOW + 20)
        change_status(ports, kit.home(), change, kit.status, now=NOW + 20, random_bytes=os.urandom)
    assert fsck_after(kit, engine, no_fault) == []


def flip(value: Any) -> Any:
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1]
    return value + 1


def alter(conn: Connection, table: Table, column: str) -> None:
    """Change one value of a column, in a row that still has a content to be checked against."""
    keys = list(table.primary_key.columns)
    chosen = table.c[column]
    held = [table.c[name] == value for name, value in (("state", "held"),) if name in table.c]
    held += [table.c[name].is_not(None) for name in ("wrapped_key", column) if name in table.c]
    row = conn.execute(select(*keys, chosen.label("chosen")).where(*held).order_by(*keys)).first()
    assert row is not None
    where = [key == value for key, value in zip(keys, row, strict=False)]
    conn.execute(update(table).where(*where).values({column: flip(row.chosen)}))


REGISTRATION = [
    "jti",
    "identity_hash",
    "version",
    "owner",
    "vct",
    "issuer",
    "registered_at",
    "status_uri",
    "status_idx",
    "log_index",
    "jwt",
]
ALTERED = [
    *((tables.material_registration, column) for column in REGISTRATION),
    (tables.material_licence, "licence_hash"),
    (tables.material_licence, "jti"),
    *((tables.material_vault_object, column) for column in ("object_id", "jti", "part", "wrapped_key", "sealed")),
    *((tables.material_status_entry, column) for column in ("subject", "status", "idx")),
    *((tables.material_status_list, column) for column in ("iat", "exp", "token")),
    *((tables.material_event, column) for column in ("event_jti", "jti", "seq", "kind", "log_index", "jws")),
]


def test_an_altered_column_is_found(kit: HomeKit, engine: Engine) -> None:
    for table, column in ALTERED:
        found = fsck_after(kit, engine, partial(alter, table=table, column=column))
        names = {"material_licence": "registration"}  # a licence is named by the material that should hold it
        where = " ".join(finding.where for finding in found)
        assert names.get(table.name, table.name.split("_")[1]) in where, (table.name, column, found)
        for value in fields().values():
            assert len(str(value)) < 5 or str(value) not in str(found)


def remove(table: Table) -> Callable[[Connection], object]:
    return lambda conn: conn.execute(delete(table))


FAULTS: list[tuple[Callable[[Connection], object], str]] = [
    (remove(tables.material_event), "fsck.status-differs"),
    (remove(tables.material_status_entry), "fsck.status-place"),
    (remove(tables.material_vault_object), "vault.missing"),
    (lambda conn: conn.execute(update(tables.material_registration).values(state="held")), "vault.erased"),
    (lambda conn: conn.execute(update(tables.material_registration).values(state="erased")), "fsck.not-erased"),
    (
        lambda conn: conn.execute(
            insert(tables.material_registration).values(
                jti="em-x", version=1, owner="o", vct="v", issuer="i", state="claimed", registered_at=1
            )
        ),
        "fsck.unfinished",
    ),
    (
        lambda conn: conn.execute(
            insert(tables.material_status_entry).values(uri=STATUS_URI, idx=2**20 - 1, subject="em-x", status=1)
        ),
        "fsck.status-place",
    ),
]


def test_a_fault_is_found(kit: HomeKit, engine: Engine) -> None:
    for fault, code in FAULTS:
        assert code in {finding.code for finding in fsck_after(kit, engine, fault)}


def test_every_file_of_the_folder_is_checked(kit: HomeKit, engine: Engine) -> None:
    noticed = 0
    for path in kit.folder.glob("*/*"):
        data = path.read_bytes()
        path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
        found = fsck_after(kit, engine, no_fault)
        noticed += {finding.code for finding in found} == {"vault.altered"}
        path.write_bytes(data)
    assert noticed == 4  # the fifth belongs to the erased material


def test_a_damaged_sqlite_value_ends_in_a_finding(kit: HomeKit, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return  # PostgreSQL types its columns
    with engine.connect() as conn:
        conn.execute(text("PRAGMA ignore_check_constraints = ON"))
        damaged = (
            "UPDATE material_status_entry SET status = x'ff'",
            "UPDATE material_status_entry SET idx = x'ff' WHERE rowid = 1",
            "UPDATE material_registration SET jwt = x'ff'",
            "UPDATE material_registration SET jwt = CAST(x'ff' AS TEXT)",
            "UPDATE material_registration SET log_index = 'x'",
            "UPDATE material_registration SET state = 'x'",
            "UPDATE material_vault_object SET wrapped_key = 'x'",
            "UPDATE material_vault_object SET sealed = 7",
            "UPDATE material_event SET seq = 'x'",
            "UPDATE material_event SET jws = x'ff'",
            "UPDATE material_status_list SET token = CAST(x'ff' AS TEXT)",
        )
        for statement in damaged:
            conn.execute(text(statement))
            assert fsck(kit, conn), statement
            conn.rollback()
