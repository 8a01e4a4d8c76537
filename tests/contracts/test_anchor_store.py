"""The outbox and the proofs in SQL, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine

from anchors import SignedTransaction
from anchors.outbox import AnchorScope, State, Submission, build, enter, plan, sign
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.tables import metadata
from ledger import Checkpoint, RootHash
from signing import UnavailableError

CONTRACT, ANCHORER = bytes([1]) * 20, bytes([2]) * 20
SCOPE = AnchorScope(20261, CONTRACT, "log.example/city")
OTHER = AnchorScope(20261, CONTRACT, "log.example/district")


@pytest.fixture
def store(engine: Engine) -> Engine:
    with engine.begin() as connection:
        metadata.create_all(connection)
    return engine


def checkpoint(size: int, origin: str = SCOPE.origin) -> Checkpoint:
    return Checkpoint(origin, size, RootHash(bytes([size]) * 32))


def signed(scope: AnchorScope, size: int, nonce: int) -> Submission:
    built = build(plan(scope, checkpoint(size, scope.origin)), b"call")
    return sign(built, SignedTransaction(b"raw %d" % nonce, bytes([nonce]) * 32, ANCHORER, nonce))


def add(connection: Connection, submission: Submission) -> None:
    SqlOutbox(connection, submission.scope).add(submission)


def busy(engine: Engine, submission: Submission, *, save: bool = False) -> None:
    def attempt() -> None:
        with engine.begin() as connection:
            outbox = SqlOutbox(connection, submission.scope)
            (outbox.save if save else outbox.add)(submission)

    with pytest.raises(UnavailableError) as caught:
        attempt()
    assert caught.value.code == "outbox.busy"


def test_what_is_added_is_read_back(store: Engine) -> None:
    submission = signed(SCOPE, 5, 0)
    with store.begin() as connection:
        assert SqlOutbox(connection, SCOPE).in_flight() is None
        add(connection, submission)
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        assert outbox.in_flight() == outbox.at(5) == submission
        assert outbox.at(6) is None
        assert SqlOutbox(connection, OTHER).in_flight() is None


def test_one_in_flight_for_each_scope(store: Engine) -> None:
    with store.begin() as connection:
        add(connection, plan(SCOPE, checkpoint(5)))
        add(connection, plan(OTHER, checkpoint(5, OTHER.origin)))
    busy(store, plan(SCOPE, checkpoint(6)))
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        first = outbox.in_flight()
        assert first is not None
        outbox.save(enter(first, State.SUPERSEDED))
        outbox.add(plan(SCOPE, checkpoint(6)))
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        current, ended = outbox.in_flight(), outbox.at(5)
        assert current is not None
        assert ended is not None
        assert (current.size, ended.state) == (6, State.SUPERSEDED)
    busy(store, plan(SCOPE, checkpoint(5)))


def test_a_change_of_an_old_revision_is_refused(store: Engine) -> None:
    with store.begin() as connection:
        add(connection, plan(SCOPE, checkpoint(5)))
    first = plan(SCOPE, checkpoint(5))
    with store.begin() as connection:
        SqlOutbox(connection, SCOPE).save(replace(first, reason="seen"))
    busy(store, first, save=True)
    busy(store, plan(SCOPE, checkpoint(9)), save=True)
    with store.begin() as connection:
        stored = SqlOutbox(connection, SCOPE).at(5)
        assert stored is not None
        assert (stored.revision, stored.reason) == (1, "seen")


def test_a_nonce_is_given_once_for_each_account(store: Engine) -> None:
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        assert outbox.next_nonce(ANCHORER, 0) == 0
        assert outbox.next_nonce(ANCHORER, 7) == 7
        outbox.add(signed(SCOPE, 5, 7))
        assert outbox.next_nonce(ANCHORER, 7) == 8
        assert outbox.next_nonce(ANCHORER, 20) == 20
        assert outbox.next_nonce(bytes(20), 1) == 1
        assert SqlOutbox(connection, OTHER).next_nonce(ANCHORER, 0) == 8
        assert SqlOutbox(connection, replace(SCOPE, chain_id=1)).next_nonce(ANCHORER, 0) == 0
    busy(store, signed(OTHER, 5, 7))


def test_earlier_transactions_come_in_order(store: Engine) -> None:
    with store.begin() as connection:
        for nonce in range(12):
            scope = replace(SCOPE, origin=f"log.example/{nonce}")
            add(connection, signed(scope, 5, nonce))
        found = SqlOutbox(connection, SCOPE).transactions_before(SignedTransaction(b"", bytes(32), ANCHORER, 11))
        assert [each.nonce for each in found] == list(range(3, 11))
        assert found[0] == SignedTransaction(b"raw 3", bytes([3]) * 32, ANCHORER, 3)


def test_what_is_rolled_back_is_not_there(store: Engine) -> None:
    with store.connect() as connection, connection.begin() as transaction:
        add(connection, plan(SCOPE, checkpoint(5)))
        SqlAnchorProofs(connection, SCOPE).put(5, b"proof")
        transaction.rollback()
    with store.begin() as connection:
        assert SqlOutbox(connection, SCOPE).in_flight() is None
        assert SqlAnchorProofs(connection, SCOPE).covering(1) is None


def test_proofs_by_the_size_they_cover(store: Engine) -> None:
    with store.begin() as connection:
        proofs = SqlAnchorProofs(connection, SCOPE)
        assert proofs.covering(0) is None
        for size in (20, 5, 9):
            proofs.put(size, b"proof of %d" % size)
        assert proofs.covering(1) == (5, b"proof of 5")
        assert proofs.covering(5) == (5, b"proof of 5")
        assert proofs.covering(6) == (9, b"proof of 9")
        assert proofs.covering(21) is None
        proofs.put(9, b"captured again")
        assert proofs.covering(9) == (9, b"captured again")
        assert SqlAnchorProofs(connection, OTHER).covering(1) is None


def test_the_head_only_grows(store: Engine) -> None:
    with store.begin() as connection:
        proofs = SqlAnchorProofs(connection, SCOPE)
        assert proofs.last_head() is None
        for size, expected in ((5, 5), (4, 5), (9, 9), (9, 9)):
            proofs.see_head(checkpoint(size))
            assert proofs.last_head() == checkpoint(expected)
        assert SqlAnchorProofs(connection, OTHER).last_head() is None
