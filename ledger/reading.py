"""Read a log that is stored in SQL: entries, checkpoints, proofs, receipts, tiles."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from sqlalchemy import Connection, select

from ledger.checkpoint import read_checkpoint
from ledger.hashing import HASH_SIZE, MAX_SIZE, LeafHash, leaf_hash
from ledger.proving import prove_consistency, prove_inclusion
from ledger.receipt import Receipt, verify_receipt_inclusion
from ledger.segments import Segment
from ledger.statements import Statement
from ledger.tables import checkpoints
from ledger.tile_cache import TileCache
from ledger.tiles import TILE_WIDTH, Tile, TileNodes, encode_bundle
from signing import MalformedError, UnavailableError

_SIZE: Final = Statement("SELECT size FROM log_heads WHERE origin = ?")
_CHECKPOINT: Final = Statement("SELECT note FROM log_checkpoints WHERE origin = ? AND size = ?")
_COSIGNATURES: Final = Statement("SELECT line FROM log_cosignatures WHERE origin = ? AND size = ? ORDER BY time, vkey")
_ROWS: Final = Statement(
    "SELECT entry_index, leaf_hashes, entries FROM log_entries"
    " WHERE log = (SELECT log FROM log_heads WHERE origin = ?) AND entry_index BETWEEN ? AND ? ORDER BY entry_index",
    large=True,
)
_LAST_ROW: Final = Statement(
    "SELECT entry_index, leaf_hashes, entries FROM log_entries WHERE log = (SELECT log FROM log_heads WHERE origin = ?)"
    " AND entry_index BETWEEN ? AND ? ORDER BY entry_index DESC LIMIT 1",
    large=True,
)
_LEAVES: Final = Statement(
    "SELECT leaf_hashes FROM log_entries"
    " WHERE log = (SELECT log FROM log_heads WHERE origin = ?) AND entry_index BETWEEN ? AND ? ORDER BY entry_index"
)
_INDEX: Final = Statement(
    "SELECT entry_index FROM log_leaves WHERE log = (SELECT log FROM log_heads WHERE origin = ?) AND leaf_hash = ?"
)
_TILE: Final = Statement("SELECT hashes FROM log_tiles WHERE origin = ? AND level = ? AND tile_index = ?")
_ROOTS: Final = Statement(
    "SELECT root FROM log_tiles WHERE origin = ? AND level = ? AND tile_index BETWEEN ? AND ? ORDER BY tile_index"
)


class LogReader:
    """One log, by its origin, on one connection; the transaction is the caller's.

    All that it returns is under a signed checkpoint and never changes, except ``size`` and ``checkpoint``, which grow.
    What may be missing is returned as None; a range that can't be raises MalformedError (``form.range``); a log that
    is not in the database raises UnavailableError (``log.unknown``). Database errors are SQLAlchemy's.
    """

    def __init__(self, connection: Connection, origin: str, cache: TileCache | None = None) -> None:
        """With ``cache``, proofs keep the tiles they read; only for a connection of ``reading(engine)``."""
        self._connection = connection
        self._cache = cache
        self.origin = origin

    def size(self) -> int:
        """Number of entries, all of them under the latest checkpoint."""
        size = _SIZE.value(self._connection, self.origin)
        if size is None:
            raise UnavailableError("log.unknown", "this database holds no log of that origin")
        return int(size)

    def checkpoint(self) -> bytes:
        """The latest signed checkpoint."""
        note = self.checkpoint_at(self.size())
        if note is None:
            raise UnavailableError("log.unsigned", "the log has no checkpoint of its size; run fsck")
        return note

    def checkpoint_at(self, size: int) -> bytes | None:
        """The signed checkpoint of exactly ``size`` entries, if one was ever signed, with the witnesses' lines."""
        note = self.own_checkpoint_at(size)
        if note is None:
            return None
        lines = _COSIGNATURES.rows(self._connection, self.origin, size)
        return b"".join((note, *(line for (line,) in lines)))

    def own_checkpoint_at(self, size: int) -> bytes | None:
        """The same as the log signed it, without any other line; this one never changes."""
        if not 0 <= size <= MAX_SIZE:
            return None
        note: bytes | None = _CHECKPOINT.value(self._connection, self.origin, size)
        return note

    def published_sizes(self, after: int, up_to: int) -> Iterator[int]:
        """Sizes in (after, up to] at which a checkpoint was signed, rising."""
        column = checkpoints.c.size
        query = select(column).where(checkpoints.c.origin == self.origin, column > after, column <= up_to)
        return iter(self._connection.scalars(query.order_by(column).execution_options(yield_per=1000)))

    def entry(self, index: int) -> bytes | None:
        """The entry at ``index``."""
        if not 0 <= index <= MAX_SIZE:
            return None
        rows = self._segments(_LAST_ROW, index - index % TILE_WIDTH, index)
        return next((row.decode()[index - row.start] for row in rows if index < row.end), None)

    def index_of(self, leaf: LeafHash) -> int | None:
        """Where the entry with this leaf hash is."""
        index: int | None = _INDEX.value(self._connection, self.origin, leaf)
        return index

    def inclusion_proof(self, index: int, size: int) -> tuple[bytes, ...]:
        """Proof that the entry at ``index`` is in the tree of ``size`` entries."""
        return prove_inclusion(index, size, self._nodes(size))

    def consistency_proof(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """Proof that the tree of ``old_size`` entries is the beginning of that of ``new_size``; may be empty."""
        return prove_consistency(old_size, new_size, self._nodes(new_size))

    def receipt(self, index: int, size: int | None = None) -> Receipt:
        """Receipt of the entry at ``index`` under the checkpoint of ``size`` entries, by default the latest.

        The proof is checked against entry and checkpoint as stored before it is handed out: raises VerificationError
        (``proof.inclusion``) if the database is damaged there.
        """
        note = self.checkpoint() if size is None else self.checkpoint_at(size)
        if note is None:
            raise MalformedError("form.range", "receipt: no checkpoint of that size was ever signed")
        checkpoint = read_checkpoint(note)
        receipt = Receipt(index, self.inclusion_proof(index, checkpoint.size), note)
        verify_receipt_inclusion(receipt, leaf_hash(self.entry(index) or b""), checkpoint)
        return receipt

    def receipt_of(self, leaf: LeafHash, size: int | None = None) -> Receipt | None:
        """``receipt`` of the entry with this leaf hash (``leaf_hash(entry)``); None if the log has no such entry."""
        index = self.index_of(leaf)
        return None if index is None else self.receipt(index, size)

    def tile(self, tile: Tile) -> bytes | None:
        """The bytes of a tile, full or partial, or None if the log has not got that far."""
        if isinstance(tile.level, str):
            return self._bundle(tile.index, tile.width)
        return self._hash_tile(tile.level, tile.index, tile.width)

    def _nodes(self, size: int) -> TileNodes:
        if size > self.size():
            raise MalformedError("form.range", "proof: the log is smaller than that")
        if self._cache is None:
            return TileNodes(size, self.tile)
        return TileNodes(size, partial(self._cache.get, read_tile=self.tile))

    def _segments(self, statement: Statement, first: int, last: int) -> list[Segment]:
        """Rows of entries that begin in [first, last], by index."""
        return [Segment(*row) for row in statement.rows(self._connection, self.origin, first, last)]

    def _bundle(self, index: int, width: int) -> bytes | None:
        start = index * TILE_WIDTH
        rows = self._segments(_ROWS, start, start + width - 1)
        if not rows or rows[-1].end < start + width:
            return None
        found = [entry for row in rows for entry in row.decode()]
        return encode_bundle(found[:width])

    def _hash_tile(self, level: int, index: int, width: int) -> bytes | None:
        if width == TILE_WIDTH and (stored := _TILE.value(self._connection, self.origin, level, index)) is not None:
            return bytes(stored)
        first = index * TILE_WIDTH
        last = first + width - 1
        if level:
            found = _ROOTS.rows(self._connection, self.origin, level - 1, first, last)
        else:
            found = _LEAVES.rows(self._connection, self.origin, first, last)
        hashes = b"".join([row[0] for row in found])[: width * HASH_SIZE]  # a row of leaf hashes may go beyond
        return hashes if len(hashes) == width * HASH_SIZE else None
