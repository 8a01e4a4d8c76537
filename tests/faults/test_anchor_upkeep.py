"""After the proof: validators retire, a chain without finality loses a block, validators seal two; under faults."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from anchors import Grade, TrustProfile, read_anchor_proof, verify_anchor_proof
from anchors.contradictions import SqlEquivocations
from anchors.equivocation import EquivocationError
from anchors.evm import EvmChain
from anchors.fsck import AnchorCheck
from anchors.node import Endpoint
from anchors.outbox import State
from anchors.profile import HandoffPolicy
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.tables import equivocations
from api.chain_profiles import renew_profile
from ledger.database import open_engine
from ledger.store import SqlLog
from signing import UnavailableError, VerificationError
from tests.support.anchor_world import AnchorWorld, FaultyChain, KilledError, anchored_sizes
from tests.support.devchain_world import ANCHORER, STRANGER, address_of, result
from tests.support.ledger_logs import KEY, ORIGIN

PAUSE = 600


def believe(world: AnchorWorld, profile: TrustProfile) -> None:
    """Another version of the profile for worker and verifier, as a process that starts anew reads it."""
    world.profile = profile
    world.evm = EvmChain([Endpoint("embedded", world.dev.dispatch)], profile)
    world.chain = FaultyChain(world.evm)
    world.target = replace(world.target, profile=profile)


def anchored(world: AnchorWorld, *stops: int) -> None:
    start = 1
    for stop in stops:
        world.grow(start, stop)
        done = world.run()
        assert done is not None
        assert done.state is State.PROVEN
        start = stop
        world.now += 60


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchorWorld]:
    """Two anchors on a chain whose validators may be handed over."""
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    world = AnchorWorld.create(engine, tmp_path)
    believe(world, replace(world.profile, handoff=HandoffPolicy(allowed=True, max_steps=16, min_set=4)))
    anchored(world, 5, 9)
    yield world
    world.dev.close()
    engine.dispose()


def stored(world: AnchorWorld) -> dict[int, bytes]:
    with world.engine.begin() as connection:
        return dict(SqlAnchorProofs(connection, world.target.scope).after(0, limit=100))


def states(world: AnchorWorld) -> dict[int, State]:
    with world.engine.begin() as connection:
        outbox = SqlOutbox(connection, world.target.scope)
        return {row.size: row.state for row in map(outbox.at, outbox.sizes()) if row is not None}


def as_of(data: bytes, profile: TrustProfile) -> int:
    """The block of a proof that holds under a profile."""
    return verify_anchor_proof(read_anchor_proof(data), [profile], log_key=KEY).as_of_block


def findings(world: AnchorWorld) -> list[str]:
    with world.engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        check = AnchorCheck(connection, world.target.scope, log=log, log_key=KEY, profiles=[world.profile])
        return [found.where for found in check.findings()]


def recapture(world: AnchorWorld) -> int:
    world.now += PAUSE
    return world.worker().recapture(now=world.now)


def replace_validators(world: AnchorWorld, count: int) -> None:
    """As many are voted in, and as many of the oldest voted out."""
    oldest = world.profile.validator_sets[0].addresses
    leaving = [member for member in world.dev.validators() if member in oldest][:count]
    for member in leaving:
        world.dev.vote_validator(world.dev.new_validator(), add=True)
        world.dev.mine()
        world.dev.vote_validator(member, add=False)
        world.dev.mine()


def test_proofs_are_captured_anew_before_the_validators_retire(world: AnchorWorld) -> None:
    assert recapture(world) == 0
    before, first = stored(world), world.profile
    replace_validators(world, 2)
    change = int(str(world.dev.dispatch("eth_blockNumber", [])["result"]), 16)
    assert recapture(world) == 2
    assert recapture(world) == 0
    after = stored(world)
    for size in (5, 9):  # the profile that named the first validators only: by hand-over headers
        assert as_of(before[size], first) < change <= as_of(after[size], first)
    assert findings(world) == []
    second = renew_profile(Endpoint("node", world.dev.dispatch), first, by_word=False)
    assert (second.version, len(second.validator_sets)) == (2, 5)
    for size in (5, 9):
        assert as_of(before[size], second) < change <= as_of(after[size], second)
    believe(world, second)
    assert recapture(world) == 2  # the hand-over headers aren't needed any more
    assert recapture(world) == 0
    replace_validators(world, 2)
    third = renew_profile(Endpoint("node", world.dev.dispatch), second, by_word=False)
    believe(world, third)
    assert recapture(world) == 2
    assert not set(third.validator_sets[-1].addresses) & set(first.validator_sets[0].addresses)
    last = third.validator_sets[-1]
    shorter = replace(third, from_block=last.from_block, validator_sets=(last,))
    for size in (5, 9):  # nobody needs to trust the first validators any more
        assert as_of(stored(world)[size], shorter) >= last.from_block
        with pytest.raises(VerificationError):
            as_of(before[size], shorter)
    assert findings(world) == []


def test_a_proof_captured_late_under_the_old_validators_is_seen(world: AnchorWorld) -> None:
    """Mined under the old ones, proved after the other proofs were looked through."""
    world.grow(9, 12)
    worker = world.worker()
    while (step := worker.advance(now=world.now)) is not None and step.state is not State.FINAL:
        pass
    replace_validators(world, 1)
    world.now += PAUSE
    assert worker.recapture(now=world.now) == 2
    done = world.run()
    assert done is not None
    assert done.state is State.PROVEN
    assert world.worker().recapture(now=world.now) == 1
    assert findings(world) == []


def test_a_few_at_a_time(world: AnchorWorld) -> None:
    start = 9
    for stop in range(10, 28):
        world.grow(start, stop)
        world.run()
        start = stop
    assert recapture(world) == 0
    replace_validators(world, 1)
    assert recapture(world) == 16
    assert [world.worker().recapture(now=world.now) for _ in range(2)] == [4, 0]  # the rest doesn't wait
    assert findings(world) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [None, KilledError("evidence")])
def test_a_chain_that_goes_away_while_proofs_are_captured_anew(
    world: AnchorWorld, when: str, error: Exception | None
) -> None:
    before = stored(world)
    replace_validators(world, 1)
    world.chain.fail("evidence", when, error)
    with pytest.raises((UnavailableError, KilledError)):
        recapture(world)
    assert stored(world) == before
    assert findings(world) == []
    assert recapture(world) == 2


@pytest.mark.parametrize("point", range(12))
def test_a_process_that_dies_while_proofs_are_captured_anew(world: AnchorWorld, point: int) -> None:
    replace_validators(world, 1)
    world.commits_to_kill = 2 * point
    with suppress(KilledError):
        recapture(world)
    world.commits_to_kill = -1
    assert findings(world) == []
    recapture(world)
    assert recapture(world) == 0
    assert all(as_of(data, world.profile) > world.profile.contracts[0].from_block for data in stored(world).values())
    assert findings(world) == []


def lose(world: AnchorWorld, size: int) -> None:
    """A reorganisation that takes the anchor of ``size`` and all later ones off the chain."""
    with world.engine.begin() as connection:
        row = SqlOutbox(connection, world.target.scope).at(size)
    assert row is not None
    assert row.block_number is not None
    world.dev.reorg(int(result(world.dev, "eth_blockNumber"), 16) - row.block_number + 1)


def nonce_count(world: AnchorWorld) -> int:
    return int(result(world.dev, "eth_getTransactionCount", "0x" + address_of(ANCHORER).hex(), "latest"), 16)


def settle(world: AnchorWorld) -> None:
    for _ in range(20):
        try:
            if world.run() is None:
                break
        except (UnavailableError, KilledError):
            pass
        world.now += 60
    world.check()
    assert findings(world) == []


@pytest.mark.parametrize("size", [5, 9])
def test_a_proven_anchor_that_the_chain_lost_is_sent_again(world: AnchorWorld, size: int) -> None:
    lose(world, size)
    world.dev.hold_mining()
    waiting = world.run()
    assert waiting is not None
    assert (waiting.size, waiting.state, waiting.reason) == (9, State.SENT, "chain.reorganised")
    assert set(stored(world)) == {5, 9} - set(range(size, 10))
    world.dev.release_mining()
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]
    assert nonce_count(world) == 2
    assert states(world) == {5: State.PROVEN if size == 9 else State.SUPERSEDED, 9: State.PROVEN}
    world.grow(9, 12)
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9, 12]


def test_a_lost_anchor_is_covered_by_a_newer_one_in_flight(world: AnchorWorld) -> None:
    world.grow(9, 12)
    world.dev.hold_mining()
    world.run()
    lose(world, 9)
    world.dev.drop_pending()
    world.now += 3600
    world.run()
    world.dev.release_mining()
    settle(world)
    sizes = anchored_sizes(world.dev)
    assert sizes[0] == 5
    assert sizes[-1] == 12
    assert set(stored(world)) == {5, 12}


@pytest.mark.parametrize("point", range(16))
def test_a_process_that_dies_while_it_finds_an_anchor_lost(world: AnchorWorld, point: int) -> None:
    lose(world, 5)
    world.commits_to_kill = point
    with suppress(KilledError):
        world.run()
    world.commits_to_kill = -1
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]
    assert nonce_count(world) == 2


def test_a_lost_anchor_that_another_anchorers_covers_is_forgotten(world: AnchorWorld) -> None:
    lose(world, 9)
    world.grow(9, 12)
    with world.engine.begin() as connection:
        proof = SqlLog(connection, ORIGIN).consistency_proof(5, 12)
    world.anchor_as(STRANGER, 5, world.latest(), tuple(proof))
    settle(world)
    assert states(world) == {5: State.PROVEN, 9: State.PROVEN, 12: State.PROVEN}  # the head is beyond it: not seen yet
    replace_validators(world, 1)
    assert recapture(world) == 2
    assert states(world) == {5: State.PROVEN, 9: State.SUPERSEDED, 12: State.PROVEN}
    assert set(stored(world)) == {5, 12}
    assert findings(world) == []


@pytest.mark.parametrize("method", ["head", "evidence"])
def test_a_chain_that_can_not_be_asked_has_lost_nothing(world: AnchorWorld, method: str) -> None:
    lose(world, 9)
    world.chain.fail(method, "before")
    before = stored(world)
    assert world.run() is None
    assert stored(world) == before
    settle(world)
    assert anchored_sizes(world.dev) == [5, 9]


def test_an_older_block_than_the_proofs_says_nothing(world: AnchorWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    head = world.evm.head(ORIGIN)
    lose(world, 9)
    old = replace(world.evm.head(ORIGIN), as_of_block=head.as_of_block - 1)
    monkeypatch.setattr(world.chain, "head", lambda _: old)
    assert world.run() is None
    assert set(stored(world)) == {5, 9}


def test_a_chain_that_lost_what_was_final_stops_the_origin(world: AnchorWorld) -> None:
    before = stored(world)
    lose(world, 9)
    believe(world, replace(world.profile, max_grade=Grade.FINAL_BFT))
    for _ in range(2):
        with pytest.raises(VerificationError) as caught:
            world.run()
        assert caught.value.code == "chain.reorganised"
    assert states(world)[9] is State.CONFLICT
    assert stored(world) == before
    world.worker().resume(now=world.now)
    settle(world)


def equivocate(world: AnchorWorld) -> None:
    """Two blocks of one height in sight of a worker."""
    believe(world, replace(world.profile, max_grade=Grade.FINAL_BFT))
    world.dev.mine()
    world.evm.head(ORIGIN)
    world.dev.reorg(1)
    world.grow(9, 12)
    with pytest.raises(EquivocationError):
        world.run()


def test_two_sealed_blocks_are_kept_and_stop_anchoring_until_a_person_resumes(world: AnchorWorld) -> None:
    equivocate(world)
    believe(world, world.profile)  # a new process, which has not seen either block
    with pytest.raises(VerificationError) as caught:
        world.run()
    assert caught.value.code == "chain.equivocation"
    with world.engine.begin() as connection:
        kept = SqlEquivocations(connection, world.profile.chain_id).all()
    assert [(each.number, each.found_at, each.reviewed_at) for each in kept] == [
        (int(result(world.dev, "eth_blockNumber"), 16), world.now, None)
    ]
    assert {shown.node for shown in kept[0].blocks()} == {"embedded"}
    assert findings(world) == []
    reviewed = replace(kept[0], reviewed_at=world.now)
    world.worker().resume(now=world.now)
    settle(world)
    with world.engine.begin() as connection:
        assert SqlEquivocations(connection, world.profile.chain_id).all() == [reviewed]


def test_a_flipped_bit_in_what_is_kept_of_two_blocks(world: AnchorWorld) -> None:
    equivocate(world)
    where = f"anchor_equivocations number={int(result(world.dev, 'eth_blockNumber'), 16)}"
    for name in ("first", "second"):
        column = equivocations.c[name]
        with world.engine.begin() as connection:
            data = connection.scalar(select(column))
            assert data is not None
        for position in range(0, len(data), 61):
            changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            with world.engine.begin() as connection:
                connection.execute(update(equivocations).values({column: changed}))
            assert findings(world) == [where]
        with world.engine.begin() as connection:
            connection.execute(update(equivocations).values({column: data}))
    assert findings(world) == []
    with world.engine.begin() as connection:
        first = connection.scalar(select(equivocations.c.first))
        connection.execute(update(equivocations).values(second=first))
    assert findings(world) == [where]


def test_evidence_is_kept_on_both_databases(engine: Engine, tmp_path: Path) -> None:
    world = AnchorWorld.create(engine, tmp_path)
    anchored(world, 5, 9)
    equivocate(world)
    with world.engine.begin() as connection:
        kept = SqlEquivocations(connection, world.profile.chain_id)
        again = kept.all()[0]
        first, second = again.blocks()
        kept.keep(EquivocationError(again.number, second, first), now=world.now + 1)
        assert kept.all() == [again]
    world.dev.close()
