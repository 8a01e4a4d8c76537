"""Check a span of a log, a whole subtree, as fast as its bytes can be hashed: all right, or not.

What is not right is for ``ledger.fsck`` to name: it looks at such a span entry by entry. Spans depend on nothing but
their own rows, which are written once, so they may be scanned in any order, by any process, while the log grows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.bulk import indices_of
from ledger.checkpoint import open_checkpoint
from ledger.fsck_rows import raw
from ledger.hashing import LeafHash, node_hashes
from ledger.tables import checkpoints, tiles
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH
from signing import LedgerError, NoteKey

_ROWS: Final = 64
_ENTRIES: Final = (
    "SELECT entry_index, leaf_hashes, entries FROM log_entries"
    " WHERE log = {0} AND entry_index >= {0} AND entry_index < {0} ORDER BY entry_index LIMIT {0}"
)


class _WrongError(Exception):
    """Something in the span is not right; never leaves ``scan_span``."""


@dataclass(frozen=True, slots=True)
class Span:
    """A subtree of 256^``levels`` entries from index ``start`` on, of the log with number ``log`` and key ``key``."""

    key: NoteKey
    log: int
    start: int
    levels: int

    @property
    def size(self) -> int:
        """How many entries it has."""
        return 1 << TILE_HEIGHT * self.levels


@dataclass(frozen=True, slots=True)
class Scanned:
    """That a span is right: its root, and of each checkpoint of a size in (start, start + size], whose signature is
    good: size, signed root, and the peaks of its tree that lie in the span, left to right.
    """

    root: bytes
    checkpoints: tuple[tuple[int, bytes, tuple[bytes, ...]], ...]


def scan_span(connection: Connection, span: Span) -> Scanned | None:
    """Check entries, leaf hashes, their index, the tiles within and the checkpoints' signatures; None if any is wrong
    or can't be read.
    """
    try:
        rows = _tree(_leaves(connection, span))
        _look_up(connection, span, rows[0])
        _check_tiles(connection, span, rows)
        return Scanned(rows[-1][0], tuple(_checkpoints(connection, span, rows)))
    except (_WrongError, LedgerError, SQLAlchemyError):
        return None


def _leaves(connection: Connection, span: Span) -> list[LeafHash]:
    """The leaf hashes of all entries, each compared with the stored one."""
    leaves: list[LeafHash] = []
    while len(leaves) < span.size:
        page = _entries(connection, span, span.start + len(leaves))
        _demand(bool(page))
        for start, hashes, data in page:
            found = _hash_row(data)
            next_index = span.start + len(leaves)
            _demand(start == next_index and type(start) is int and type(hashes) is bytes)
            _demand(0 < len(found) <= TILE_WIDTH - start % TILE_WIDTH and b"".join(found) == hashes)
            leaves += found
    return leaves


def _entries(connection: Connection, span: Span, start: int) -> list[Any]:
    """The next rows of log_entries, straight from the driver: psycopg then takes bytes as they are, not in hex."""
    dialect = connection.dialect
    mark, form = ("%s", {"binary": True}) if dialect.name == "postgresql" else ("?", {})
    cursor = connection.connection.cursor(**form)
    try:
        cursor.execute(_ENTRIES.format(mark), (span.log, start, span.start + span.size, _ROWS))
        return list(cursor.fetchall())
    except dialect.loaded_dbapi.Error as error:
        raise _WrongError from error
    finally:
        cursor.close()


def _hash_row(data: Any) -> list[LeafHash]:
    """The leaf hashes of a row's entries (uint16 length and bytes of each)."""
    _demand(type(data) is bytes)
    found: list[LeafHash] = []
    at, end, size = 0, 0, len(data)
    while at + 2 <= size:
        end = at + 2 + (data[at] << 8 | data[at + 1])
        found.append(LeafHash(sha256(b"\x00" + data[at + 2 : end]).digest()))
        at = end
    _demand(at == size)
    return found


def _look_up(connection: Connection, span: Span, leaves: Sequence[bytes]) -> None:
    """Each entry must be found by its leaf hash. Looked up in their order: neighbours lie on one page of the index."""
    order = sorted(range(len(leaves)), key=leaves.__getitem__)
    found = indices_of(connection, span.log, [LeafHash(leaves[number]) for number in order])
    _demand(found == ",".join([str(span.start + number) for number in order]))


def _tree(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """All rows of the tree, the leaves first, the root last."""
    rows = [leaves]
    while len(rows[-1]) > 1:
        rows.append(node_hashes(rows[-1]))
    return rows


def _check_tiles(connection: Connection, span: Span, rows: Sequence[Sequence[bytes]]) -> None:
    for level in range(span.levels):
        first = span.start >> TILE_HEIGHT * (level + 1)
        hashes, roots = rows[TILE_HEIGHT * level], rows[TILE_HEIGHT * (level + 1)]
        number = tiles.c.tile_index
        query = select(raw(number), raw(tiles.c.hashes), raw(tiles.c.root)).where(
            tiles.c.origin == span.key.name, tiles.c.level == level, number.between(first, first + len(roots) - 1)
        )
        stored = connection.execute(query.order_by(number)).all()
        _demand(len(stored) == len(roots))
        for at, row in enumerate(stored):
            expected = b"".join(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH])
            _demand(tuple(row) == (first + at, expected, roots[at]))


def _checkpoints(
    connection: Connection, span: Span, rows: Sequence[Sequence[bytes]]
) -> Iterator[tuple[int, bytes, tuple[bytes, ...]]]:
    column = checkpoints.c.size
    query = select(raw(column), raw(checkpoints.c.note)).where(
        checkpoints.c.origin == span.key.name, column > span.start, column <= span.start + span.size
    )
    for size, note in connection.execute(query.order_by(column)):
        _demand(type(size) is int and type(note) is bytes)
        checkpoint = open_checkpoint(note, span.key)
        _demand(checkpoint.size == size)
        inner = size - span.start
        heights = [height for height in range(inner.bit_length() - 1, -1, -1) if inner >> height & 1]
        yield size, checkpoint.root, tuple(rows[height][(inner >> height) - 1] for height in heights)


def _demand(holds: bool) -> None:
    if not holds:
        raise _WrongError
