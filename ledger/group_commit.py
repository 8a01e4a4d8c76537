"""Group commit: many threads hand in single items, one thread commits each batch of them in one transaction.

    group = GroupCommit(commit, weight=len)      # commit: (items) -> an outcome for each, once they are durable
    answer = group.submit(item).result()         # in any thread; returns when the item is durable
    group.close()                                # answers what was taken, takes no more

While one batch is being committed, the next one gathers. Nothing is answered before the commit that holds it.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar, cast

from signing import LedgerError, UnavailableError

ItemT = TypeVar("ItemT")
AnswerT = TypeVar("AnswerT")
_UNKNOWN: Final = "what was handed in may or may not be stored; to hand it in again is safe, and tells"


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of an item of which nothing was written, while the rest of its batch was committed."""

    error: Exception


@dataclass(frozen=True, slots=True)
class _FailedWithOthers:
    """The outcome of an item that shares ``error`` with others of its batch."""

    error: BaseException

    def own_error(self) -> LedgerError:
        """One for each who asks, since a traceback belongs to one thread."""
        if isinstance(self.error, LedgerError):
            own: LedgerError = type(self.error)(self.error.code, str(self.error))
        else:
            own = UnavailableError("log.unknown-outcome", f"the commit was not confirmed: {_UNKNOWN}")
        own.__cause__ = self.error
        return own


class OneToBlameError(Exception):
    """Nothing of a batch was written, because of ``__cause__``, which may lie in one item: each is to be run alone."""


CommitBatch = Callable[[Sequence[ItemT]], Sequence[AnswerT | Failed]]
"""Commits a batch, then returns the outcome of each item, in order.

Raises OneToBlameError, or a LedgerError: nothing was written, for a reason that holds for all. Any other exception
means that the outcome is unknown.
"""


class _Batch(Generic[ItemT, AnswerT]):
    """Items that will be committed together, and then what became of each."""

    __slots__ = ("items", "outcomes", "settled", "weight")

    def __init__(self) -> None:
        self.items: list[ItemT] = []
        self.weight = 0
        self.outcomes: Sequence[AnswerT | Failed | _FailedWithOthers] = ()
        self.settled = threading.Lock()  # held until there are outcomes
        self.settled.acquire()

    def settle(self, outcomes: Sequence[AnswerT | Failed | _FailedWithOthers]) -> None:
        """Wake those who wait; called once."""
        self.outcomes = outcomes
        self.settled.release()


class Pending(Generic[ItemT, AnswerT]):
    """An item that was taken and not answered yet."""

    __slots__ = ("_batch", "_place")

    def __init__(self, batch: _Batch[ItemT, AnswerT]) -> None:
        """Of the item that comes next into ``batch``."""
        self._batch = batch
        self._place = len(batch.items)

    def result(self, timeout: float | None = None) -> AnswerT:
        """The answer, once the item is durable; waits at most ``timeout`` seconds.

        Raises what refused the item or its whole batch, or UnavailableError ``log.unknown-outcome``: the commit failed
        in a way that leaves open whether it happened, or there was no answer in time.
        """
        settled = self._batch.settled
        if not settled.acquire(timeout=-1 if timeout is None else timeout):
            raise UnavailableError("log.unknown-outcome", f"no answer in time: {_UNKNOWN}")
        settled.release()  # each wakes the next, which is cheaper than one thread that wakes them all
        outcome = self._batch.outcomes[self._place]
        if isinstance(outcome, Failed):
            raise outcome.error
        if isinstance(outcome, _FailedWithOthers):
            raise outcome.own_error()
        return outcome


class GroupCommit(Generic[ItemT, AnswerT]):
    """One thread that commits what any number of threads hand in.

    Make it after a fork, in each process: a child has no such thread, and is refused. Several processes may each have
    their own: the database orders them. Items that were taken and not answered when the process dies may or may not
    be stored.
    """

    def __init__(
        self,
        commit: CommitBatch[ItemT, AnswerT],
        *,
        weight: Callable[[ItemT], int],
        max_queue: int = 4096,
        max_weight: int = 64 << 20,
        max_batch: int = 1024,
        linger: float = 0.002,
        name: str = "group-commit",
    ) -> None:
        """At most ``max_queue`` items wait, of ``max_weight`` in all unless one alone has more; a batch has at most
        ``max_batch``.

        A batch waits up to ``linger`` seconds for as many items as the last one had, so that callers who come back
        after their answer share the next commit; a caller who is alone never waits. ``name`` is the thread's.
        """
        self._commit = commit
        self._weight = weight
        self._max_queue, self._max_weight, self._max_batch = max_queue, max_weight, max_batch
        self._linger = linger
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # told at the first item, and at the last one waited for
        self._queue: deque[_Batch[ItemT, AnswerT]] = deque()  # all but the last are full
        self._queued = self._queued_weight = 0
        self._expected = 1
        self._closing = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: ItemT) -> Pending[ItemT, AnswerT]:
        """Take one item for the next batch.

        Raises UnavailableError ``log.busy`` (try again after a second) if the queue is full or is being closed: then
        the item was not taken.
        """
        if os.getpid() != self._process:
            raise UnavailableError("log.busy", "nothing is taken in a forked process: make a group there")
        weight = self._weight(item)
        with self._lock:
            self.check_room(weight)
            if not self._queue or len(self._queue[-1].items) == self._max_batch:
                self._queue.append(_Batch())
            batch = self._queue[-1]
            pending = Pending(batch)
            batch.items.append(item)
            batch.weight += weight
            self._queued += 1
            self._queued_weight += weight
            if self._queued in (1, self._expected):
                self._changed.notify()
        return pending

    def check_room(self, weight: int = 0) -> None:
        """Return if an item of that weight would be taken now; raises as ``submit`` does."""
        if self._closing:
            raise UnavailableError("log.busy", "nothing more is taken here: the log is being closed")
        overweight = self._queued and self._queued_weight + weight > self._max_weight
        if self._queued >= self._max_queue or overweight:
            raise UnavailableError("log.busy", "too many wait for the log; try again in a second")

    def close(self) -> None:
        """Take no more items, answer all that were taken, end the thread. Again is harmless."""
        if os.getpid() == self._process:
            with self._lock:
                self._closing = True
                self._changed.notify()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while batch := self._take():
                self._settle(batch)
        finally:  # whatever ended the thread: nobody waits for ever
            with self._lock:
                self._closing = True
            late = _FailedWithOthers(UnavailableError("log.busy", "the log was closed before the turn of this came"))
            for batch in self._queue:
                batch.settle([late] * len(batch.items))

    def _take(self) -> _Batch[ItemT, AnswerT] | None:
        """The next batch; None when there will be none."""
        with self._lock:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._changed.wait_for(lambda: self._queued >= self._expected or self._closing, self._linger)
            if not self._queue:
                return None
            batch = self._queue.popleft()
            self._queued -= len(batch.items)
            self._queued_weight -= batch.weight
            self._expected = len(batch.items)
            return batch

    def _settle(self, batch: _Batch[ItemT, AnswerT]) -> None:
        try:
            batch.settle(self._outcomes(batch.items))
        except BaseException as ended:  # and with it the thread
            batch.settle([_FailedWithOthers(ended)] * len(batch.items))
            raise

    def _outcomes(self, items: Sequence[ItemT]) -> Sequence[AnswerT | Failed | _FailedWithOthers]:
        try:
            outcomes = self._commit(items)
            if len(outcomes) != len(items):
                raise ValueError(f"{len(outcomes)} outcomes of {len(items)} items")
        except OneToBlameError as refused:
            if len(items) == 1:
                return [Failed(cast(Exception, refused.__cause__))]
            return [outcome for item in items for outcome in self._outcomes([item])]
        except Exception as error:
            return [_FailedWithOthers(error)] * len(items)
        return outcomes
