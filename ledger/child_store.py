"""Child ledgers in SQL: take a child's checkpoint into the parent's log, if it extends the one taken before."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from ledger.checkpoint import Checkpoint
from ledger.child import format_child_entry
from ledger.child_tables import children
from ledger.hashing import RootHash
from ledger.heads import lock_head
from ledger.witness import Conflict, SignedRequest, Suspicion, judge
from signing import MalformedError


@dataclass(frozen=True, slots=True)
class LoggedChild:
    """A child's checkpoint that is entry ``index`` of the parent's log; ``old_size`` is that of the one before."""

    checkpoint: Checkpoint
    old_size: int
    index: int = field(compare=False)


class SqlChildren:
    """The children of one log on one connection of ``open_engine``; it never commits."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def take(self, signed: SignedRequest, append: Callable[[bytes], int]) -> LoggedChild | Conflict | Suspicion:
        """Take the checkpoint of a request into the parent's log; the same again gives what is there.

        ``append`` puts an entry into that log, on the same connection, and gives its index.

        ``Conflict`` names the size that was taken last, from which the child has to prove; ``Suspicion`` is a
        checkpoint that the child signed and that does not extend the last one. Both wrote nothing.
        Raises MalformedError ``form.child-entry`` for an empty tree, and as ``append``.
        """
        head = signed.request.head
        if head.size == 0:
            raise MalformedError("form.child-entry", "an empty child ledger has nothing to be logged")
        with self._connection.begin_nested():
            lock_head(self._connection, self._origin)  # of two requests of one child, the second sees the first
            last = self.last(head.origin)
            if last is not None and (head.size, head.root) == (last.checkpoint.size, last.checkpoint.root):
                return last
            verdict = judge(signed.request, None if last is None else last.checkpoint)
            if verdict is not None:
                return verdict
            index = append(format_child_entry(signed.request, signed.note))
            taken = LoggedChild(head, signed.request.old_size, index)
            self._add(taken)
        return taken

    def last(self, child: str) -> LoggedChild | None:
        """The newest checkpoint of that child; None if there is none."""
        query = self._of(child).order_by(children.c.size.desc()).limit(1)
        return _logged(self._connection.execute(query).one_or_none())

    def covering(self, child: str, size: int) -> LoggedChild | None:
        """The smallest logged checkpoint of that child with at least ``size`` entries; None if there is none yet."""
        query = self._of(child).where(children.c.size >= size).order_by(children.c.size).limit(1)
        return _logged(self._connection.execute(query).one_or_none())

    def newest(self) -> Iterator[LoggedChild]:
        """The newest checkpoint of each child, by origin."""
        origins = select(children.c.child).where(children.c.origin == self._origin).distinct()
        for child in self._connection.scalars(origins.order_by(children.c.child)).all():
            if (last := self.last(child)) is not None:
                yield last

    def _of(self, child: str) -> Any:
        return select(children).where(children.c.origin == self._origin, children.c.child == child)

    def _add(self, taken: LoggedChild) -> None:
        row = {
            "origin": self._origin,
            "child": taken.checkpoint.origin,
            "size": taken.checkpoint.size,
            "old_size": taken.old_size,
            "root": taken.checkpoint.root,
            "entry_index": taken.index,
        }
        self._connection.execute(insert(children).values(row))


def _logged(row: Row[Any] | None) -> LoggedChild | None:
    if row is None:
        return None
    return LoggedChild(Checkpoint(row.child, row.size, RootHash(row.root)), row.old_size, row.entry_index)
