"""Published status lists in SQL, kept for ever."""

from sqlalchemy import Connection, Row, select

from materials.registry.records import PublishedList
from materials.store.insert import insert_unless_taken
from materials.store.tables import material_status_list
from signing import UnavailableError

_rows = material_status_list.c


class SqlStatusArchive:
    """``StatusArchive`` on one connection. Numbers of a list are unique: of two racing publishers one starts over."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def keep(self, published: PublishedList) -> None:
        """See ``StatusArchive.keep``."""
        row = {
            "uri": published.uri,
            "seq": published.seq,
            "iat": published.iat,
            "exp": published.exp,
            "token": published.token,
        }
        if not insert_unless_taken(self._conn, material_status_list, row):
            raise UnavailableError("status.conflict", "another process published this status list just now")

    def latest(self, uri: str) -> PublishedList | None:
        """See ``StatusArchive.latest``."""
        query = select(material_status_list).where(_rows.uri == uri).order_by(_rows.seq.desc()).limit(1)
        return _read(self._conn.execute(query).one_or_none())

    def at(self, uri: str, time: int) -> PublishedList | None:
        """See ``StatusArchive.at``."""
        query = select(material_status_list).where(_rows.uri == uri, _rows.iat <= time, _rows.exp > time)
        return _read(self._conn.execute(query.order_by(_rows.seq.desc()).limit(1)).one_or_none())


def _read(row: Row[*tuple[object, ...]] | None) -> PublishedList | None:
    return None if row is None else PublishedList(row.uri, row.seq, row.iat, row.exp, row.token)
