"""Re-derive the full tiles of a log level by level, as its leaves come. Only ``ledger.fsck`` uses this."""

from collections.abc import Iterator

from ledger.fsck_rows import Finding, RawRows
from ledger.hashing import HASH_SIZE
from ledger.tiles import TILE_HEIGHT, TILE_WIDTH
from ledger.tree import full_root


class TileCheck:
    """Takes hashes from left to right and compares each tile that becomes full with its row.

    Holds at most 256 hashes for each level.
    """

    def __init__(self, rows: RawRows) -> None:
        self._rows = rows
        self._levels: list[list[bytes]] = [[]]
        self._full = [0]

    def add_leaf(self, leaf: bytes) -> Iterator[Finding]:
        """Add a hash of level 0; yields what is wrong with the tiles that this makes full."""
        return self._add(0, leaf)

    def add_subtree(self, level: int, root: bytes) -> Iterator[Finding]:
        """Add a hash of ``level`` at a place where no tile below is begun; those under it were compared already."""
        while len(self._levels) <= level:
            self._levels.append([])
            self._full.append(0)
        for below in range(level):
            self._full[below] += 1 << TILE_HEIGHT * (level - 1 - below)
        return self._add(level, root)

    def _add(self, level: int, carried: bytes) -> Iterator[Finding]:
        while True:
            row = self._levels[level]
            row.append(carried)
            if len(row) < TILE_WIDTH:
                return
            carried = full_root(row)
            yield from self._compare(level, self._full[level], b"".join(row), carried)
            row.clear()
            self._full[level] += 1
            level += 1
            if level == len(self._levels):
                self._levels.append([])
                self._full.append(0)

    def stored_leaf(self, index: int) -> bytes | None:
        """The leaf hash that the stored tile gives for an entry, if the tile is there and of the right length."""
        row = self._rows.tile(0, index // TILE_WIDTH)
        hashes = row[0] if row else None
        if not isinstance(hashes, bytes) or len(hashes) != TILE_WIDTH * HASH_SIZE:
            return None
        return _hash(hashes, index % TILE_WIDTH)

    def _compare(self, level: int, index: int, hashes: bytes, root: bytes) -> Iterator[Finding]:
        where = f"log_tiles level={level} tile_index={index}"
        row = self._rows.tile(level, index)
        if row is None:
            yield Finding("fsck.tile", where, "the row of this full tile is missing")
            return
        if row[0] != hashes:
            yield Finding("fsck.tile", where, f"column hashes: {_difference(row[0], hashes)}")
        if row[1] != root:
            yield Finding("fsck.tile", where, "column root: not the hash over the tile")


def _hash(hashes: bytes, number: int) -> bytes:
    return hashes[number * HASH_SIZE : (number + 1) * HASH_SIZE]


def _difference(stored: object, hashes: bytes) -> str:
    if not isinstance(stored, bytes) or len(stored) != len(hashes):
        return f"not {TILE_WIDTH} hashes"
    first = next(number for number in range(TILE_WIDTH) if _hash(stored, number) != _hash(hashes, number))
    return f"hash {first} is not that of the level below"
