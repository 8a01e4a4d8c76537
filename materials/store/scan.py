"""Reads whole tables for the check of everything (``materials.registry.fsck``), a page at a time, in a fixed order."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, select

from materials.claims import StatusRef
from materials.ids import MaterialId
from materials.registry.records import EventRecord, MaterialRecord, MaterialState, PublishedList, StatusEntry
from materials.store.events import read_event
from materials.store.materials import read_record, select_records
from materials.store.status import read_status_value
from materials.store.tables import material_event, material_registration, material_status_entry, material_status_list

_PAGE = 500


class SqlMaterialScan:
    """``MaterialScan`` on one connection, best one with a snapshot (``ledger.database.reading``)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def records(self) -> Iterator[MaterialRecord]:
        """See ``MaterialScan.records``."""
        rows = material_registration.c
        complete = rows.state != MaterialState.CLAIMED
        for row in self._rows(select_records(), rows.jti, complete):
            yield read_record(row)

    def unfinished(self) -> Iterator[MaterialId]:
        """See ``MaterialScan.unfinished``."""
        rows = material_registration.c
        for row in self._rows(select(material_registration), rows.jti, rows.state == MaterialState.CLAIMED):
            yield row.jti

    def entries(self, uri: str) -> Iterator[StatusEntry]:
        """See ``MaterialScan.entries``."""
        rows = material_status_entry.c
        for row in self._rows(select(material_status_entry), rows.idx, rows.uri == uri):
            yield StatusEntry(StatusRef(uri, row.idx), row.subject, read_status_value(row.status))

    def lists(self, uri: str) -> Iterator[PublishedList]:
        """See ``MaterialScan.lists``."""
        rows = material_status_list.c
        for row in self._rows(select(material_status_list), rows.seq, rows.uri == uri):
            yield PublishedList(row.uri, row.seq, row.iat, row.exp, row.token)

    def uris(self) -> Iterator[tuple[str, str]]:
        """Table and URI of every status list that has rows."""
        for table in (material_status_entry, material_status_list):
            for uri in self._conn.scalars(select(table.c.uri).distinct().order_by(table.c.uri)):
                yield table.name, uri

    def events(self) -> Iterator[EventRecord]:
        """See ``MaterialScan.events``."""
        rows = material_event.c
        for row in self._rows(select(material_event), rows.event_jti):
            yield read_event(row)

    def _rows(
        self, query: Select[*tuple[object, ...]], key: Column[Any], *conditions: ColumnElement[bool]
    ) -> Iterator[Row[*tuple[Any, ...]]]:
        """Rows of ``query`` in order of the key, page by page."""
        following = query.where(*conditions).order_by(key).limit(_PAGE)
        page = self._conn.execute(following).all()
        while page:
            yield from page
            page = self._conn.execute(following.where(key > page[-1]._mapping[key])).all()
