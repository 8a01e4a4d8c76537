"""What witnesses signed of a log's checkpoints, in SQL, beside the log's own notes, which never change."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.hashing import MAX_SIZE
from ledger.policy import Policy
from ledger.reading import LogReader
from ledger.tables import cosignatures
from ledger.witness_messages import CosignatureLine
from signing import NoteKey, VerificationError

SEARCHED: Final = 256
"""Checkpoints among which the newest accepted one is looked for: all that any witness signed, newest first."""

_ANY_SIZE: Final = range(MAX_SIZE + 1)


class SqlCosignatures:
    """The cosignatures of one log on one connection of ``open_engine``; it never commits.

    ``LogReader.checkpoint_at`` shows them. The first of each witness for a checkpoint stays.
    """

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def add(self, size: int, line: CosignatureLine) -> None:
        """Keep a verified line for the checkpoint of ``size`` entries; repeated, nothing changes."""
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        row = {
            "origin": self._origin,
            "size": size,
            "vkey": line.key.format(),
            "time": line.time,
            "line": line.line,
        }
        self._connection.execute(dialect.insert(cosignatures).values(row).on_conflict_do_nothing())

    def last_size(self, key: NoteKey) -> int:
        """The size of the largest checkpoint with a line of ``key``; 0 without any."""
        query = select(func.max(cosignatures.c.size)).where(
            cosignatures.c.origin == self._origin, cosignatures.c.vkey == key.format()
        )
        return self._connection.scalar(query) or 0

    def newest_accepted(
        self, policy: Policy, *, latest_time: int | None = None, sizes: range = _ANY_SIZE
    ) -> bytes | None:
        """The newest checkpoint of one of ``sizes`` that ``policy`` accepts, with all its lines; None if none of the
        last ``SEARCHED`` of these that any witness signed is accepted. A policy that asks for nothing accepts the
        latest, whatever its size. Raises as ``Policy.check`` for a line that can't be checked here, and
        UnavailableError as ``LogReader``.
        """
        log = LogReader(self._connection, self._origin)
        if policy.quorum is None:
            return policy.check(log.checkpoint(), latest_time=latest_time).note
        known = {witness.key.format(): witness.name for witness in policy.witnesses}
        for size, vkeys in self._signed(sizes):
            note = log.checkpoint_at(size)
            if note is None or policy.missing({known[vkey] for vkey in vkeys if vkey in known}) is not None:
                continue
            try:
                return policy.check(note, latest_time=latest_time).note
            except VerificationError:
                continue
        return None

    def _signed(self, within: range) -> Iterator[tuple[int, list[str]]]:
        """Sizes that witnesses signed, newest first, with the keys of each."""
        ours = cosignatures.c.origin == self._origin
        column = cosignatures.c.size
        bounds = column.between(within.start, within.stop - 1)
        sizes = select(column).where(ours, bounds).distinct().order_by(column.desc()).limit(SEARCHED).subquery()
        query = select(column, cosignatures.c.vkey).where(ours, column.in_(select(sizes.c.size)))
        rows = self._connection.execute(query.order_by(column.desc())).all()
        for size, group in groupby(rows, key=lambda row: row.size):
            yield size, [row.vkey for row in group]
