"""Time stamps in SQL."""

from collections.abc import Iterator

from sqlalchemy import Connection, Row, select, tuple_

from materials.registry.records import KeptTimestamp
from materials.store.insert import insert_unless_taken
from materials.store.tables import timestamp

_PAGE = 500
_rows = timestamp.c


class SqlTimestampStore:
    """``TimestampStore`` on one connection. Of two racing writers of one service's token the first one's stays."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, stamp: KeptTimestamp) -> bool:
        """See ``TimestampStore.add``."""
        row = {
            "digest": stamp.digest,
            "service": stamp.service,
            "over": stamp.over,
            "gen_time": stamp.gen_time,
            "token": stamp.token,
        }
        return insert_unless_taken(self._conn, timestamp, row)

    def of(self, digest: bytes) -> tuple[KeptTimestamp, ...]:
        """See ``TimestampStore.of``."""
        query = select(timestamp).where(_rows.digest == digest).order_by(_rows.gen_time, _rows.service)
        return tuple(_read(row) for row in self._conn.execute(query))

    def all(self) -> Iterator[KeptTimestamp]:
        """See ``TimestampStore.all``; a page at a time."""
        following = select(timestamp).order_by(_rows.digest, _rows.service).limit(_PAGE)
        page = self._conn.execute(following).all()
        while page:
            yield from map(_read, page)
            after = tuple_(_rows.digest, _rows.service) > (page[-1].digest, page[-1].service)
            page = self._conn.execute(following.where(after)).all()


def _read(row: Row[*tuple[object, ...]]) -> KeptTimestamp:
    return KeptTimestamp(row.digest, row.service, row.over, row.gen_time, row.token)
