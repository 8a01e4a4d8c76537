"""Read a log that is stored in SQL: entries, checkpoints, proofs, receipts, tiles."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, select

from ledger.checkpoint import read_checkpoint
from ledger.hashing import HASH_SIZE, MAX_SIZE, LeafHash, leaf_hash
from ledger.proving import prove_consistency, prove_inclusion
from ledger.receipt import Receipt, verify_receipt_inclusion
from ledger.tables import checkpoints, entries, heads, tiles
from ledger.tiles import TILE_WIDTH, Tile, TileNodes, encode_bundle
from signing import MalformedError, UnavailableError


class LogReader:
    """One log, by its origin, on one connection; the transaction is the caller's.

    All that it returns is under a signed checkpoint and never changes, except ``size`` and ``checkpoint``, which grow.
    What may be missing is returned as None; a range that can't be raises MalformedError (``form.range``); a log that
    is not in the database raises UnavailableError (``log.unknown``). Database errors are SQLAlchemy's.
    """

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self.origin = origin

    def size(self) -> int:
        """Number of entries, all of them under the latest checkpoint."""
        size = self._connection.scalar(select(heads.c.size).where(heads.c.origin == self.origin))
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
        """The signed checkpoint of exactly ``size`` entries, if one was ever signed."""
        if not 0 <= size <= MAX_SIZE:
            return None
        at_size = (checkpoints.c.origin == self.origin) & (checkpoints.c.size == size)
        return self._connection.scalar(select(checkpoints.c.note).where(at_size))

    def published_sizes(self, after: int, up_to: int) -> Iterator[int]:
        """Sizes in (after, up to] at which a checkpoint was signed, rising."""
        column = checkpoints.c.size
        query = select(column).where(checkpoints.c.origin == self.origin, column > after, column <= up_to)
        return iter(self._connection.scalars(query.order_by(column).execution_options(yield_per=1000)))

    def entry(self, index: int) -> bytes | None:
        """The entry at ``index``."""
        if not 0 <= index <= MAX_SIZE:
            return None
        at_index = (entries.c.origin == self.origin) & (entries.c.entry_index == index)
        return self._connection.scalar(select(entries.c.entry).where(at_index))

    def index_of(self, leaf: LeafHash) -> int | None:
        """Where the entry with this leaf hash is."""
        of_leaf = (entries.c.origin == self.origin) & (entries.c.leaf_hash == leaf)
        return self._connection.scalar(select(entries.c.entry_index).where(of_leaf))

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

    def tile(self, tile: Tile) -> bytes | None:
        """The bytes of a tile, full or partial, or None if the log has not got that far."""
        if isinstance(tile.level, str):
            return self._bundle(tile.index, tile.width)
        return self._hash_tile(tile.level, tile.index, tile.width)

    def _nodes(self, size: int) -> TileNodes:
        if size > self.size():
            raise MalformedError("form.range", "proof: the log is smaller than that")
        return TileNodes(size, self.tile)

    def _bundle(self, index: int, width: int) -> bytes | None:
        rows = self._in_tile(index, width)
        found = list(self._connection.scalars(select(entries.c.entry).where(rows).order_by(entries.c.entry_index)))
        return encode_bundle(found) if len(found) == width else None

    def _hash_tile(self, level: int, index: int, width: int) -> bytes | None:
        full = (tiles.c.origin == self.origin) & (tiles.c.level == level) & (tiles.c.tile_index == index)
        stored = self._connection.scalar(select(tiles.c.hashes).where(full))
        if stored is not None:
            return bytes(stored[: width * HASH_SIZE])
        if level == 0:
            query = select(entries.c.leaf_hash).where(self._in_tile(index, width)).order_by(entries.c.entry_index)
        else:
            below = tiles.c.tile_index
            query = select(tiles.c.root).where(
                tiles.c.origin == self.origin,
                tiles.c.level == level - 1,
                below.between(index * TILE_WIDTH, index * TILE_WIDTH + width - 1),
            )
            query = query.order_by(below)
        hashes = list(self._connection.scalars(query))
        return b"".join(hashes) if len(hashes) == width else None

    def _in_tile(self, index: int, width: int) -> ColumnElement[bool]:
        start = index * TILE_WIDTH
        return (entries.c.origin == self.origin) & entries.c.entry_index.between(start, start + width - 1)
