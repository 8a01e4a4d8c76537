"""What fsck reads: rows as the driver gives them, of whatever type, in bounded pages. Only fsck uses this."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NULLTYPE

from ledger.hashing import HASH_SIZE, MAX_SIZE
from ledger.tables import checkpoints, entries, heads, leaves, tiles
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH

_PAGE: Final = TILE_WIDTH
_SEGMENTS: Final = 16
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
        """Size, frontier, and the terms with their digest."""
        found = self._fetch(heads, select(*map(raw, heads.c)))
        return found[0] if found else None

    def entries_from(self, start: int) -> list[Row]:
        """A page of entries of the rows that begin at ``start`` or later: see ``split_row``."""
        if start > MAX_SIZE:
            return []
        column = entries.c.entry_index
        query = select(raw(column), raw(entries.c.leaf_hashes), raw(entries.c.entries)).where(column >= start)
        rows = self._fetch(entries, query.order_by(column).limit(_SEGMENTS))
        return [entry for row in rows for entry in split_row(*row)]

    def indices_of(self, wanted: Sequence[bytes]) -> dict[Any, Any]:
        """{leaf hash: index}, looked up through the index that drops duplicates."""
        query = select(raw(leaves.c.leaf_hash), raw(leaves.c.entry_index))
        found: dict[Any, Any] = {}
        for at in range(0, len(wanted), _PAGE):
            found.update(map(tuple, self._fetch(leaves, query.where(leaves.c.leaf_hash.in_(wanted[at : at + _PAGE])))))
        return found

    def leaf_count(self) -> int:
        """Rows of that index."""
        return int(self._fetch(leaves, select(func.count()).select_from(leaves))[0][0])

    def tile(self, level: int, index: int) -> Row | None:
        """Hashes and root of a full tile."""
        key = and_(tiles.c.level == level, tiles.c.tile_index == index)
        found = self._fetch(tiles, select(raw(tiles.c.hashes), raw(tiles.c.root)).where(key))
        return found[0] if found else None

    def checkpoints(self, passed: int = 0) -> Iterator[Row]:
        """Size and note of each checkpoint, by size, rising; without those of sizes 1 to ``passed``."""
        column = checkpoints.c.size
        query = select(raw(column), raw(checkpoints.c.note)).order_by(column).limit(_PAGE)
        if passed:
            query = query.where(or_(column.is_(None), column <= 0, column > passed))
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

    def last_row(self) -> object:
        """Where the last row of entries begins; None if there is none."""
        return self._fetch(entries, select(func.max(raw(entries.c.entry_index))))[0][0]

    def entries_before_first(self) -> list[Row]:
        """Indices below 0; only the first few."""
        column = entries.c.entry_index
        return self._fetch(entries, select(raw(column)).where(column < 0).limit(_STRAYS_NAMED))

    def _fetch(self, table: Table, query: Select[Any]) -> list[Row]:
        return fetch(self._connection, table, query.where(_is_of(table, [self._origin])))


def _is_of(table: Table, origins: Sequence[str]) -> ColumnElement[bool]:
    """Rows of these logs; never null."""
    if "origin" in table.c:
        return and_(table.c.origin.in_(origins), table.c.origin.is_not(None))
    return table.c.log.in_(select(heads.c.log).where(heads.c.origin.in_(origins), heads.c.log.is_not(None)))


def split_row(start: object, hashes: Any, data: object) -> list[Row]:
    """Key of the row, index, entry and leaf hash of each entry in a row of log_entries; None for what can't be read."""
    if not isinstance(start, int):
        return [(start, start, None, None)]
    stored = (
        [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)] if isinstance(hashes, bytes) else []
    )
    found: list[bytes | None] = []
    at = 0
    while isinstance(data, bytes) and at < len(data) and len(found) < TILE_WIDTH:
        end = at + 2 + int.from_bytes(data[at : at + 2])
        found.append(data[at + 2 : end] if end <= len(data) else None)
        at = end
    pairs = list(zip_longest(found, stored)) or [(None, None)]
    return [(start, index, entry, leaf) for index, (entry, leaf) in enumerate(pairs, start)]


def fetch(connection: Connection, table: Table, query: Select[Any]) -> list[Row]:
    """All rows of a query that is known to have few; raises UnreadableError."""
    try:
        return [tuple(row) for row in connection.execute(query)]
    except SQLAlchemyError:
        raise UnreadableError(table.name) from None


def strays(connection: Connection, origins: Sequence[str]) -> Iterator[Finding]:
    """Rows of logs that were not asked for: a damaged origin, or a log nobody watches; a few of each table."""
    for table in (heads, entries, leaves, tiles, checkpoints):
        key = [column for column in table.primary_key if column.name not in ("origin", "leaf_hash")]
        columns = [raw(column) for column in key] or [raw(table.c.size)]
        foreign = func.coalesce(_is_of(table, origins), false()).is_(false())
        for row in fetch(connection, table, select(*columns).where(foreign).limit(_STRAYS_NAMED)):
            named = " ".join(f"{column.name}={_shown(value)}" for column, value in zip(columns, row, strict=True))
            yield Finding("fsck.stray", f"{table.name} {named}", "the row is of a log whose key was not given")


def _shown(value: object) -> str:
    """A key in a message: numbers as they are, anything else only by its type."""
    return str(value) if isinstance(value, int) else f"<{type(value).__name__}>"
