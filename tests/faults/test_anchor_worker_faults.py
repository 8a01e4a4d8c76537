"""Anchoring under faults: every external call fails in each way, the process dies at every commit; nothing doubles."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from anchors import Quote
from anchors.contract import origin_id
from anchors.deploy import set_anchorer
from anchors.leases import LEASE_SECONDS
from anchors.outbox import State, Submission
from anchors.policy import AnchorPolicy
from anchors.worker import AnchorWorker
from ledger import Checkpoint
from ledger.database import open_engine
from ledger.store import SqlLog
from signing import RefusedError, UnavailableError, VerificationError
from tests.support.anchor_world import AnchorWorld, KilledError, anchored_sizes
from tests.support.devchain_world import ADMIN, ANCHORER, STRANGER, account_of, address_of
from tests.support.ledger_logs import ORIGIN

LATER = 3600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchorWorld]:
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    world = AnchorWorld.create(engine, tmp_path)
    world.grow(1, 5)
    yield world
    world.dev.close()
    engine.dispose()


def settle(world: AnchorWorld) -> None:
    """Run as an operator's worker does, process after process and minute after minute, until all is proved."""
    for _ in range(20):
        try:
            if world.run() is None:
                break
        except (UnavailableError, KilledError):
            pass
        world.now += 60
    world.check()


def nonce_count(world: AnchorWorld) -> int:
    """Transactions the anchorer ever got onto the chain."""
    sender = "0x" + address_of(ANCHORER).hex()
    return int(str(world.dev.dispatch("eth_getTransactionCount", [sender, "latest"])["result"]), 16)


def test_both_databases(engine: Engine, tmp_path: Path) -> None:
    world = AnchorWorld.create(engine, tmp_path)
    for start, stop in ((1, 2), (2, 3), (3, 9)):
        world.grow(start, stop)
        done = world.run()
        assert done is not None
        assert done.state is State.PROVEN
        assert world.run() is None
        world.check()
    assert anchored_sizes(world.dev) == [2, 3, 9]
    world.dev.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["head", "quote", "submit", "outcome", "evidence"])
def test_a_call_that_fails(world: AnchorWorld, method: str, when: str) -> None:
    world.chain.fail(method, when)
    if method == "evidence":
        world.run()  # asked again at a later block: the contract is write-once
    else:
        with pytest.raises(UnavailableError):
            world.run()
    assert method not in world.chain.faults
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonce_count(world) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["head", "quote", "submit", "outcome", "evidence"])
def test_a_process_that_dies_in_a_call(world: AnchorWorld, method: str, when: str) -> None:
    world.chain.fail(method, when, KilledError(method))
    with pytest.raises(KilledError):
        world.run()
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonce_count(world) == 1


@pytest.mark.parametrize("point", range(40))
def test_a_process_that_dies_at_a_commit(world: AnchorWorld, point: int) -> None:
    world.commits_to_kill = point
    try:
        world.run()
    except KilledError:
        world.commits_to_kill = -1
        if point % 2:  # the log may grow while nobody is anchoring
            world.grow(5, 8)
    settle(world)
    assert nonce_count(world) == len(anchored_sizes(world.dev))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_send_that_every_node_refuses_is_decided_by_its_receipt(world: AnchorWorld, when: str) -> None:
    world.chain.fail("submit", when, RefusedError("chain.refused", "nonce too low"))
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonce_count(world) == 1


def test_the_signed_bytes_are_stored_before_they_are_sent(world: AnchorWorld) -> None:
    world.chain.fail("submit", "before", KilledError("submit"))
    with pytest.raises(KilledError):
        world.run()
    stored = world.outbox()
    assert stored is not None
    assert (stored.state, stored.nonce) == (State.SIGNED, 0)
    assert anchored_sizes(world.dev) == []
    settle(world)
    assert world.dev.dispatch("eth_getTransactionByHash", ["0x" + (stored.tx_hash or b"").hex()])["result"]


def test_a_pending_transaction_waits_and_is_sent_again(world: AnchorWorld) -> None:
    world.dev.hold_mining()
    waiting = world.run()
    assert waiting is not None
    assert waiting.state is State.SENT
    assert world.run() == waiting
    assert world.dev.drop_pending() == 1
    world.now += LATER
    world.run()
    world.dev.release_mining()
    settle(world)
    assert nonce_count(world) == 1


def test_a_newer_checkpoint_supersedes_only_before_a_nonce_is_spent(world: AnchorWorld) -> None:
    worker = world.worker()
    assert advance(worker, world).state is State.BUILT
    world.grow(5, 9)
    assert advance(worker, world).size == 9
    for _ in range(2):
        submission = advance(worker, world)
    assert submission.state is State.SENT
    world.grow(9, 12)
    assert advance(worker, world).size == 9
    settle(world)
    assert anchored_sizes(world.dev) == [9, 12]


def advance(worker: AnchorWorker, world: AnchorWorld) -> Submission:
    submission = worker.advance(now=world.now)
    assert submission is not None
    return submission


def latest_and_proof(world: AnchorWorld, old: int) -> tuple[Checkpoint, tuple[bytes, ...]]:
    latest = world.latest()
    with world.engine.begin() as connection:
        return latest, tuple(SqlLog(connection, ORIGIN).consistency_proof(old, latest.size)) if old else ()


def test_what_another_anchorer_wrote_is_adopted(world: AnchorWorld) -> None:
    world.anchor_as(STRANGER, 0, world.latest())
    settle(world)
    assert nonce_count(world) == 0
    world.grow(5, 9)
    latest, proof = latest_and_proof(world, 5)
    worker = world.worker()
    for _ in range(2):
        assert advance(worker, world).state in (State.BUILT, State.SIGNED)
    world.anchor_as(STRANGER, 5, latest, proof)  # between our signing and our sending
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]


def test_another_anchorer_came_first_and_our_transaction_is_lost(world: AnchorWorld) -> None:
    world.dev.hold_mining()
    world.run()
    world.dev.drop_pending()
    world.dev.release_mining()
    world.anchor_as(STRANGER, 0, world.latest())
    world.now += LATER
    settle(world)
    assert nonce_count(world) == 0
    world.grow(5, 9)  # its nonce is still unused: the lost bytes are sent first
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]
    assert nonce_count(world) == 2


def test_a_head_that_moved_is_built_again(world: AnchorWorld) -> None:
    small = world.latest()
    world.grow(5, 9)
    assert advance(world.worker(), world).state is State.BUILT
    world.anchor_as(STRANGER, 0, small)
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]


def test_a_taken_nonce_is_replaced(world: AnchorWorld) -> None:
    worker = world.worker()
    for _ in range(2):
        advance(worker, world)
    world.anchor_as(ANCHORER, 0, world.latest())  # the same key, used by hand
    settle(world)
    assert anchored_sizes(world.dev) == [5]


def test_a_reorganised_block_is_mined_again(world: AnchorWorld) -> None:
    worker = world.worker()
    while advance(worker, world).state is not State.INCLUDED:
        pass
    world.dev.reorg(1)
    settle(world)
    assert anchored_sizes(world.dev) == [5]


def stopped(world: AnchorWorld, code: str) -> None:
    for _ in range(2):
        with pytest.raises(VerificationError) as caught:
            world.run()
        assert caught.value.code == code
    submission = world.outbox()
    assert submission is not None
    assert submission.state is State.CONFLICT


def test_a_forked_chain_stops_the_origin(world: AnchorWorld) -> None:
    world.anchor_as(STRANGER, 0, replace(world.latest(), size=4))
    stopped(world, "log.fork")


def test_a_chain_ahead_stops_the_origin_until_a_person_resumes(world: AnchorWorld) -> None:
    world.anchor_as(STRANGER, 0, replace(world.latest(), size=6))
    stopped(world, "log.behind-chain")
    world.worker().resume(now=world.now)
    stopped(world, "log.behind-chain")


def test_an_anchorer_without_permission_waits_and_goes_on_once_allowed(world: AnchorWorld) -> None:
    stranger = bytes([9]) * 32
    world.target = replace(world.target, account=account_of(stranger))
    waiting = world.run()
    assert waiting is not None
    assert (waiting.state, waiting.reason) == (State.REVERTED, "contract.not-anchorer")
    assert world.run() == waiting
    world.now += 299
    assert world.run() == waiting  # halted: nothing is sent, the contract is asked again every five minutes
    set_anchorer(
        world.network,
        contract=world.target.contract,
        admin=account_of(ADMIN),
        origin=origin_id(ORIGIN),
        anchorer=address_of(stranger),
    )
    settle(world)


def test_one_worker_at_a_time_and_an_old_one_changes_nothing(world: AnchorWorld) -> None:
    first, second = world.worker(), world.worker()
    assert advance(first, world).state is State.BUILT
    with pytest.raises(UnavailableError) as leased:
        second.advance(now=world.now)
    assert leased.value.code == "outbox.leased"
    world.now += LEASE_SECONDS
    assert advance(second, world).state is State.SIGNED
    with pytest.raises(UnavailableError) as late:
        first.advance(now=world.now)
    assert late.value.code == "outbox.leased"
    settle(world)
    assert nonce_count(world) == 1
    assert anchored_sizes(world.dev) == [5]


def test_a_worker_that_slept_through_its_lease_is_refused(world: AnchorWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It read the outbox, then stood still while another one took over: what it commits after that is refused."""
    sleeper, other = world.worker(), world.worker()
    real = world.chain.quote

    def take_over(sender: bytes, calldata: bytes) -> Quote:
        monkeypatch.undo()  # once
        world.now += LEASE_SECONDS
        other.advance(now=world.now)
        return real(sender, calldata)

    monkeypatch.setattr(world.chain, "quote", take_over)
    with pytest.raises(UnavailableError) as refused:
        sleeper.advance(now=world.now)
    assert refused.value.code == "outbox.fenced"
    settle(world)
    assert nonce_count(world) == 1


def test_what_was_asked_for_is_anchored_after_what_another_process_began(world: AnchorWorld) -> None:
    begun = world.worker()
    while (step := begun.advance(now=world.now)) is not None and step.state is not State.SENT:
        pass
    world.grow(5, 9)
    world.now += LEASE_SECONDS + 1
    world.policy = AnchorPolicy(seconds=10**6, entries=10**6)
    done = world.worker().run(now=world.now, requested=True)
    assert done is not None
    assert (done.state, done.size) == (State.PROVEN, 9)
    assert anchored_sizes(world.dev) == [5, 9]
