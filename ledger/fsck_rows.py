"""What fsck reads: rows as the driver gives them, of whatever type, in bounded pages. Only fsck uses this."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, Table, and_, not_, or_, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NULLTYPE

from ledger.hashing import MAX_SIZE
from ledger.tables import checkpoints, entries, heads, tiles
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH

_PAGE: Final = TILE_WIDTH
_STRAYS_NAMED: Final = 16
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: stable ``code``, the row it is in (table and key), a sentence, and in which log."""

    code: str
    where: str
    message: str
    origin: str = ""


class UnreadableError(Exception):
    """The database failed to read a table; never leaves fsck."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


def raw(column: Column[Any]) -> Any:
    """The column without SQLAlchemy's conversions, which trust the type: a damaged SQLite row may hold any."""
    return type_coerce(column, NULLTYPE).label(column.name)


class RawRows:
    """Rows of one log. Every method raises UnreadableError if the database can't read them."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def head(self) -> Row | None:
        """Size and frontier."""
        found = self._fetch(heads, select(raw(heads.c.size), raw(heads.c.frontier)))
        return found[0] if found else None

    def entries_from(self, start: int) -> list[Row]:
        """Index, entry and leaf hash of stored rows from ``start`` on, up to the end of its tile's number of rows."""
        if start > MAX_SIZE:
            return []
        column = entries.c.entry_index
        query = select(raw(column), raw(entries.c.entry), raw(entries.c.leaf_hash)).where(column >= start)
        return self._fetch(entries, query.order_by(column).limit(_PAGE - start % _PAGE))

    def indices_of(self, leaves: Sequence[bytes]) -> dict[Any, Any]:
        """{leaf hash: index}, looked up through the index that drops duplicates."""
        query = select(raw(entries.c.leaf_hash), raw(entries.c.entry_index)).where(entries.c.leaf_hash.in_(leaves))
        return dict(self._fetch(entries, query))

    def tile(self, level: int, index: int) -> Row | None:
        """Hashes and root of a full tile."""
        key = and_(tiles.c.level == level, tiles.c.tile_index == index)
        found = self._fetch(tiles, select(raw(tiles.c.hashes), raw(tiles.c.root)).where(key))
        return found[0] if found else None

    def checkpoints(self) -> Iterator[Row]:
        """Size and note of each checkpoint, by size, rising."""
        column = checkpoints.c.size
        query = select(raw(column), raw(checkpoints.c.note)).order_by(column).limit(_PAGE)
        page = self._fetch(checkpoints, query)
        while page:
            yield from page
            last = page[-1][0]
            page = self._fetch(checkpoints, query.where(column > last)) if isinstance(last, int) else []

    def surplus_tiles(self, size: int) -> list[Row]:
        """Level and index of rows that no tree of ``size`` has; only the first few."""
        level, index = tiles.c.level, tiles.c.tile_index
        expected = [
            and_(level == height - 1, index >= 0, index < size >> (TILE_HEIGHT * height))
            for height in range(1, 9)
            if size >> (TILE_HEIGHT * height)
        ]
        query = select(raw(level), raw(index)).limit(_STRAYS_NAMED)
        return self._fetch(tiles, query.where(not_(or_(*expected))) if expected else query)

    def entries_before_first(self) -> list[Row]:
        """Indices below 0; only the first few."""
        column = entries.c.entry_index
        return self._fetch(entries, select(raw(column)).where(column < 0).limit(_STRAYS_NAMED))

    def _fetch(self, table: Table, query: Select[Any]) -> list[Row]:
        return fetch(self._connection, table, query.where(table.c.origin == self._origin))


def fetch(connection: Connection, table: Table, query: Select[Any]) -> list[Row]:
    """All rows of a query that is known to have few; raises UnreadableError."""
    try:
        return [tuple(row) for row in connection.execute(query)]
    except SQLAlchemyError:
        raise UnreadableError(table.name) from None


def strays(connection: Connection, origins: Sequence[str]) -> Iterator[Finding]:
    """Rows of logs that were not asked for: a damaged origin, or a log nobody watches; a few of each table."""
    for table in (heads, entries, tiles, checkpoints):
        key = [column for column in table.primary_key if column.name != "origin"]
        columns = [raw(column) for column in key] or [raw(table.c.size)]
        foreign = or_(table.c.origin.not_in(origins), table.c.origin.is_(None))
        for row in fetch(connection, table, select(*columns).where(foreign).limit(_STRAYS_NAMED)):
            named = " ".join(f"{column.name}={_shown(value)}" for column, value in zip(columns, row, strict=True))
            yield Finding("fsck.stray", f"{table.name} {named}", "the row is of a log whose key was not given")


def _shown(value: object) -> str:
    """A key in a message: numbers as they are, anything else only by its type."""
    return str(value) if isinstance(value, int) else f"<{type(value).__name__}>"
