"""The table behind the status lists, in SQL."""

from collections.abc import Iterator

from sqlalchemy import Connection, select, update

from materials.claims import StatusRef
from materials.ids import RandomBytes
from materials.registry.records import StatusEntry
from materials.status import LIST_ENTRIES, StatusValue
from materials.store.insert import insert_unless_taken
from materials.store.tables import material_status_entry
from signing import RefusedError, UnavailableError, VerificationError

_TRIES = 64
_rows = material_status_entry.c


class SqlStatusStore:
    """``StatusStore`` on one connection.

    ``entries`` is the size of each list (a power of two). A place is kept by the primary key.
    """

    def __init__(self, conn: Connection, *, entries: int = LIST_ENTRIES) -> None:
        self._conn = conn
        self._entries = entries

    def draw(self, uri: str, random_bytes: RandomBytes) -> StatusRef:
        """See ``StatusStore.draw``."""
        for _ in range(_TRIES):
            idx = int.from_bytes(random_bytes(4), "big") % self._entries
            taken = select(_rows.idx).where(_rows.uri == uri, _rows.idx == idx)
            if self._conn.execute(taken).one_or_none() is None:
                return StatusRef(uri, idx)
        raise UnavailableError("status.full", "no free place was found in the status list")

    def take(self, ref: StatusRef, subject: str) -> bool:
        """See ``StatusStore.take``."""
        row = {"uri": ref.uri, "idx": ref.idx, "subject": subject, "status": int(StatusValue.VALID)}
        if insert_unless_taken(self._conn, material_status_entry, row):
            return True
        if self.find(ref.uri, subject) is not None:
            raise RefusedError("status.allocated", "the subject has a place in this status list already")
        return False

    def find(self, uri: str, subject: str) -> StatusEntry | None:
        """See ``StatusStore.find``."""
        query = select(_rows.idx, _rows.status).where(_rows.uri == uri, _rows.subject == subject)
        row = self._conn.execute(query).one_or_none()
        return None if row is None else StatusEntry(StatusRef(uri, row.idx), subject, read_status_value(row.status))

    def set_status(self, ref: StatusRef, status: StatusValue) -> None:
        """See ``StatusStore.set_status``. The rule that INVALID is final stands in the UPDATE itself."""
        query = update(material_status_entry).where(_rows.uri == ref.uri, _rows.idx == ref.idx)
        if status is not StatusValue.INVALID:
            query = query.where(_rows.status != int(StatusValue.INVALID))
        if self._conn.execute(query.values(status=int(status))).rowcount != 1:
            raise RefusedError("status.final", "the place is not allocated, or its status INVALID is final")

    def changed_entries(self, uri: str) -> Iterator[StatusEntry]:
        """See ``StatusStore.changed_entries``."""
        query = select(_rows.idx, _rows.subject, _rows.status).where(
            _rows.uri == uri, _rows.status != int(StatusValue.VALID)
        )
        for row in self._conn.execute(query.order_by(_rows.idx)):
            yield StatusEntry(StatusRef(uri, row.idx), row.subject, read_status_value(row.status))


def read_status_value(value: object) -> StatusValue:
    """The status in a column; VerificationError ``store.unreadable`` for what no writer of ours put there."""
    for known in StatusValue:
        if value == known:
            return known
    raise VerificationError("store.unreadable", "material_status_entry: a place without a known status")
