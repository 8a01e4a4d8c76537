"""Hash tiles of a served log, each proved by the signed root above it. Only ``ledger.audit`` uses this.

The partial tiles at the right edge together give the root; every full tile is one hash of the tile above it. So a
tile that is returned here is the one that the log signed, and one that is false is named.
"""

from collections.abc import Sequence
from typing import Final

from ledger.checkpoint import Checkpoint
from ledger.hashing import RootHash, leaf_hash
from ledger.log_source import AuditFinding, LogSource, read_tiles
from ledger.proving import tree_root
from ledger.tiles import TILE_WIDTH, Level, Tile, TileNodes, right_edge, tile_path, tile_width
from ledger.tree import full_root

_AT_ONCE: Final = 8

Parts = list[bytes]


class FalseTileError(Exception):
    """A tile that is missing or not the log's; never leaves the audit."""

    def __init__(self, finding: AuditFinding) -> None:
        super().__init__(finding.path)
        self.finding = finding


class ProvedTiles:
    """The hash tiles of the tree of a verified checkpoint.

    ``prove_edge`` comes first. Every method raises FalseTileError, for one tile always the same, and UnavailableError.
    Holds the right edge, the last tile read of each level, and what was read ahead.
    """

    def __init__(self, source: LogSource, head: Checkpoint) -> None:
        self._source = source
        self._head = head
        self._edge: dict[tuple[int, int], Parts] = {}
        self._last: dict[int, tuple[int, Parts]] = {}
        self._ahead: dict[Tile, Parts | AuditFinding] = {}
        self._false: dict[tuple[int, int], AuditFinding] = {}

    def prove_edge(self) -> None:
        """Read the partial tiles at the right edge and derive the signed root from them."""
        edge = list(right_edge(self._head.size))
        for tile, parts in zip(edge, read_tiles(self._source, edge), strict=True):
            if isinstance(parts, AuditFinding):
                raise FalseTileError(parts)
            self._edge[int(tile.level), tile.index] = parts
        if self.root_at(self._head.size) != self._head.root:
            raise FalseTileError(self._false_edge(edge))

    def root_at(self, size: int) -> RootHash:
        """Root of the first ``size`` entries, of this tree and no other."""
        return tree_root(size, TileNodes(self._head.size, self._bytes))

    def read_ahead(self, indices: Sequence[int]) -> list[Parts | AuditFinding]:
        """Read these tiles of level 0 and their bundles at once; returns the entries of each bundle."""
        hashes = [self._tile(0, index) for index in indices if (0, index) not in self._edge]
        bundles = [self._tile("entries", index) for index in indices]
        found = read_tiles(self._source, [*hashes, *bundles])
        self._ahead = dict(zip(hashes, found, strict=False))
        return found[len(hashes) :]

    def hashes(self, level: int, index: int) -> Parts:
        """The hashes of a tile."""
        if (level, index) in self._edge:
            return self._edge[level, index]
        if (level, index) in self._false:
            raise FalseTileError(self._false[level, index])
        last = self._last.get(level)
        if last is None or last[0] != index:
            last = self._last[level] = (index, self._prove(level, index))
        return last[1]

    def _prove(self, level: int, index: int) -> Parts:
        above = self.hashes(level + 1, index // TILE_WIDTH)[index % TILE_WIDTH]
        tile = self._tile(level, index)
        parts = self._ahead.pop(tile, None) or read_tiles(self._source, [tile])[0]
        if not isinstance(parts, AuditFinding):
            if full_root(parts) == above:
                return parts
            parts = AuditFinding("audit.tile", tile_path(tile), "does not hash to what the signed root has for it")
        self._false[level, index] = parts
        raise FalseTileError(parts)

    def _bytes(self, tile: Tile) -> bytes:
        return b"".join(self.hashes(int(tile.level), tile.index))

    def _tile(self, level: Level, index: int) -> Tile:
        return Tile(level, index, tile_width(0 if level == "entries" else level, index, self._head.size))

    def _false_edge(self, edge: Sequence[Tile]) -> AuditFinding:
        """Which tile of the edge is false: the lowest that is not what the files below it give."""
        for tile in edge:
            stored, derived = self._edge[int(tile.level), tile.index], self._derive(tile)
            for number, (one, other) in enumerate(zip(stored, derived, strict=True)):
                if one != other:
                    message = f"hash {number} is not that of what is below it, and the signed root is not reached"
                    return AuditFinding("audit.tile", tile_path(tile), message)
        return AuditFinding("audit.root", "checkpoint", "the signed root is not that of the tiles")

    def _derive(self, tile: Tile) -> Parts:
        """The hashes of a tile of the edge, from the bundle or the tiles below it."""
        if tile.level == 0:
            entries = read_tiles(self._source, [self._tile("entries", tile.index)])[0]
            if isinstance(entries, AuditFinding):
                raise FalseTileError(entries)
            return [leaf_hash(entry) for entry in entries]
        first = tile.index * TILE_WIDTH
        below = [Tile(int(tile.level) - 1, first + number) for number in range(tile.width)]
        derived: Parts = []
        for at in range(0, tile.width, _AT_ONCE):
            for parts in read_tiles(self._source, below[at : at + _AT_ONCE]):
                if isinstance(parts, AuditFinding):
                    raise FalseTileError(parts)
                derived.append(full_root(parts))
        return derived
