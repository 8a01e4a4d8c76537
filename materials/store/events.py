"""Life-cycle events in SQL."""

from sqlalchemy import Connection, Row, select

from materials.ids import MaterialId
from materials.registry.records import EventRecord
from materials.store.insert import insert_unless_taken
from materials.store.tables import material_event
from signing import UnavailableError


class SqlEventStore:
    """``EventStore`` on one connection. Numbers within a material are unique: of two racing writers one starts over."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, event: EventRecord) -> None:
        """See ``EventStore.add``."""
        row = {
            "event_jti": event.event_jti,
            "jti": event.jti,
            "seq": event.seq,
            "kind": event.kind,
            "log_index": event.log_index,
            "jws": event.jws,
        }
        if not insert_unless_taken(self._conn, material_event, row):
            raise UnavailableError("event.conflict", "another event of this material was recorded just now")

    def of(self, jti: MaterialId) -> tuple[EventRecord, ...]:
        """See ``EventStore.of``."""
        query = select(material_event).where(material_event.c.jti == jti).order_by(material_event.c.seq)
        return tuple(read_event(row) for row in self._conn.execute(query))


def read_event(row: Row[*tuple[object, ...]]) -> EventRecord:
    """The event in one row of ``material_event``."""
    return EventRecord(row.event_jti, row.jti, row.seq, row.kind, row.log_index, row.jws)
