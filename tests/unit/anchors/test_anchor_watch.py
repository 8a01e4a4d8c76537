"""When anchoring is due, how far it is behind, and when that is an alarm."""

from dataclasses import replace

import pytest

from anchors.outbox import AnchorScope, State, Submission, plan
from anchors.policy import Anchored, AnchorPolicy, is_due
from anchors.watch import LAG_ENTRIES, LAG_TIME, AlarmLimits, Lag, alarms, lag_of
from ledger import Checkpoint, RootHash

POLICY = AnchorPolicy(seconds=60, entries=10)
LAST = Anchored(100, 1000)
ROW = plan(AnchorScope(1, bytes(20), "log"), Checkpoint("log", 7, RootHash(bytes(32))), now=0)


@pytest.mark.parametrize(
    ("log_size", "now", "requested", "due"),
    [
        (100, 10**9, True, False),  # nothing is new
        (99, 10**9, True, False),
        (101, 1059, False, False),
        (101, 1060, False, True),
        (109, 1000, False, False),
        (110, 1000, False, True),
        (101, 1000, True, True),
    ],
)
def test_due_after_seconds_after_entries_or_when_asked(log_size: int, now: int, requested: bool, due: bool) -> None:
    assert is_due(POLICY, log_size=log_size, last=LAST, now=now, requested=requested) is due


def test_the_first_checkpoint_is_due_at_once() -> None:
    assert is_due(POLICY, log_size=1, last=Anchored(), now=10**9)
    assert is_due(AnchorPolicy(), log_size=101, last=LAST, now=1000)


def test_the_lag_is_what_no_proof_covers_and_an_upper_bound_of_its_age() -> None:
    assert lag_of(10, 10, covered_at=5, now=1000) == Lag(0, 0)
    assert lag_of(10, 4, covered_at=400, now=1000) == Lag(6, 600)
    assert lag_of(10, 0, covered_at=None, now=1000) == Lag(10, None)
    assert lag_of(10, 4, covered_at=2000, now=1000) == Lag(6, 0)


@pytest.mark.parametrize(
    ("lag", "row", "expected"),
    [
        (Lag(10, 600), None, ()),
        (Lag(11, 0), None, (LAG_ENTRIES,)),
        (Lag(1, 601), None, (LAG_TIME,)),
        (Lag(10**6, None), None, (LAG_ENTRIES,)),
        (Lag(0, 0), replace(ROW, state=State.SENT, reason="chain.refused"), ()),
        (Lag(0, 0), replace(ROW, state=State.PLANNED, reason="chain.nonce-taken"), ("chain.nonce-taken",)),
        (Lag(0, 0), replace(ROW, state=State.REVERTED, reason="contract.not-anchorer"), ("contract.not-anchorer",)),
        (Lag(0, 0), replace(ROW, state=State.REVERTED, reason="contract.bad-origin"), ("contract.bad-origin",)),
        (Lag(0, 0), replace(ROW, state=State.CONFLICT, reason="log.fork"), ("log.fork",)),
        (Lag(99, 999), replace(ROW, state=State.CONFLICT, reason="log.fork"), (LAG_ENTRIES, LAG_TIME, "log.fork")),
    ],
)
def test_what_a_person_must_look_at(lag: Lag, row: Submission | None, expected: tuple[str, ...]) -> None:
    assert alarms(lag, row, AlarmLimits(entries=10, seconds=600)) == expected


def test_without_limits_no_lag_is_an_alarm() -> None:
    assert alarms(Lag(10**9, 10**9), None, AlarmLimits(None, None)) == ()
