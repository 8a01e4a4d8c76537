"""Write the rows of an append, each once, and read them back. Only ``ledger.store`` uses this, within its savepoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, insert

from ledger.bulk import find_entries, insert_entries, read_entries
from ledger.hashing import LeafHash, leaf_hash
from ledger.reading import LogReader
from ledger.tables import tiles
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, split_hashes
from ledger.tree import full_root
from signing import VerificationError


def damaged(message: str) -> VerificationError:
    """The error for stored bytes that contradict each other: nothing may be signed on top of them."""
    return VerificationError("log.damaged", f"{message}; nothing was signed, run fsck")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each entry of a batch is or will be; ``fresh`` are those not yet in the log with their leaf hashes, in
    order, each once.
    """

    indices: tuple[int, ...]
    duplicates: tuple[bool, ...]
    fresh: tuple[tuple[bytes, LeafHash], ...]


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
        fresh: list[tuple[bytes, LeafHash]] = []
        for leaf, entry in zip(leaves, batch, strict=True):
            index = known.get(leaf)
            duplicates.append(index is not None)
            if index is None:
                index = known[leaf] = size + len(fresh)
                fresh.append((entry, leaf))
            indices.append(index)
        return Placement(tuple(indices), tuple(duplicates), tuple(fresh))

    def _stored(self, wanted: Mapping[LeafHash, bytes]) -> dict[LeafHash, int]:
        """Indices of entries that are in the log, each read again and compared with what was handed in."""
        found: dict[LeafHash, int] = {}
        for leaf, index, entry in find_entries(self._connection, self._origin, list(wanted)):
            if entry != wanted[LeafHash(leaf)]:
                raise damaged(f"log_entries entry_index={index}: the stored entry is not that of its leaf hash")
            found[LeafHash(leaf)] = index
        return found

    def insert_entries(self, start: int, fresh: Sequence[tuple[bytes, LeafHash]]) -> None:
        """Write ``fresh`` entries from index ``start`` on."""
        insert_entries(self._connection, self._origin, start, fresh)

    def insert_full_tiles(
        self, old_size: int, new_size: int, leaves: Sequence[LeafHash], completed: Mapping[tuple[int, int], bytes]
    ) -> None:
        """Write each tile that became full; its root must be the tree's own.

        ``leaves`` are those of [start of the first of these tiles, new size) as ``reread_leaves`` gave them; hashes of
        higher levels are read from the rows below.
        """
        reader = LogReader(self._connection, self._origin)
        height = TILE_HEIGHT
        while (first := old_size >> height) < (end := new_size >> height):
            level = height // TILE_HEIGHT - 1
            rows = []
            for index in range(first, end):
                if level == 0:
                    at = (index - first) * TILE_WIDTH
                    hashes = b"".join(leaves[at : at + TILE_WIDTH])
                else:
                    hashes = reader.tile(Tile(level, index)) or b""
                if not hashes or (root := full_root(split_hashes(hashes))) != completed[height, index]:
                    raise damaged(f"log_tiles level={level} tile_index={index}: the rows below it do not give its root")
                rows.append(
                    {"origin": self._origin, "level": level, "tile_index": index, "hashes": hashes, "root": root}
                )
            self._connection.execute(insert(tiles), rows)
            height += TILE_HEIGHT

    def reread_leaves(self, old_size: int, new_size: int) -> list[LeafHash]:
        """Leaf hashes of [start, new size), recomputed from the entries as stored.

        ``start`` is the old size; or, if a tile became full, where that tile starts: all entries below it are read
        again, so each entry is proved good before it is frozen.
        """
        start = first_reread(old_size, new_size)
        leaves: list[LeafHash] = []
        pages = (
            read_entries(self._connection, self._origin, low, min(low + TILE_WIDTH, new_size))
            for low in range(start, new_size, TILE_WIDTH)
        )
        for index, entry, stored in chain.from_iterable(pages):
            leaf = leaf_hash(entry)
            if index != start + len(leaves) or leaf != stored:
                raise damaged(f"log_entries entry_index={index}: reads back otherwise than it was written")
            leaves.append(leaf)
        return leaves


def first_reread(old_size: int, new_size: int) -> int:
    """Where the entries begin that an append reads back before it signs."""
    return old_size - old_size % TILE_WIDTH if old_size // TILE_WIDTH < new_size // TILE_WIDTH else old_size
