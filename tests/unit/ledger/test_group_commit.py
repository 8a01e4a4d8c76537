"""Group commit of any items: each caller learns the outcome of its own item, once, and never before the commit."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.group_commit import Failed, GroupCommit, OneToBlameError, Pending
from signing import LedgerError, MalformedError, RefusedError, UnavailableError

PATIENCE = 30
Group = GroupCommit[int, str]


class Gate:
    """A commit that waits until it is let through; notes the batches. ``decide`` says what becomes of each."""

    def __init__(self, decide: Callable[[Sequence[int]], list[str | Failed]] | None = None) -> None:
        self.decide = decide or (lambda batch: [str(number) for number in batch])
        self.batches: list[list[int]] = []
        self.open, self.entered = threading.Event(), threading.Event()

    def __call__(self, batch: Sequence[int]) -> list[str | Failed]:
        self.batches.append(list(batch))
        self.entered.set()
        assert self.open.wait(PATIENCE)
        return self.decide(batch)


def group(gate: Gate, **limits: int) -> Group:
    return Group(gate, weight=lambda number: number, **limits)


def hand_in(gate: Gate, numbers: Sequence[int]) -> list[Pending[int, str]]:
    """The first is in a batch of its own, so that the others share one; then the gate opens."""
    with group(gate) as taking:
        pending = [taking.submit(numbers[0])]
        assert gate.entered.wait(PATIENCE)
        pending += [taking.submit(number) for number in numbers[1:]]
        gate.open.set()
    return pending


def outcome(pending: Pending[int, str]) -> str:
    """The answer, or the code or name of the error."""
    try:
        return pending.result(PATIENCE)
    except LedgerError as error:
        return error.code
    except Exception as error:
        return type(error).__name__


def test_each_gets_its_own_outcome() -> None:
    refused = RefusedError("registration.key", "no")

    def decide(batch: Sequence[int]) -> list[str | Failed]:
        return [Failed(refused) if number == 3 else str(number * 10) for number in batch]

    gate = Gate(decide)
    pending = hand_in(gate, [1, 2, 3, 4])
    assert [outcome(each) for each in pending] == ["10", "20", "registration.key", "40"]
    assert gate.batches == [[1], [2, 3, 4]]
    with pytest.raises(RefusedError) as raised:
        pending[2].result(0)
    assert raised.value is refused


def test_a_batch_that_one_may_have_spoilt_is_run_one_by_one() -> None:
    def decide(batch: Sequence[int]) -> list[str | Failed]:
        if 3 in batch:
            raise OneToBlameError from KeyError("a bug that 3 meets")
        return [str(number) for number in batch]

    gate = Gate(decide)
    assert [outcome(each) for each in hand_in(gate, [1, 2, 3, 4])] == ["1", "2", "KeyError", "4"]
    assert gate.batches == [[1], [2, 3, 4], [2], [3], [4]]


def test_of_those_run_one_by_one_only_the_lost_one_is_unknown() -> None:
    def decide(batch: Sequence[int]) -> list[str | Failed]:
        if len(batch) > 1:
            raise OneToBlameError from KeyError("one of them")
        if batch == [3]:
            raise OSError("lost")
        return [str(number) for number in batch]

    assert [outcome(each) for each in hand_in(Gate(decide), [1, 2, 3, 4])] == ["1", "2", "log.unknown-outcome", "4"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("log.frozen", "for ever"), "log.frozen"),
        (UnavailableError("database.unavailable", "away"), "database.unavailable"),
        (MalformedError("form.size", "too large"), "form.size"),
        (OSError("lost"), "log.unknown-outcome"),
    ],
)
def test_what_holds_for_all_is_told_to_all_each_by_an_error_of_its_own(error: Exception, code: str) -> None:
    def decide(batch: Sequence[int]) -> list[str | Failed]:
        if len(batch) > 1:
            raise error
        return [str(number) for number in batch]

    gate = Gate(decide)
    pending = hand_in(gate, [1, 2, 3])
    assert [outcome(each) for each in pending] == ["1", code, code]
    raised = []
    for each in pending[1:]:
        with pytest.raises(LedgerError) as caught:
            each.result(0)
        assert caught.value.__cause__ is error
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert gate.batches == [[1], [2, 3]]


def test_too_few_outcomes_leave_no_one_waiting() -> None:
    gate = Gate(lambda batch: [str(number) for number in batch[1:]] if len(batch) > 1 else ["alone"])
    assert [outcome(each) for each in hand_in(gate, [1, 2, 3])] == [
        "alone",
        "log.unknown-outcome",
        "log.unknown-outcome",
    ]


def test_the_queue_is_bounded_by_number_and_by_weight() -> None:
    gate = Gate()
    with group(gate, max_queue=3, max_weight=100, max_batch=2) as taking:
        first = taking.submit(1000)  # heavier than all may be, and alone: taken
        assert gate.entered.wait(PATIENCE)
        waiting = [taking.submit(60)]
        for weight in (41, 1000):
            with pytest.raises(UnavailableError) as busy:
                taking.submit(weight)
            assert busy.value.code == "log.busy"
        waiting += [taking.submit(40), taking.submit(0)]
        for check in (lambda: taking.submit(0), taking.check_room):
            with pytest.raises(UnavailableError) as busy:
                check()
            assert busy.value.code == "log.busy"
        gate.open.set()
        assert [outcome(each) for each in [first, *waiting]] == ["1000", "60", "40", "0"]
        taking.check_room()
    assert [len(batch) for batch in gate.batches] == [1, 2, 1]


def test_closing_answers_what_was_taken_and_takes_no_more() -> None:
    gate = Gate()
    taking = group(gate, max_batch=2)
    pending = [taking.submit(number) for number in range(5)]
    closing = threading.Thread(target=taking.close)
    closing.start()
    gate.open.set()
    closing.join(PATIENCE)
    assert [each.result(0) for each in pending] == ["0", "1", "2", "3", "4"]
    for late in (lambda: taking.submit(9), taking.check_room):
        with pytest.raises(UnavailableError) as busy:
            late()
        assert busy.value.code == "log.busy"


def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    gate = Gate()
    with group(gate) as taking:
        pending = taking.submit(1)
        with pytest.raises(UnavailableError) as late:
            pending.result(0.02)
        assert late.value.code == "log.unknown-outcome"
        gate.open.set()
        assert pending.result(PATIENCE) == "1"


def test_all_who_wait_for_a_batch_are_woken_whoever_gave_up() -> None:
    gate = Gate()
    with group(gate) as taking, ThreadPoolExecutor(8) as pool:
        pending = [taking.submit(number) for number in range(8)]
        answers = [pool.submit(each.result, 0.02 if place % 3 == 1 else PATIENCE) for place, each in enumerate(pending)]
        given_up = [answers[place] for place in (1, 4, 7)]
        assert [type(each.exception(PATIENCE)) for each in given_up] == [UnavailableError] * 3
        gate.open.set()
        waited = [answers[place].result(PATIENCE) for place in (0, 2, 3, 5, 6)]
    assert waited == ["0", "2", "3", "5", "6"]
    assert [outcome(each) for each in pending] == [str(number) for number in range(8)]
