"""The outbox and the proofs in SQL, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, update

from anchors import SignedTransaction
from anchors.leases import LEASE_SECONDS, Lease, SqlLeases
from anchors.outbox import AnchorScope, Call, Fee, Pace, State, Submission, build, enter, plan, send, sign
from anchors.policy import Anchored
from anchors.signed import SqlTransactions
from anchors.store import SeenHead, SqlAnchorProofs, SqlOutbox
from anchors.tables import metadata, submissions
from ledger import Checkpoint, RootHash
from signing import UnavailableError, VerificationError

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


def planned(scope: AnchorScope, size: int) -> Submission:
    return plan(scope, checkpoint(size, scope.origin), now=100 + size)


def transaction(nonce: int, text: str = "raw") -> SignedTransaction:
    raw = f"{text} {nonce}".encode()
    return SignedTransaction(raw, raw.ljust(32, b"."), ANCHORER, nonce)


def signed(scope: AnchorScope, size: int, nonce: int) -> Submission:
    return sign(build(planned(scope, size), Call(1, bytes(32), b"call")), transaction(nonce), Fee(150_000, 0))


def lease(connection: Connection, owner: str = "one", now: int = 0) -> Lease:
    return SqlLeases(connection).take(SCOPE.chain_id, ANCHORER, owner=owner, now=now)


def put(connection: Connection, nonce: int, text: str = "raw", *, price: int = 0, chain_id: int = 20261) -> None:
    SqlTransactions(connection, chain_id, ANCHORER).put(transaction(nonce, text), gas_price=price)


def add(connection: Connection, submission: Submission) -> None:
    SqlOutbox(connection, submission.scope).add(submission, lease(connection))


def refused(
    engine: Engine, submission: Submission, code: str, held: Lease | None = None, *, save: bool = False
) -> None:
    def attempt() -> None:
        with engine.begin() as connection:
            outbox = SqlOutbox(connection, submission.scope)
            change = outbox.save if save else outbox.add
            change(submission, held or lease(connection))

    with pytest.raises(UnavailableError) as caught:
        attempt()
    assert caught.value.code == code


def test_what_is_added_is_read_back(store: Engine) -> None:
    submission = send(signed(SCOPE, 5, 0), now=7, pace=Pace(), endpoints=("node1:8545", "node2"))
    with store.begin() as connection:
        assert SqlOutbox(connection, SCOPE).in_flight() is None
        put(connection, 0)
        add(connection, submission)
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        assert outbox.in_flight() == outbox.at(5) == submission
        assert outbox.at(6) is None
        assert SqlOutbox(connection, OTHER).in_flight() is None
        assert outbox.proven() == Anchored()


def test_one_in_flight_for_each_scope(store: Engine) -> None:
    with store.begin() as connection:
        add(connection, planned(SCOPE, 5))
        add(connection, planned(OTHER, 5))
    refused(store, planned(SCOPE, 6), "outbox.busy")
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        first = outbox.in_flight()
        assert first is not None
        outbox.save(enter(first, State.SUPERSEDED), lease(connection))
        add(connection, planned(SCOPE, 6))
    with store.begin() as connection:
        outbox = SqlOutbox(connection, SCOPE)
        current, ended = outbox.in_flight(), outbox.at(5)
        assert current is not None
        assert ended is not None
        assert (current.size, ended.state) == (6, State.SUPERSEDED)
    refused(store, planned(SCOPE, 5), "outbox.busy")


def test_a_change_of_an_old_revision_is_refused(store: Engine) -> None:
    first = planned(SCOPE, 5)
    with store.begin() as connection:
        add(connection, first)
    with store.begin() as connection:
        stored = SqlOutbox(connection, SCOPE).save(replace(first, reason="seen"), lease(connection))
        assert (stored.revision, stored.reason) == (1, "seen")
    refused(store, first, "outbox.busy", save=True)
    refused(store, planned(SCOPE, 9), "outbox.busy", save=True)
    with store.begin() as connection:
        assert SqlOutbox(connection, SCOPE).at(5) == stored


def test_a_lease_is_one_owner_s_until_it_runs_out(store: Engine) -> None:
    with store.begin() as connection:
        first = lease(connection, "one", now=100)
        assert (first.fence, first.expires_at) == (1, 100 + LEASE_SECONDS)
        assert lease(connection, "one", now=110).fence == 1
        with pytest.raises(UnavailableError) as caught:
            lease(connection, "two", now=110 + LEASE_SECONDS - 1)
        assert caught.value.code == "outbox.leased"
        assert SqlLeases(connection).take(SCOPE.chain_id, bytes(20), owner="two", now=0).fence == 1
        assert SqlLeases(connection).take(1, ANCHORER, owner="two", now=0).fence == 1
    with store.begin() as connection:
        second = lease(connection, "two", now=110 + LEASE_SECONDS)
        assert (second.owner, second.fence) == ("two", 2)
        SqlLeases(connection).release(first)  # lost: nothing happens
        assert SqlLeases(connection).holder(SCOPE.chain_id, ANCHORER) == second
        SqlLeases(connection).release(second)
        assert lease(connection, "three", now=0).fence == 3


def test_an_old_fence_changes_nothing(store: Engine) -> None:
    first = planned(SCOPE, 5)
    with store.begin() as connection:
        held = lease(connection, "one", now=0)
        SqlOutbox(connection, SCOPE).add(first, held)
    with store.begin() as connection:
        lease(connection, "two", now=LEASE_SECONDS)
    refused(store, enter(first, State.SUPERSEDED), "outbox.fenced", held, save=True)
    refused(store, planned(OTHER, 5), "outbox.fenced", held)
    with store.begin() as connection:
        stored = SqlOutbox(connection, SCOPE).at(5)
        assert stored == first
        assert SqlOutbox(connection, OTHER).at(5) is None


def test_a_nonce_is_given_once_for_each_account(store: Engine) -> None:
    with store.begin() as connection:
        signed_here = SqlTransactions(connection, SCOPE.chain_id, ANCHORER)
        assert signed_here.next_nonce(0) == 0
        assert signed_here.next_nonce(7) == 7
        put(connection, 7)
        assert signed_here.next_nonce(7) == 8
        assert signed_here.next_nonce(20) == 20
        assert SqlTransactions(connection, SCOPE.chain_id, bytes(20)).next_nonce(1) == 1
        assert SqlTransactions(connection, 1, ANCHORER).next_nonce(0) == 0
    with pytest.raises(UnavailableError) as caught, store.begin() as connection:
        put(connection, 7, "another")
    assert caught.value.code == "outbox.busy"


def test_every_version_of_a_nonce_is_kept(store: Engine) -> None:
    with store.begin() as connection:
        for price in (8, 10, 9):
            put(connection, 3, f"at {price}", price=price)
        signed_here = SqlTransactions(connection, SCOPE.chain_id, ANCHORER)
        assert [each.raw for each in signed_here.versions(3)] == [b"at 10 3", b"at 9 3", b"at 8 3"]
        assert signed_here.versions(4) == []


def test_earlier_transactions_come_in_order(store: Engine) -> None:
    with store.begin() as connection:
        for nonce in range(12):
            put(connection, nonce)
        found = SqlTransactions(connection, SCOPE.chain_id, ANCHORER).before(11)
        assert [each.nonce for each in found] == list(range(3, 11))
        assert found[0] == transaction(3)


def test_what_is_rolled_back_is_not_there(store: Engine) -> None:
    with store.connect() as connection, connection.begin() as transaction:
        add(connection, planned(SCOPE, 5))
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
            proofs.see_head(size, checkpoint(size).root, now=1000 - size)
            assert proofs.last_head() == checkpoint(expected)
        assert SqlAnchorProofs(connection, OTHER).last_head() is None


def test_when_the_head_was_seen_and_the_log_covered(store: Engine) -> None:
    with store.begin() as connection:
        proofs = SqlAnchorProofs(connection, SCOPE)
        proofs.cover(at=5)  # nothing was ever proved: nothing to remember it by
        assert proofs.seen() is None
        proofs.see_head(0, bytes(32), now=50)
        assert proofs.last_head() is None
        proofs.cover(at=40)
        proofs.cover(at=30)
        assert proofs.seen() == SeenHead(0, bytes(32), 50, 40)
        proofs.see_head(9, bytes([9]) * 32, now=60)
        proofs.see_head(9, bytes([9]) * 32, now=55)
        assert proofs.seen() == SeenHead(9, bytes([9]) * 32, 60, 40)


@pytest.mark.parametrize(
    "change", [{"root": b"short"}, {"tx_hash": b""}, {"nonce": -1}, {"size": -7}, {"planned_at": -1}]
)
def test_rows_that_nobody_can_have_written(store: Engine, change: dict[str, object]) -> None:
    with store.begin() as connection:
        put(connection, 4)
        add(connection, signed(SCOPE, 7, 4))
        connection.execute(update(submissions).values(**change))
        with pytest.raises(VerificationError) as caught:
            SqlOutbox(connection, SCOPE).in_flight()
        assert caught.value.code == "outbox.damaged"


def test_signed_bytes_that_are_gone(store: Engine) -> None:
    with store.begin() as connection:
        add(connection, signed(SCOPE, 7, 4))
        found = SqlOutbox(connection, SCOPE).in_flight()
        assert found is not None
        with pytest.raises(VerificationError) as caught:
            _ = found.transaction
        assert caught.value.code == "outbox.damaged"
