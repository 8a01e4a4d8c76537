"""fsck names the table and the row of any changed bit, and survives whatever the bytes are."""

import random
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, and_, delete, insert, select, text, update

from ledger import Checkpoint, RootHash, leaf_hash, sign_checkpoint
from ledger.database import open_engine, reading
from ledger.fsck import fsck
from ledger.tables import checkpoints, entries, heads, leaves, metadata, tiles
from signing import Ed25519Signer, NoteKey
from tests.support.ledger_logs import KEY, ORIGIN, SIGNER, append, findings, grow_to, new_log, numbered, replace_entry

SIZES = (1, 200, 257, 530)

ROWS = [
    (heads, {}, "log_heads"),
    (entries, {"entry_index": 0}, "log_entries entry_index=0"),
    (entries, {"entry_index": 200}, "log_entries entry_index=200"),
    (entries, {"entry_index": 257}, "log_entries entry_index=257"),
    (entries, {"entry_index": 512}, "log_entries entry_index=512"),
    (leaves, {"entry_index": 300}, "log_leaves entry_index=300"),
    (tiles, {"level": 0, "tile_index": 1}, "log_tiles level=0 tile_index=1"),
    (checkpoints, {"size": 1}, "log_checkpoints size=1"),
    (checkpoints, {"size": 257}, "log_checkpoints size=257"),
    (checkpoints, {"size": 530}, "log_checkpoints size=530"),
]


def build(engine: Engine) -> None:
    """A log of 530 entries with a checkpoint at each of SIZES."""
    new_log(engine)
    for old, new in pairwise(SIZES):
        append(engine, numbered(old, new))


def flipped(value: Any, position: int) -> Any:
    """The value with one bit changed; for a number, a high one, so that no other row is in the way."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, bytes):
        at = position % len(value)
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    return value ^ (1 << 13)


def test_a_good_log_has_no_findings(engine: Engine) -> None:
    build(engine)
    assert findings(engine) == []


def test_one_flipped_bit_in_any_column_is_named(engine: Engine) -> None:
    build(engine)
    for table, key, where in ROWS:
        for column in table.columns:
            for position in (0, 131):
                found = findings_after_flip(engine, table, key, column.name, position)
                assert found, f"{where} {column.name}: not noticed"
                if column.primary_key:  # the row is missing in its place, and turns up as another
                    assert any(name.startswith(table.name) for name in found), f"{where} {column.name}: {found}"
                else:
                    assert found[0] == where, f"{where} {column.name}: {found}"
    assert findings(engine) == []


def of_log(table: Table) -> dict[str, Any]:
    """The part of the table's key that names the log."""
    return {"origin": ORIGIN} if "origin" in table.c else {"log": 1}


def findings_after_flip(engine: Engine, table: Table, key: dict[str, int], column: str, position: int) -> list[str]:
    """Where fsck finds something after one bit of one column was changed; puts the bit back."""
    full_key = {**of_log(table), **key}
    good = flip(engine, table, full_key, column, position)
    found = [finding.where for finding in findings(engine)]
    if column in full_key:
        full_key[column] = flipped(full_key[column], position)
    assert flip(engine, table, full_key, column, position) == flipped(good, position)
    return found


def flip(engine: Engine, table: Table, key: dict[str, Any], column: str, position: int) -> Any:
    """Change one bit; returns what was there."""
    row = and_(*(table.c[name] == value for name, value in key.items()))
    with engine.begin() as connection:
        good = connection.execute(select(table.c[column]).where(row)).scalar_one()
        assert connection.execute(update(table).where(row).values({column: flipped(good, position)})).rowcount == 1
    return good


@pytest.mark.parametrize(
    ("statement", "code", "where"),
    [
        (delete(entries).where(entries.c.entry_index == 1), "fsck.entry", "log_entries entry_index=1"),
        (delete(entries).where(entries.c.entry_index > 500), "fsck.checkpoint", "log_checkpoints size=530"),
        (delete(leaves).where(leaves.c.entry_index == 3), "fsck.index", "log_leaves entry_index=3"),
        (delete(entries), "fsck.checkpoint", "log_checkpoints size=1"),
        (delete(tiles), "fsck.tile", "log_tiles level=0 tile_index=0"),
        (delete(checkpoints), "fsck.checkpoint", "log_checkpoints size=530"),
        (delete(checkpoints).where(checkpoints.c.size == 530), "fsck.checkpoint", "log_checkpoints size=530"),
        (delete(heads), "fsck.head", "log_heads"),
    ],
)
def test_a_missing_row_is_named(engine: Engine, statement: Any, code: str, where: str) -> None:
    build(engine)
    with engine.begin() as connection:
        connection.execute(statement)
    found = findings(engine)
    assert (found[0].code, found[0].where) == (code, where)


ROW_X = {"entries": b"\0\1x", "leaf_hashes": leaf_hash(b"x")}


@pytest.mark.parametrize(
    ("table", "values", "where"),
    [
        (entries, {"entry_index": 530, **ROW_X}, "log_leaves entry_index=530"),
        (entries, {"entry_index": -5, **ROW_X}, "log_entries entry_index=-5"),
        (entries, {"entry_index": 300, **ROW_X}, "log_leaves entry_index=300"),
        (entries, {"entry_index": 2**63 - 1, "entries": b"x", "leaf_hashes": b"?"}, "log_entries entry_index=530"),
        (leaves, {"entry_index": 9, "leaf_hash": b"h" * 32}, "log_leaves"),
        (tiles, {"level": 0, "tile_index": 2, "hashes": b"h", "root": b"r"}, "log_tiles level=0 tile_index=2"),
        (tiles, {"level": 9, "tile_index": 0, "hashes": b"h", "root": b"r"}, "log_tiles level=9 tile_index=0"),
        (tiles, {"level": 0, "tile_index": -1, "hashes": b"h", "root": b"r"}, "log_tiles level=0 tile_index=-1"),
        (checkpoints, {"size": 2**63 - 1, "note": b"n"}, f"log_checkpoints size={2**63 - 1}"),
        (checkpoints, {"size": -1, "note": b"n"}, "log_checkpoints size=-1"),
    ],
)
def test_a_row_too_many_is_named(engine: Engine, table: Table, values: dict[str, Any], where: str) -> None:
    build(engine)
    with engine.begin() as connection:
        connection.execute(insert(table).values({**values, **of_log(table)}))
    assert findings(engine)[0].where == where


def test_a_changed_entry_with_a_fitting_leaf_hash_is_caught_by_the_tile(engine: Engine) -> None:
    build(engine)
    replace_entry(engine, 10, b"forged", leaf_hash(b"forged"))
    assert [finding.where for finding in findings(engine)][:3] == [
        "log_leaves entry_index=10",
        "log_checkpoints size=200",
        "log_tiles level=0 tile_index=0",
    ]


def test_a_checkpoint_of_another_tree_is_caught(engine: Engine) -> None:
    build(engine)
    other = sign_checkpoint(Checkpoint(ORIGIN, 257, RootHash(b"o" * 32)), SIGNER)
    with engine.begin() as connection:
        connection.execute(update(checkpoints).where(checkpoints.c.size == 257).values(note=other))
    assert findings(engine)[0].where == "log_checkpoints size=257"


def test_the_key_is_the_one_from_outside(engine: Engine) -> None:
    build(engine)
    stranger = NoteKey.ed25519(ORIGIN, Ed25519Signer(b"s" * 32).public_key.raw)
    with reading(engine).connect() as connection:
        found = [finding.where for finding in fsck(connection, [stranger])]
    assert found[:2] == ["log_heads", "log_checkpoints size=1"]


def test_logs_without_a_key_and_keys_without_a_log(engine: Engine) -> None:
    build(engine)
    unknown = NoteKey.ed25519("example.gov/unknown", KEY.public_key)
    with reading(engine).connect() as connection:
        found = list(fsck(connection, [unknown]))
    assert (found[0].where, found[0].origin) == ("log_heads", unknown.name)
    assert {finding.code for finding in found} == {"fsck.head", "fsck.stray"}


def test_an_empty_database(engine: Engine) -> None:
    assert [finding.code for finding in findings(engine)] == ["fsck.unreadable"]
    with engine.begin() as connection:
        metadata.create_all(connection)
    assert [finding.code for finding in findings(engine)] == ["fsck.head"]


VALUES = ["'text'", "NULL", "70000", "-1", "1.5", "x'ff'", "9223372036854775807", "''"]


def test_values_of_any_type_are_findings(sqlite_log: Engine) -> None:
    with sqlite_log.begin() as connection:
        connection.execute(text("PRAGMA writable_schema = ON"))
        connection.execute(text("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '')"))
    sqlite_log.dispose()
    for table in metadata.tables.values():
        for column in [column.name for column in table.columns]:
            for value in VALUES:
                if value == "NULL" and table is leaves and column != "entry_index":
                    continue  # WITHOUT ROWID: the key can't be
                with sqlite_log.connect() as connection:
                    key = "leaf_hash" if table.name == "log_leaves" else "rowid"
                    last = f"WHERE {key} = (SELECT max({key}) FROM {table.name})"
                    changed = connection.execute(text(f"UPDATE {table.name} SET {column} = {value} {last}"))
                    if changed.rowcount == 0:
                        continue  # a table about witnesses, and there is none
                    assert list(fsck(connection, [KEY])), f"{table.name}.{column} = {value}: not noticed"
                    connection.rollback()
    assert findings(sqlite_log) == []


@pytest.fixture
def sqlite_log(tmp_path: Path) -> Any:
    """A log on SQLite, where a column may hold any type."""
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    new_log(engine)
    grow_to(engine, 300)
    yield engine
    engine.dispose()


def test_random_damage_to_the_file_never_crashes(sqlite_log: Engine, tmp_path: Path) -> None:
    with sqlite_log.connect() as connection:
        connection.execute(text("SELECT 1"))
    sqlite_log.dispose()
    whole = tmp_path / "log.db"
    draw = random.Random(6)
    noticed = 0
    for number in range(60):
        damaged = tmp_path / f"damaged-{number}.db"
        shutil.copy(whole, damaged)
        content = bytearray(damaged.read_bytes())
        for _ in range(draw.choice((1, 1, 20))):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        damaged.write_bytes(content)
        engine = open_engine(f"sqlite:///{damaged}")
        try:
            noticed += bool(findings_or_refusal(engine))
        finally:
            engine.dispose()
            damaged.unlink()
    assert noticed > 20


def findings_or_refusal(engine: Engine) -> bool:
    """Whether fsck, or SQLite on opening the file, noticed anything."""
    try:
        connection = reading(engine).connect()
    except Exception as error:
        return "DatabaseError" in type(error).__name__ or "OperationalError" in type(error).__name__
    with connection:
        return bool(list(fsck(connection, [KEY])))
