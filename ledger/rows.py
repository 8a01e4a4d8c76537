"""Write the rows of an append, each once, and read them back. Only ``ledger.store`` uses this, within its savepoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from ledger.bulk import find_leaves, insert_leaves, insert_segments, read_segments
from ledger.hashing import LeafHash, leaf_hashes
from ledger.heads import damaged
from ledger.reading import LogReader
from ledger.segments import cut_segments
from ledger.statements import Statement
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, split_hashes
from ledger.tree import full_root

_INSERT_TILE: Final = Statement(
    "INSERT INTO log_tiles (origin, level, tile_index, hashes, root) VALUES (?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each entry of a batch is or will be, whether it was there already, and its leaf hash; ``fresh`` are those
    not yet in the log with their leaf hashes, in order, each once.
    """

    indices: tuple[int, ...]
    duplicates: tuple[bool, ...]
    leaves: tuple[LeafHash, ...]
    fresh: tuple[tuple[bytes, LeafHash], ...]


class LogRows:
    """The rows of one log, by origin and number, on one connection, which holds the lock of its head row."""

    def __init__(self, connection: Connection, origin: str, log: int) -> None:
        self._connection = connection
        self._origin = origin
        self._log = log

    def place(self, batch: Sequence[bytes], size: int, undo: Callable[[], None]) -> Placement:
        """Give each entry of ``batch`` its index, the first one's for a duplicate, within the batch as well; write
        where those not yet in the log will be.

        The index by leaf hash is asked by writing to it, as if all were new. If any is there, ``undo`` takes that back.
        """
        leaves = leaf_hashes(batch)
        placed = _place(batch, leaves, size, {})
        if placed.fresh and not self._insert_leaves(placed, size):
            undo()
            placed = _place(batch, leaves, size, self._stored(batch, leaves))
            if placed.fresh and not self._insert_leaves(placed, size):
                raise damaged("log_leaves: a leaf hash is there and is not found")
        return placed

    def _insert_leaves(self, placed: Placement, size: int) -> bool:
        return insert_leaves(self._connection, self._log, size, [leaf for _, leaf in placed.fresh])

    def _stored(self, batch: Sequence[bytes], leaves: Sequence[LeafHash]) -> dict[LeafHash, int]:
        """Indices of entries that are in the log, each read again and compared with what was handed in."""
        found = sorted((index, at) for at, index in find_leaves(self._connection, self._log, leaves))
        tile, stored = -1, dict[int, bytes]()
        for index, at in found:
            if index // TILE_WIDTH != tile:
                tile = index // TILE_WIDTH
                stored = self._entries_of_tile(tile)
            if stored.get(index) != batch[at]:
                raise damaged(f"log_entries entry_index={index}: the stored entry is not that of its leaf hash")
        return {leaves[at]: index for index, at in found}

    def _entries_of_tile(self, tile: int) -> dict[int, bytes]:
        start = tile * TILE_WIDTH
        segments = read_segments(self._connection, self._log, start, start + TILE_WIDTH)
        return {at: entry for row in segments for at, entry in enumerate(row.decode(), row.start)}

    def insert_entries(self, start: int, fresh: Sequence[tuple[bytes, LeafHash]]) -> None:
        """Write ``fresh`` entries from index ``start`` on."""
        insert_segments(self._connection, self._log, list(cut_segments(start, fresh)))

    def insert_full_tiles(
        self, old_size: int, new_size: int, leaves: Sequence[LeafHash], completed: Mapping[tuple[int, int], bytes]
    ) -> None:
        """Write each tile that became full; its root must be the tree's own.

        ``leaves`` are those of [start of the first of these tiles, new size) as ``reread_leaves`` gave them; hashes of
        higher levels are read from the rows below. Tiles that hold new leaves only gave the tree its node themselves.
        """
        reader = LogReader(self._connection, self._origin)
        height = TILE_HEIGHT
        while (first := old_size >> height) < (end := new_size >> height):
            level = height // TILE_HEIGHT - 1
            rows = []
            for index in range(first, end):
                root = completed[height, index]
                if level == 0:
                    at = (index - first) * TILE_WIDTH
                    hashes = b"".join(leaves[at : at + TILE_WIDTH])
                else:
                    hashes = reader.tile(Tile(level, index)) or b""
                if (level > 0 or index == first) and (not hashes or full_root(split_hashes(hashes)) != root):
                    raise damaged(f"log_tiles level={level} tile_index={index}: the rows below it do not give its root")
                rows.append((self._origin, level, index, hashes, root))
            _INSERT_TILE.run_each(self._connection, rows)
            height += TILE_HEIGHT

    def reread_leaves(self, old_size: int, new_size: int) -> list[LeafHash]:
        """Leaf hashes of [start, new size), recomputed from the entries as stored.

        ``start`` is the old size; or, if a tile became full, where that tile starts: all entries below it are read
        again, so each entry is proved good before it is frozen.
        """
        start = first_reread(old_size, new_size)
        leaves: list[LeafHash] = []
        for row in read_segments(self._connection, self._log, start, new_size):
            found = leaf_hashes(row.decode())
            if row.start != start + len(leaves) or b"".join(found) != row.leaf_hashes:
                raise damaged(f"log_entries entry_index={row.start}: reads back otherwise than it was written")
            leaves += found
        return leaves


def _place(batch: Sequence[bytes], leaves: Sequence[LeafHash], size: int, known: dict[LeafHash, int]) -> Placement:
    """Indices of a batch in a log of ``size`` entries, which has those in ``known``."""
    indices: list[int] = []
    duplicates: list[bool] = []
    fresh: list[tuple[bytes, LeafHash]] = []
    for leaf, entry in zip(leaves, batch, strict=True):
        index = known.get(leaf)
        duplicates.append(index is not None)
        if index is None:
            index = known[leaf] = size + len(fresh)
            fresh.append((entry, leaf))
        indices.append(index)
    return Placement(tuple(indices), tuple(duplicates), tuple(leaves), tuple(fresh))


def first_reread(old_size: int, new_size: int) -> int:
    """Where the entries begin that an append reads back before it signs."""
    return old_size - old_size % TILE_WIDTH if old_size // TILE_WIDTH < new_size // TILE_WIDTH else old_size
