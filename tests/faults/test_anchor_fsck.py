"""What anchoring stores is checked: a changed bit in any column that means something is found and named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, delete, select, update

from anchors.fsck import AnchorCheck, AnchorFinding
from anchors.fsck_columns import strays
from anchors.outbox import State
from anchors.tables import heads, leases, proofs, submissions, transactions
from ledger.database import open_engine
from ledger.store import SqlLog
from tests.support.anchor_world import AnchorWorld
from tests.support.ledger_logs import KEY, ORIGIN


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchorWorld]:
    """One size proved, one on its way."""
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    world = AnchorWorld.create(engine, tmp_path)
    world.grow(1, 5)
    world.run()
    world.grow(5, 9)
    world.dev.hold_mining()
    world.run()
    yield world
    world.dev.close()
    engine.dispose()


def findings(world: AnchorWorld) -> list[AnchorFinding]:
    with world.engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        check = AnchorCheck(connection, world.target.scope, log=log, log_key=KEY, profiles=[world.profile])
        return list(check.findings())


def change(engine: Engine, column: Any, size: int, value: Any) -> None:
    with engine.begin() as connection:
        connection.execute(update(column.table).where(column.table.c.size == size).values({column: value}))


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_a_sound_store_has_no_findings(world: AnchorWorld) -> None:
    assert findings(world) == []
    current = world.outbox()
    assert current is not None
    assert (current.state, current.size) == (State.SENT, 9)
    world.dev.release_mining()
    world.now += 60
    world.run()
    world.check()
    assert findings(world) == []


@pytest.mark.parametrize("size", [5, 9])
@pytest.mark.parametrize("name", ["root", "tx_hash", "anchorer", "calldata"])
def test_a_flipped_bit_in_a_submission(world: AnchorWorld, name: str, size: int) -> None:
    column = submissions.c[name]
    with world.engine.begin() as connection:
        stored = connection.scalar(select(column).where(submissions.c.size == size))
    change(world.engine, column, size, flipped(stored))
    assert [found.where for found in findings(world)][:1] == [f"anchor_submissions size={size}"]


@pytest.mark.parametrize(
    ("name", "size", "value"),
    [
        ("nonce", 5, 77),
        ("tx_hash", 9, None),
        ("block_number", 5, 1),
        ("block_hash", 5, bytes(32)),
        ("state", 5, "provem"),
        ("state", 5, "sent"),
        ("state", 9, "superseded"),
        ("in_flight", 9, None),
        ("old_size", 5, 1),
        ("note_hash", 9, bytes(32)),
        ("gas_limit", 5, 1),
        ("gas_price", 9, 1),
        ("receipt_status", 5, 0),
    ],
)
def test_other_damage_to_a_submission(world: AnchorWorld, name: str, size: int, value: Any) -> None:
    change(world.engine, submissions.c[name], size, value)
    found = findings(world)
    assert found
    assert all(each.where.startswith("anchor_submissions") for each in found)


@pytest.mark.parametrize("nonce", [0, 1])
@pytest.mark.parametrize("name", ["raw", "anchorer"])
def test_a_flipped_bit_in_what_was_signed(world: AnchorWorld, name: str, nonce: int) -> None:
    column = transactions.c[name]
    with world.engine.begin() as connection:
        stored = connection.scalar(select(column).where(transactions.c.nonce == nonce))
        assert stored is not None
        changed = update(transactions).where(transactions.c.nonce == nonce).values({column: flipped(stored)})
        connection.execute(changed)
    assert f"anchor_transactions nonce={nonce}" in [found.where for found in findings(world)]


def test_a_price_that_was_not_signed(world: AnchorWorld) -> None:
    with world.engine.begin() as connection:
        connection.execute(update(transactions).where(transactions.c.nonce == 1).values(gas_price=7))
    assert [found.where for found in findings(world)] == ["anchor_transactions nonce=1"]


@pytest.mark.parametrize("table", [submissions, proofs, heads, transactions, leases])
@pytest.mark.parametrize("name", ["chain_id", "origin"])
def test_a_row_of_nothing_that_this_home_had(world: AnchorWorld, table: Table, name: str) -> None:
    if name not in table.c:
        return
    with world.engine.begin() as connection:
        assert list(strays(connection, [world.target.scope])) == []
        connection.execute(update(table).values({name: 7 if name == "chain_id" else "example.gov/other"}))
        assert [found for found, _ in strays(connection, [world.target.scope])] == [table.name]


def test_a_transaction_that_is_missing(world: AnchorWorld) -> None:
    with world.engine.begin() as connection:
        connection.execute(delete(transactions))
    assert {found.where for found in findings(world)} == {"anchor_submissions size=5", "anchor_submissions size=9"}


def test_a_row_moved_to_another_size(world: AnchorWorld) -> None:
    change(world.engine, submissions.c.size, 5, 6)
    assert "fsck.anchor-checkpoint" in {found.code for found in findings(world)}
    change(world.engine, submissions.c.size, 6, 5)
    change(world.engine, proofs.c.size, 5, 6)
    assert {found.code for found in findings(world)} == {"fsck.anchor-checkpoint", "fsck.outbox"}


def test_a_flipped_bit_in_a_proof(world: AnchorWorld) -> None:
    with world.engine.begin() as connection:
        proof = connection.scalar(select(proofs.c.proof))
    assert proof is not None
    for position in range(0, len(proof), 97):
        changed = proof[:position] + bytes([proof[position] ^ 1]) + proof[position + 1 :]
        change(world.engine, proofs.c.proof, 5, changed)
        assert "anchor_proofs size=5" in {found.where for found in findings(world)}


def test_a_head_that_is_not_of_the_log(world: AnchorWorld) -> None:
    for column, value, code in (
        (heads.c.root, bytes(32), "log.fork"),
        (heads.c.size, 4, "log.fork"),
        (heads.c.size, 50, "log.behind-chain"),
    ):
        with world.engine.begin() as connection:
            row = connection.execute(select(heads.c.size, heads.c.root)).one()
            connection.execute(update(heads).values({column: value}))
        assert [(found.where, found.code) for found in findings(world)] == [("anchor_heads", code)]
        with world.engine.begin() as connection:
            connection.execute(update(heads).values(size=row.size, root=row.root))
