"""Reads the tables of grants and usage records from end to end, for the check of everything."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from materials.grants.links import LinkId
from materials.grants.ports import StoredLink, StoredUsage, UsageHead
from materials.ids import EntityId
from materials.store.grant_tables import grant_link, usage_answer, usage_head, usage_record
from materials.store.grants import read_link

_PAGE = 500


class SqlGrantScan:
    """``GrantScan`` on one connection, best one with a snapshot (``ledger.database.reading``)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def links(self) -> Iterator[StoredLink]:
        """See ``GrantScan.links``."""
        rows = grant_link.c
        for row in self._rows(select(grant_link).order_by(rows.depth, rows.iss, rows.jti)):
            yield read_link(row)

    def answers(self) -> Iterator[tuple[LinkId, int]]:
        """See ``GrantScan.answers``."""
        rows = usage_answer.c
        for row in self._rows(select(usage_answer).order_by(rows.leaf_iss, rows.leaf_jti)):
            yield LinkId(row.leaf_iss, row.leaf_jti), row.usage_seq

    def usages(self) -> Iterator[StoredUsage]:
        """See ``GrantScan.usages``."""
        rows = usage_record.c
        for row in self._rows(select(usage_record).order_by(rows.home, rows.subject, rows.seq)):
            yield StoredUsage(row.home, row.subject, row.seq, row.text)

    def heads(self) -> Iterator[tuple[EntityId, EntityId, UsageHead]]:
        """See ``GrantScan.heads``."""
        rows = usage_head.c
        for row in self._rows(select(usage_head).order_by(rows.home, rows.subject)):
            yield row.home, row.subject, UsageHead(row.next_seq, row.last_hash)

    def _rows(self, query: Select[*tuple[object, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
        """Rows of ``query``, a page in memory at a time."""
        result = self._conn.execute(query, execution_options={"yield_per": _PAGE})
        try:
            yield from result
        finally:  # also if a row can't be read
            result.close()
