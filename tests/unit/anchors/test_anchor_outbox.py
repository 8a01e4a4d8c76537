"""The state machine of one anchoring."""

from dataclasses import replace

import pytest

from anchors import Displaced, Evidence, Included, Pending, SignedTransaction
from anchors.outbox import (
    ENDED,
    NEXT,
    AnchorScope,
    State,
    Submission,
    build,
    enter,
    plan,
    refuse,
    replan,
    send,
    sign,
    take_evidence,
    take_outcome,
)
from ledger import Checkpoint, RootHash

SCOPE = AnchorScope(20261, bytes(20), "log.example/city")
CHECKPOINT = Checkpoint("log.example/city", 7, RootHash(bytes([7]) * 32))
PLANNED = plan(SCOPE, CHECKPOINT)
TRANSACTION = SignedTransaction(b"raw", bytes(32), bytes(20), 3)
BUILT = build(PLANNED, b"call")
SIGNED = sign(BUILT, TRANSACTION)
SENT = send(SIGNED, now=1000)
INCLUDED = take_outcome(SENT, Included(12, b"h" * 32, True), now=1000)


def evidence(root: bytes = CHECKPOINT.root, number: int = 12, block_hash: bytes = b"h" * 32) -> Evidence:
    return Evidence(b"header", number, block_hash, bytes(20), root, (), (), (), ())


def test_the_straight_way() -> None:
    assert SIGNED.transaction == TRANSACTION
    assert SENT.next_action_at == 1015
    final = take_evidence(INCLUDED, evidence(), now=1000)
    proven = enter(final, State.PROVEN)
    states = [each.state.value for each in (PLANNED, BUILT, SIGNED, SENT, INCLUDED, final, proven)]
    assert states == ["planned", "built", "signed", "sent", "included", "final", "proven"]
    assert proven.checkpoint == CHECKPOINT
    assert (final.block_number, final.block_hash) == (12, b"h" * 32)


def test_steps_outside_the_table_are_errors() -> None:
    for state in State:
        submission = replace(SENT, state=state)
        for target in State:
            if target in NEXT[state]:
                assert enter(submission, target).state is target
            else:
                with pytest.raises(ValueError, match="no step"):
                    enter(submission, target)
    assert {State.PROVEN, State.SUPERSEDED} == ENDED
    with pytest.raises(ValueError, match="signed"):
        _ = BUILT.transaction


def test_a_spent_nonce_is_never_superseded() -> None:
    for submission in (SIGNED, SENT, INCLUDED):
        with pytest.raises(ValueError, match="no step"):
            enter(submission, State.SUPERSEDED)


def test_fates_of_a_transaction() -> None:
    assert take_outcome(SENT, Pending(), now=5) is SENT
    assert (INCLUDED.state, INCLUDED.block_number) == (State.INCLUDED, 12)
    failed = take_outcome(SENT, Included(12, b"h" * 32, False), now=5)
    assert (failed.state, failed.reason) == (State.REVERTED, "chain.transaction-failed")
    taken = take_outcome(SENT, Displaced(), now=5)
    assert (taken.state, taken.reason, taken.next_action_at) == (State.REVERTED, "chain.nonce-taken", 5)


def test_refusals_pause_longer_each_time() -> None:
    submission: Submission = PLANNED
    pauses = []
    for _ in range(12):
        submission = refuse(submission, "contract.not-anchorer", now=0)
        pauses.append(submission.next_action_at)
        submission = replan(submission)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert refuse(submission, "contract.stale-head", now=9).next_action_at == 9


def test_conflicts_stop() -> None:
    assert refuse(PLANNED, "contract.conflict", now=0).state is State.CONFLICT
    once = refuse(PLANNED, "contract.bad-consistency", now=0)
    assert once.state is State.REVERTED
    assert refuse(replan(once), "contract.bad-consistency", now=0).state is State.CONFLICT
    assert take_evidence(INCLUDED, evidence(root=bytes(32)), now=0).state is State.CONFLICT


def test_a_reorganised_block_goes_back_to_sent() -> None:
    moved = take_evidence(INCLUDED, evidence(block_hash=b"i" * 32), now=50)
    assert (moved.state, moved.reason, moved.next_action_at) == (State.SENT, "chain.reorganised", 65)
    later = take_evidence(INCLUDED, evidence(number=13, block_hash=b"i" * 32), now=50)
    assert (later.state, later.block_number) == (State.FINAL, 13)


def test_adopted_takes_the_block_of_the_evidence() -> None:
    adopted = enter(PLANNED, State.ADOPTED)
    final = take_evidence(adopted, evidence(number=99), now=0)
    assert (final.state, final.block_number) == (State.FINAL, 99)


def test_secrets_and_bulk_stay_out_of_reprs() -> None:
    assert "raw" not in repr(SIGNED).replace("raw=", "")
    assert "call" not in repr(BUILT)
