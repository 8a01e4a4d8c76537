"""What parent ledgers handed out about this home's log, in SQL."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    LargeBinary,
    Table,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.types import NullType

from materials.store.metadata import metadata

parent_evidence: Final = Table(
    "parent_evidence",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False, comment="of the checkpoint in the parent's log"),
    Column("anchored", Boolean, nullable=False, comment="whether anchors came with it"),
    Column("evidence", LargeBinary, nullable=False, comment="ematerials/parent-evidence/v1, as it was checked"),
    comment="that checkpoints of this home's log are entries of its parent's",
)
_rows = parent_evidence.c


class SqlParentEvidence:
    """Evidence by the size of the checkpoint that it is about, on one connection; the caller commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, size: int, evidence: bytes, *, anchored: bool) -> None:
        """Keep evidence; it takes the place of what was kept for that size, unless only that was anchored."""
        kept = self._connection.execute(select(_rows.anchored).where(_rows.size == size)).one_or_none()
        values = {"size": size, "evidence": evidence, "anchored": anchored}
        if kept is None:
            self._connection.execute(insert(parent_evidence).values(values))
        elif anchored or not kept.anchored:
            self._connection.execute(update(parent_evidence).where(_rows.size == size).values(values))

    def covering(self, size: int) -> tuple[int, bytes] | None:
        """Size and evidence of the smallest anchored checkpoint of at least ``size``; of the smallest one without."""
        query = select(_rows.size, _rows.evidence).where(_rows.size >= size)
        row = self._connection.execute(query.order_by(_rows.anchored.desc(), _rows.size).limit(1)).one_or_none()
        return None if row is None else (row.size, row.evidence)

    def last_size(self, *, anchored: bool = False) -> int:
        """The largest checkpoint that the parent is known to hold (and to have anchored); 0 if there is none."""
        query = select(func.max(_rows.size))
        return self._connection.scalar(query.where(_rows.anchored) if anchored else query) or 0

    def waiting(self, limit: int) -> list[int]:
        """Sizes, newest first, that no anchor is there for, neither of their own nor of a larger one."""
        above = _rows.size > self.last_size(anchored=True)
        query = select(_rows.size).where(above).order_by(_rows.size.desc()).limit(limit)
        return list(self._connection.scalars(query))

    def is_anchored(self, size: int) -> object:
        """What stands in the column ``anchored``, of whatever type."""
        return self._connection.scalar(select(type_coerce(_rows.anchored, NullType())).where(_rows.size == size))

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Size and evidence of each, by size."""
        sizes = self._connection.scalars(select(_rows.size).order_by(_rows.size)).all()
        for size in sizes:
            yield size, self._connection.scalars(select(_rows.evidence).where(_rows.size == size)).one()
