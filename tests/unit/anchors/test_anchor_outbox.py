"""The state machine of one anchoring."""

from dataclasses import replace

import pytest

from anchors import Displaced, Evidence, Included, Pending, SignedTransaction
from anchors.outbox import (
    ENDED,
    NEXT,
    AnchorScope,
    Call,
    Fee,
    Pace,
    State,
    Submission,
    build,
    enter,
    fate,
    lose_block,
    plan,
    refuse,
    replace_transaction,
    replan,
    send,
    sign,
    take_evidence,
    take_outcome,
)
from ledger import Checkpoint, RootHash
from signing import VerificationError

SCOPE = AnchorScope(20261, bytes(20), "log.example/city")
CHECKPOINT = Checkpoint("log.example/city", 7, RootHash(bytes([7]) * 32))
PACE = Pace(5)
PLANNED = plan(SCOPE, CHECKPOINT, now=900)
TRANSACTION = SignedTransaction(b"raw", bytes(32), bytes(20), 3)
REPLACEMENT = SignedTransaction(b"raw 2", b"2" * 32, bytes(20), 3)
BUILT = build(PLANNED, Call(4, b"n" * 32, b"call"))
SIGNED = sign(BUILT, TRANSACTION, Fee(150_000, 8))
SENT = send(SIGNED, now=1000, pace=PACE, endpoints=("a", "b"))
MINED = Included(12, b"h" * 32, True, 100_000)
INCLUDED = take_outcome(SENT, TRANSACTION, MINED, now=1000)


def evidence(root: bytes = CHECKPOINT.root, number: int = 12, block_hash: bytes = b"h" * 32) -> Evidence:
    return Evidence(b"header", number, block_hash, bytes(20), root, (), (), (), (), (), ())


def test_the_straight_way() -> None:
    assert SIGNED.transaction == TRANSACTION
    assert (SENT.next_action_at, SENT.sent_at, SENT.endpoints) == (1015, 1000, ("a", "b"))
    assert (SENT.planned_at, SENT.old_size, SENT.note_hash, SENT.gas_limit) == (900, 4, b"n" * 32, 150_000)
    assert (SENT.receipt_status, INCLUDED.receipt_status) == (None, 1)
    final = take_evidence(INCLUDED, evidence(), now=1000, pace=PACE)
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
    with pytest.raises(VerificationError, match="signed"):
        _ = BUILT.transaction


def test_a_spent_nonce_is_never_superseded() -> None:
    for submission in (SIGNED, SENT, INCLUDED):
        with pytest.raises(ValueError, match="no step"):
            enter(submission, State.SUPERSEDED)


def test_fates_of_a_transaction() -> None:
    assert take_outcome(SENT, TRANSACTION, Pending(), now=5) is SENT
    assert (INCLUDED.state, INCLUDED.block_number) == (State.INCLUDED, 12)
    failed = take_outcome(SENT, TRANSACTION, replace(MINED, succeeded=False), now=5)
    assert (failed.state, failed.reason, failed.receipt_status) == (State.REVERTED, "chain.transaction-failed", 0)
    empty = take_outcome(SENT, TRANSACTION, replace(MINED, succeeded=False, gas_used=150_000), now=5)
    assert (empty.state, empty.reason) == (State.REVERTED, "chain.out-of-gas")
    taken = take_outcome(SENT, TRANSACTION, Displaced(), now=5)
    assert (taken.state, taken.reason, taken.next_action_at) == (State.REVERTED, "chain.nonce-taken", 5)


def test_refusals_pause_longer_each_time() -> None:
    submission: Submission = PLANNED
    pauses = []
    for _ in range(12):
        submission = refuse(submission, "chain.transaction-failed", now=0)
        pauses.append(submission.next_action_at)
        submission = replan(submission)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert refuse(submission, "contract.stale-head", now=9).next_action_at == 9
    assert refuse(PLANNED, "contract.not-anchorer", now=9).next_action_at == 309


def test_conflicts_stop() -> None:
    assert refuse(PLANNED, "contract.conflict", now=0).state is State.CONFLICT
    once = refuse(PLANNED, "contract.bad-consistency", now=0)
    assert once.state is State.REVERTED
    assert refuse(replan(once), "contract.bad-consistency", now=0).state is State.CONFLICT
    assert take_evidence(INCLUDED, evidence(root=bytes(32)), now=0, pace=PACE).state is State.CONFLICT


def test_a_reorganised_block_goes_back_to_sent() -> None:
    moved = take_evidence(INCLUDED, evidence(block_hash=b"i" * 32), now=50, pace=PACE)
    assert (moved.state, moved.reason, moved.next_action_at) == (State.SENT, "chain.reorganised", 50)
    assert (moved.block_number, moved.receipt_status, moved.transaction) == (None, None, TRANSACTION)
    later = take_evidence(INCLUDED, evidence(number=13, block_hash=b"i" * 32), now=50, pace=PACE)
    assert (later.state, later.block_number) == (State.FINAL, 13)


def test_adopted_takes_the_block_of_the_evidence() -> None:
    adopted = enter(PLANNED, State.ADOPTED)
    final = take_evidence(adopted, evidence(number=99), now=0, pace=PACE)
    assert (final.state, final.block_number) == (State.FINAL, 99)
    assert lose_block(final, now=5, pace=PACE).state is State.PLANNED
    assert lose_block(adopted, now=5, pace=PACE).state is State.PLANNED


def test_a_replacement_pays_more_for_the_same_nonce_and_either_may_be_mined() -> None:
    higher = replace_transaction(SENT, REPLACEMENT, Fee(150_000, 9), now=1100)
    assert (higher.state, higher.transaction, higher.sent_at) == (State.SENT, REPLACEMENT, None)
    assert send(higher, now=1101, pace=PACE, endpoints=("b", "c")).endpoints == ("a", "b", "c")
    for transaction, price in ((REPLACEMENT, 8), (replace(REPLACEMENT, nonce=4), 9)):
        with pytest.raises(ValueError, match="replacement"):
            replace_transaction(SENT, transaction, Fee(150_000, price), now=1100)
    assert fate([(REPLACEMENT, Displaced()), (TRANSACTION, MINED)]) == (TRANSACTION, MINED)
    assert fate([(REPLACEMENT, Displaced()), (TRANSACTION, Pending())]) == (TRANSACTION, Pending())
    older = take_outcome(higher, TRANSACTION, MINED, now=1200)
    assert (older.state, older.transaction) == (State.INCLUDED, TRANSACTION)


def test_the_last_setback_is_told_until_a_receipt_is_there() -> None:
    taken = replan(take_outcome(SENT, TRANSACTION, Displaced(), now=5))
    built = build(taken, Call(0, bytes(32), b"call"))
    sent = send(sign(built, REPLACEMENT, Fee(1, 0)), now=6, pace=PACE)
    assert sent.reason == "chain.nonce-taken"
    assert take_outcome(sent, REPLACEMENT, MINED, now=7).reason is None


def test_secrets_and_bulk_stay_out_of_reprs() -> None:
    assert "raw" not in repr(SIGNED).replace("raw=", "")
    assert "call" not in repr(BUILT)
