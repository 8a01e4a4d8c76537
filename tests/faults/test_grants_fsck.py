"""The check of grants and usage records: silent on a sound home, and it names what was altered."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, delete, select, update

from materials.grants.fsck import check_grants
from materials.grants.home import withdraw_grant
from materials.registry.fsck import StoreFinding
from materials.store.grant_scan import SqlGrantScan
from materials.store.grant_tables import grant_link, usage_answer, usage_head, usage_record
from materials.store.status import SqlStatusStore
from materials.store.tables import material_status_entry
from tests.support import grants_world as w
from tests.support.retrieval_desk import Desk


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = Desk(engine, tmp_path / "vault")
    chain = desk.chain()
    desk.release(chain)
    assert desk.refuse(chain, now=w.NOW + 3700) == ("time-expired", 0)
    desk.release(desk.sibling(chain))
    assert findings(desk) == []
    return desk


def findings(desk: Desk) -> list[StoreFinding]:
    logged = set(desk.logged())
    trust = desk.home.trust.list
    with desk.engine.begin() as conn:
        return list(
            check_grants(
                SqlGrantScan(conn),
                find_key=lambda entity, kid, role: trust.find_key(entity, kid, role).public_key,
                is_logged=logged.__contains__,
                find_place=SqlStatusStore(conn).find,
            )
        )


def alter(desk: Desk, table: Table, where: dict[str, Any], values: dict[str, Any]) -> None:
    query = update(table).where(*(table.c[name] == value for name, value in where.items()))
    with desk.engine.begin() as conn:
        assert conn.execute(query.values(**values)).rowcount > 0


@pytest.mark.parametrize(
    ("table", "where", "values", "code"),
    [
        (grant_link, {"depth": 0}, {"used": 1}, "fsck.uses-differ"),
        (grant_link, {"depth": 1}, {"audience": w.CLERK}, "fsck.row-differs"),
        (grant_link, {"depth": 2}, {"parent_jti": "gr-other"}, "fsck.parent-missing"),
        (grant_link, {"depth": 1}, {"text": "a.b.c"}, "form.base64url"),
        (grant_link, {"depth": 0}, {"parent_jti": "gr-other"}, "store.unreadable"),
        (grant_link, {"depth": 1}, {"withdrawn_by": w.CLERK}, "store.unreadable"),
        (usage_record, {"seq": 1}, {"seq": 7}, "fsck.row-differs"),
        (usage_answer, {"usage_seq": 0}, {"usage_seq": 1}, "fsck.row-differs"),
        (usage_answer, {"usage_seq": 2}, {"leaf_jti": "gr-other"}, "fsck.row-differs"),
        (usage_record, {"seq": 2}, {"subject": w.CLERK}, "fsck.row-differs"),
        (usage_head, {"next_seq": 3}, {"next_seq": 4}, "fsck.usage-head"),
        (usage_head, {"next_seq": 3}, {"last_hash": bytes(32)}, "fsck.usage-head"),
    ],
)
def test_an_altered_row_is_named(
    desk: Desk, table: Table, where: dict[str, Any], values: dict[str, Any], code: str
) -> None:
    alter(desk, table, where, values)
    found = findings(desk)
    assert code in {finding.code for finding in found}
    assert all(finding.where.startswith(("grant_link", "usage_")) for finding in found)


@pytest.mark.parametrize(
    ("table", "where", "values", "code"),
    [
        (grant_link, {"depth": 1}, {"withdrawn_by": w.CLERK, "withdrawn_at": 1}, "fsck.status-differs"),
        (material_status_entry, {"uri": w.GRANT_LIST}, {"status": 1}, "fsck.status-differs"),
        (material_status_entry, {"uri": w.GRANT_LIST}, {"uri": "https://example.org/x"}, "fsck.status-place"),
    ],
)
def test_places_of_links_say_what_the_links_say(
    desk: Desk, table: Table, where: dict[str, Any], values: dict[str, Any], code: str
) -> None:
    chain = desk.long_lived()
    desk.release(chain)
    with desk.unit() as ports:
        withdraw_grant(ports, chain.leaf.id, actor=chain.leaf.id.iss, now=w.NOW + 1)
    assert findings(desk) == []
    alter(desk, table, where, values)
    found = findings(desk)
    assert code in {finding.code for finding in found}
    assert all(finding.where.startswith("grant_link") for finding in found)


def test_a_changed_signature_is_named_even_where_the_content_is_the_same(desk: Desk) -> None:
    for table, where in ((grant_link, {"depth": 1}), (usage_record, {"seq": 1})):
        with desk.engine.begin() as conn:
            query = select(table.c.text).where(*(table.c[name] == value for name, value in where.items()))
            text = conn.execute(query).scalar_one()
        flipped = text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:]
        alter(desk, table, where, {"text": flipped})
        assert "signature.invalid" in {finding.code for finding in findings(desk)}
        alter(desk, table, where, {"text": text})
    assert findings(desk) == []


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_a_record_that_was_removed_is_missed(desk: Desk, seq: int) -> None:
    with desk.engine.begin() as conn:
        conn.execute(delete(usage_record).where(usage_record.c.seq == seq))
    assert {"fsck.usage-chain", "fsck.usage-head"} & {finding.code for finding in findings(desk)}


def test_a_head_that_was_removed_is_missed(desk: Desk) -> None:
    with desk.engine.begin() as conn:
        conn.execute(delete(usage_head))
    assert [finding.code for finding in findings(desk)] == ["fsck.usage-head"]


def test_a_text_that_the_log_never_held_is_named(desk: Desk) -> None:
    with desk.engine.begin() as conn:
        scan = SqlGrantScan(conn)
        trust = desk.home.trust.list
        found = check_grants(
            scan,
            find_key=lambda e, k, r: trust.find_key(e, k, r).public_key,
            is_logged=lambda _: False,
            find_place=SqlStatusStore(conn).find,
        )
        assert {finding.code for finding in found} == {"fsck.not-logged"}
