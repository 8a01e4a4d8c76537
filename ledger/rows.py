"""Write the rows of an append, each once, and read them back. Only ``ledger.store`` uses this, within its savepoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from ledger.hashing import LeafHash, leaf_hash
from ledger.reading import LogReader
from ledger.tables import entries, tiles
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, split_hashes
from ledger.tree import full_root
from signing import VerificationError

_CHUNK = 500
"""Rows or parameters in one statement: far below the limits of both databases."""


def damaged(message: str) -> VerificationError:
    """The error for stored bytes that contradict each other: nothing may be signed on top of them."""
    return VerificationError("log.damaged", f"{message}; nothing was signed, run fsck")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each entry of a batch is or will be; ``fresh`` are those not yet in the log, in order, each once."""

    indices: tuple[int, ...]
    duplicates: tuple[bool, ...]
    fresh: tuple[bytes, ...]


class LogRows:
    """The rows of one log on one connection, which holds the lock of its head row."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def place(self, batch: Sequence[bytes], size: int) -> Placement:
        """Give each entry of ``batch`` its index: the first one's for a duplicate, within the batch as well."""
        leaves = [leaf_hash(entry) for entry in batch]
        known = self._stored(dict(zip(leaves, batch, strict=True)))
        indices: list[int] = []
        duplicates: list[bool] = []
        fresh: list[bytes] = []
        for leaf, entry in zip(leaves, batch, strict=True):
            duplicates.append(leaf in known)
            if leaf not in known:
                known[leaf] = size + len(fresh)
                fresh.append(entry)
            indices.append(known[leaf])
        return Placement(tuple(indices), tuple(duplicates), tuple(fresh))

    def _stored(self, wanted: Mapping[LeafHash, bytes]) -> dict[LeafHash, int]:
        """Indices of entries that are in the log, each read again and compared with what was handed in."""
        found: dict[LeafHash, int] = {}
        leaves = list(wanted)
        for start in range(0, len(leaves), _CHUNK):
            some = entries.c.leaf_hash.in_(leaves[start : start + _CHUNK])
            query = select(entries.c.leaf_hash, entries.c.entry_index, entries.c.entry)
            for leaf, index, entry in self._connection.execute(query.where(entries.c.origin == self._origin, some)):
                if entry != wanted[LeafHash(leaf)]:
                    raise damaged(f"log_entries entry_index={index}: the stored entry is not that of its leaf hash")
                found[LeafHash(leaf)] = index
        return found

    def insert_entries(self, start: int, fresh: Sequence[bytes]) -> None:
        """Write ``fresh`` entries from index ``start`` on."""
        rows = [
            {"origin": self._origin, "entry_index": index, "entry": entry, "leaf_hash": leaf_hash(entry)}
            for index, entry in enumerate(fresh, start)
        ]
        self._connection.execute(insert(entries), rows)

    def insert_full_tiles(self, old_size: int, new_size: int, completed: Mapping[tuple[int, int], bytes]) -> None:
        """Write each tile that became full, from the rows below it as stored; its root must be the tree's own."""
        reader = LogReader(self._connection, self._origin)
        height = TILE_HEIGHT
        while (first := old_size >> height) < (end := new_size >> height):
            level = height // TILE_HEIGHT - 1
            rows = []
            for index in range(first, end):
                hashes = reader.tile(Tile(level, index)) or b""
                if not hashes or (root := full_root(split_hashes(hashes))) != completed[height, index]:
                    raise damaged(f"log_tiles level={level} tile_index={index}: the rows below it do not give its root")
                rows.append(
                    {"origin": self._origin, "level": level, "tile_index": index, "hashes": hashes, "root": root}
                )
            self._connection.execute(insert(tiles), rows)
            height += TILE_HEIGHT

    def reread_leaves(self, old_size: int, new_size: int) -> list[LeafHash]:
        """Leaf hashes of [old size, new size), recomputed from the entries as stored.

        If a tile became full, all entries below it are read again, so each entry is proved good before it is frozen.
        """
        column = entries.c.entry_index
        start = old_size - old_size % TILE_WIDTH if old_size // TILE_WIDTH < new_size // TILE_WIDTH else old_size
        leaves: list[LeafHash] = []
        for low in range(start, new_size, TILE_WIDTH):
            query = select(column, entries.c.entry, entries.c.leaf_hash).order_by(column)
            page = column.between(low, min(low + TILE_WIDTH, new_size) - 1)
            for index, entry, stored in self._connection.execute(query.where(entries.c.origin == self._origin, page)):
                leaf = leaf_hash(entry)
                if index != start + len(leaves) or leaf != stored:
                    raise damaged(f"log_entries entry_index={index}: reads back otherwise than it was written")
                leaves.append(leaf)
        return leaves[old_size - start :]
