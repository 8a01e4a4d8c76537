"""What witnesses signed of a log's checkpoints, in SQL, beside the log's own notes, which never change."""

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.tables import cosignatures
from ledger.witness_messages import CosignatureLine
from signing import NoteKey


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
