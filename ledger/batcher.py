"""Group commit: many threads append single entries, each batch of them in one short transaction.

    batcher = Batcher(append_committed)          # (entries) -> Appended, after its commit
    answer = batcher.append(entry)               # in any thread; returns when the entry is durable
    batcher.close()                              # answers what was taken, takes no more

While one batch is being committed, the next one gathers. Nothing is answered before the commit that holds it.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from ledger.appended import Appended
from ledger.checkpoint import Checkpoint
from ledger.hashing import LeafHash
from ledger.tiles import check_entry
from signing import LedgerError, MalformedError, UnavailableError

_UNKNOWN: Final = "the entry may or may not be in the log; to hand it in again is safe, and tells where it is"

AppendBatch = Callable[[Sequence[bytes]], Appended]
"""Appends in a transaction of its own and commits it before it returns.

A LedgerError means that nothing was written. Any other exception means that the outcome is unknown.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where an entry is: its index and leaf hash, whether it was there before, and a checkpoint that covers it."""

    index: int
    leaf: LeafHash
    duplicate: bool
    checkpoint: Checkpoint
    checkpoint_note: bytes = field(repr=False)


class Pending:
    """An entry that was taken and not answered yet."""

    __slots__ = ("_answer", "_answered", "_error", "entry")

    def __init__(self, entry: bytes) -> None:
        self.entry = entry
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._answered = threading.Lock()  # held until there is an answer; lighter than an Event
        self._answered.acquire()

    def result(self, timeout: float | None = None) -> Answer:
        """The answer, once the entry is durable; waits at most ``timeout`` seconds.

        Raises the LedgerError that the whole batch met, or UnavailableError ``log.unknown-outcome``: the commit failed
        in a way that leaves open whether it happened, or there was no answer in time.
        """
        if not self._answered.acquire(timeout=-1 if timeout is None else timeout):
            raise UnavailableError("log.unknown-outcome", f"no answer in time: {_UNKNOWN}")
        self._answered.release()
        if self._answer is not None:
            return self._answer
        if isinstance(self._error, LedgerError):
            raise type(self._error)(self._error.code, str(self._error)) from self._error
        raise UnavailableError("log.unknown-outcome", f"the commit was not confirmed: {_UNKNOWN}") from self._error

    def settle(self, answer: Answer | None, error: BaseException | None = None) -> None:
        """Wake the one who waits; called once."""
        self._answer, self._error = answer, error
        self._answered.release()


class Batcher:
    """One thread that appends what any number of threads hand in.

    Make it after a fork, in each process: a child has no such thread, and is refused. Several processes, each with its
    own, may append to one log: the database orders them. Entries that were taken and not answered when the process
    dies may or may not be in the log.
    """

    def __init__(
        self,
        append: AppendBatch,
        *,
        max_queue: int = 4096,
        max_queue_bytes: int = 64 << 20,
        max_batch: int = 1024,
        linger: float = 0.002,
    ) -> None:
        """At most ``max_queue`` entries and about ``max_queue_bytes`` wait; a batch has at most ``max_batch``.

        A batch waits up to ``linger`` seconds for as many entries as the last one had, so that callers who come back
        after their answer share the next commit; a caller who is alone never waits.
        """
        self._append_batch = append
        self._max_queue, self._max_queue_bytes, self._max_batch = max_queue, max_queue_bytes, max_batch
        self._linger = linger
        self._changed = threading.Condition()
        self._queue: deque[Pending] = deque()
        self._queued_bytes = 0
        self._expected = 1
        self._closing = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="log-batcher", daemon=True)
        self._thread.start()

    def append(self, entry: bytes, *, timeout: float | None = None) -> Answer:
        """``submit`` and wait; raises as both do."""
        return self.submit(entry).result(timeout)

    def submit(self, entry: bytes) -> Pending:
        """Take one entry for the next batch.

        Raises MalformedError ``form.entry-size``, and UnavailableError ``log.busy`` (try again after a second) if the
        queue is full or the batcher is closing: then the entry was not taken.
        """
        check_entry(entry)
        if os.getpid() != self._process:
            raise UnavailableError("log.busy", "the log takes no entries in a forked process: make a batcher there")
        pending = Pending(entry)
        with self._changed:
            if self._closing:
                raise UnavailableError("log.busy", "the log takes no more entries here: it is being closed")
            if len(self._queue) >= self._max_queue or self._queued_bytes + len(entry) > self._max_queue_bytes:
                raise UnavailableError("log.busy", "too many entries wait for the log; try again later")
            self._queue.append(pending)
            self._queued_bytes += len(entry)
            if len(self._queue) in (1, self._expected):
                self._changed.notify()
        return pending

    def close(self) -> None:
        """Take no more entries, answer all that were taken, end the thread. Again is harmless."""
        if os.getpid() == self._process:
            with self._changed:
                self._closing = True
                self._changed.notify()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        batch: list[Pending] = []
        try:
            while batch := self._take():
                self._settle(batch)
        finally:  # whatever ended the thread: nobody waits for ever
            with self._changed:
                self._closing = True
                left = list(self._queue)
                self._queue.clear()
            for pending in left:
                pending.settle(None, UnavailableError("log.busy", "the log was closed before the entry's turn came"))

    def _take(self) -> list[Pending]:
        """The next batch; empty when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            self._changed.wait_for(lambda: len(self._queue) >= self._expected or self._closing, self._linger)
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]
            self._queued_bytes -= sum(len(pending.entry) for pending in batch)
            self._expected = max(1, len(batch))
            return batch

    def _settle(self, batch: Sequence[Pending]) -> None:
        try:
            appended = self._append_batch([pending.entry for pending in batch])
        except MalformedError as error:
            if len(batch) > 1:  # it is about one of them, such as an entry above this log's own limit
                for pending in batch:
                    self._settle([pending])
            else:
                batch[0].settle(None, error)
        except BaseException as error:
            for pending in batch:
                pending.settle(None, error)
            if not isinstance(error, Exception):
                raise
        else:
            for pending, index, duplicate, leaf in zip(
                batch, appended.indices, appended.duplicates, appended.leaves, strict=True
            ):
                pending.settle(Answer(index, leaf, duplicate, appended.checkpoint, appended.checkpoint_note))
