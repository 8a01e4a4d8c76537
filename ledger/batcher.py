"""Group commit of single entries: many threads append, each batch of their entries in one short transaction.

    batcher = Batcher(append_committed)          # (entries) -> Appended, after its commit
    answer = batcher.append(entry)               # in any thread; returns when the entry is durable
    batcher.close()                              # answers what was taken, takes no more

How batches are made and answered is ``GroupCommit``'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from ledger.appended import Appended
from ledger.checkpoint import Checkpoint
from ledger.group_commit import GroupCommit, OneToBlameError, Pending
from ledger.hashing import LeafHash
from ledger.tiles import check_entry
from signing import MalformedError

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


PendingEntry = Pending[bytes, Answer]
"""An entry that was taken; ``result()`` is its answer."""


class Batcher:
    """Appends what any number of threads hand in; see ``GroupCommit``."""

    def __init__(
        self,
        append: AppendBatch,
        *,
        max_queue: int = 4096,
        max_queue_bytes: int = 64 << 20,
        max_batch: int = 1024,
        linger: float = 0.002,
    ) -> None:
        """At most ``max_queue`` entries and about ``max_queue_bytes`` wait; a batch has at most ``max_batch``."""

        def commit(entries: Sequence[bytes]) -> list[Answer]:
            try:
                appended = append(entries)
            except MalformedError as error:  # about one of them, such as an entry above this log's own limit
                raise OneToBlameError from error
            placed = zip(appended.indices, appended.leaves, appended.duplicates, strict=True)
            return [Answer(*place, appended.checkpoint, appended.checkpoint_note) for place in placed]

        self._group = GroupCommit[bytes, Answer](
            commit, weight=len, max_queue=max_queue, max_weight=max_queue_bytes, max_batch=max_batch, linger=linger
        )

    def append(self, entry: bytes, *, timeout: float | None = None) -> Answer:
        """``submit`` and wait; raises as both do."""
        return self.submit(entry).result(timeout)

    def submit(self, entry: bytes) -> PendingEntry:
        """Take one entry for the next batch.

        Raises MalformedError ``form.entry-size``, and UnavailableError ``log.busy`` (try again after a second) if the
        queue is full or the batcher is closing: then the entry was not taken.
        """
        check_entry(entry)
        return self._group.submit(entry)

    def close(self) -> None:
        """Take no more entries, answer all that were taken, end the thread. Again is harmless."""
        self._group.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
