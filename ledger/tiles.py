"""Tiles: the read path of a log (C2SP tlog-tiles v0.1.0).

A tile of level L holds up to 256 hashes, each over 256^L leaves; an entry bundle holds the up to 256 entries below a
tile of level 0, each as uint16 length ‖ bytes. Only right-edge tiles are partial, and their width is part of the name.

    tile/0/x001/x234/067          full: 256 hashes, 8192 bytes
    tile/1/000.p/17               partial: 17 hashes
    tile/entries/273.p/112        112 entries
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ledger.hashing import HASH_SIZE, MAX_SIZE
from ledger.tree import joined_root
from signing import MalformedError, VerificationError

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
"""A full tile is a subtree of 2^8 hashes."""
ENTRY_MAX_BYTES: Final = 65_535
_LEVELS: Final = 64
_PATH_MAX_CHARS: Final = 64
_PATH: Final = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)

Level = int | Literal["entries"]


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: ``level`` 0 to 63 or "entries", ``index`` from the left, ``width`` of 1 to 256 hashes or entries."""

    level: Level
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if isinstance(self.level, int) and not 0 <= self.level < _LEVELS:
            raise MalformedError("form.tile", "tile: the level is not 0 to 63")
        if not 0 <= self.index <= MAX_SIZE // TILE_WIDTH or not 1 <= self.width <= TILE_WIDTH:
            raise MalformedError("form.tile", "tile: the index or the width is out of range")


def tile_path(tile: Tile) -> str:
    """The one path of a tile, relative to the log's prefix."""
    groups = [f"{tile.index % 1000:03}"]
    rest = tile.index // 1000
    while rest:
        groups.append(f"x{rest % 1000:03}")
        rest //= 1000
    partial = "" if tile.width == TILE_WIDTH else f".p/{tile.width}"
    return f"tile/{tile.level}/{'/'.join(reversed(groups))}{partial}"


def parse_tile_path(path: str) -> Tile:
    """Read a path; any other spelling than that of ``tile_path`` raises MalformedError (``form.tile``)."""
    match = _PATH.fullmatch(path) if len(path) <= _PATH_MAX_CHARS else None
    if match is None:
        raise MalformedError("form.tile", "tile path: not of the form tile/<level>/<index>[.p/<width>]")
    level, index, width = match.groups()
    tile = Tile(
        "entries" if level == "entries" else int(level),
        int(index.replace("x", "").replace("/", "")),
        TILE_WIDTH if width is None else int(width),
    )
    if tile_path(tile) != path:
        raise MalformedError("form.tile", "tile path: not the canonical spelling")
    return tile


def tile_width(level: int, index: int, size: int) -> int:
    """How wide that tile is in a tree of ``size`` leaves: 0 (not there) to 256."""
    hashes = size >> (TILE_HEIGHT * level)
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def right_edge(size: int) -> Iterator[Tile]:
    """The partial hash tiles of a tree of ``size`` leaves, lowest level first."""
    level = 0
    while hashes := size >> (TILE_HEIGHT * level):
        if width := hashes % TILE_WIDTH:
            yield Tile(level, hashes // TILE_WIDTH, width)
        level += 1


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a hash tile; raises MalformedError unless it is 1 to 256 hashes long."""
    if len(data) % HASH_SIZE or not 0 < len(data) <= TILE_WIDTH * HASH_SIZE:
        raise MalformedError("form.tile", f"hash tile: not 1 to {TILE_WIDTH} hashes of {HASH_SIZE} bytes")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def check_entry(entry: bytes, limit: int = ENTRY_MAX_BYTES) -> None:
    """Raise MalformedError (``form.entry-size``) if ``entry`` is longer than a log allows, or any bundle can hold."""
    if len(entry) > limit:
        raise MalformedError("form.entry-size", f"log entry: larger than {limit} bytes")


def check_entries(entries: Sequence[bytes], limit: int = ENTRY_MAX_BYTES) -> None:
    """``check_entry`` for each of many."""
    if max(map(len, entries), default=0) > limit:
        raise MalformedError("form.entry-size", f"log entries: one is larger than {limit} bytes")


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bundle of 1 to 256 entries; raises MalformedError for another number or too long an entry."""
    if not 0 < len(entries) <= TILE_WIDTH:
        raise MalformedError("form.bundle", f"entry bundle: holds 1 to {TILE_WIDTH} entries")
    for entry in entries:
        check_entry(entry)
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(data: bytes, *, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle; raises MalformedError (``form.bundle``) if it holds more, fewer or a part."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2])
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != width:
        raise MalformedError("form.bundle", "entry bundle: does not hold exactly the entries of its width")
    return entries


class TileNodes:
    """A ``NodeReader`` over tiles, for the tree of one size; reads each tile once and keeps it.

    ``read_tile`` returns the bytes of a hash tile. A tile of a wrong length raises VerificationError (``log.tile``).
    """

    def __init__(self, size: int, read_tile: Callable[[Tile], bytes | None]) -> None:
        self._size = size
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def node(self, height: int, index: int) -> bytes:
        """Hash over the 2^height leaves from index · 2^height on (C2SP tlog-tiles: always within one tile)."""
        if (index + 1) << height > self._size:
            raise MalformedError("form.range", "node: not a full subtree of this tree")
        level, inner = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(index << inner, TILE_WIDTH)
        return joined_root(self._hashes(level, tile)[offset * HASH_SIZE : (offset + (1 << inner)) * HASH_SIZE])

    def _hashes(self, level: int, index: int) -> bytes:
        if (level, index) not in self._tiles:
            tile = Tile(level, index, tile_width(level, index, self._size))
            data = self._read_tile(tile)
            if data is None or len(data) != tile.width * HASH_SIZE:
                raise VerificationError("log.tile", f"{tile_path(tile)}: is missing or of a wrong length")
            self._tiles[level, index] = data
        return self._tiles[level, index]
