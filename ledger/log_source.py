"""The files of a log that somebody else serves: where they are read, and tiles of them with their right width.

Nothing here is trusted: a tile has its form, and that is all. ``ledger.audit_tiles`` says whether it is the log's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ledger.hashing import HASH_SIZE
from ledger.tiles import ENTRY_MAX_BYTES, TILE_WIDTH, Tile, decode_bundle, split_hashes, tile_path
from signing import MalformedError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the log: its path relative to the log's prefix, and how many bytes it may have at most."""

    path: str
    max_bytes: int


class LogSource(Protocol):
    """Where a log's files are read, over HTTP or from a folder.

    Several files are asked for at once, so that a source may fetch them side by side. What a file holds is for the
    caller to judge; a file larger than allowed is cut at ``max_bytes`` + 1 bytes, by which the caller knows. A source
    may try again itself; it keeps to a time limit, follows no redirect, and keeps nothing.
    """

    def read(self, wanted: Sequence[Wanted]) -> Sequence[bytes | None]:
        """The content of each file, in order; None for one that is not there.

        Raises UnavailableError if any of them could not be had: that says nothing about the log.
        """
        ...


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong with a log: stable ``code``, the path of the file, a sentence."""

    code: str
    path: str
    message: str

    @property
    def undetermined(self) -> bool:
        """Whether the file was only missing, which may be an outage; anything else is false."""
        return self.code == "audit.missing"


def read_tiles(source: LogSource, tiles: Sequence[Tile]) -> list[list[bytes] | AuditFinding]:
    """The hashes of each tile or the entries of each bundle, exactly as many as it is wide; or why there are none.

    A partial tile that is gone is cut from the full one (C2SP tlog-tiles). Raises UnavailableError.
    """
    found = list(source.read([_wanted(tile) for tile in tiles]))
    full = {
        at: replace(tile, width=TILE_WIDTH)
        for at, (tile, data) in enumerate(zip(tiles, found, strict=True))
        if data is None and tile.width < TILE_WIDTH
    }
    instead = dict(zip(full, source.read([_wanted(tile) for tile in full.values()]), strict=True)) if full else {}
    parts: list[list[bytes] | AuditFinding] = []
    for at, (tile, data) in enumerate(zip(tiles, found, strict=True)):
        if at not in full:
            parts.append(_split(tile, data))
        else:
            whole = _split(full[at], instead[at])
            parts.append(whole if isinstance(whole, AuditFinding) else whole[: tile.width])
    return parts


def _wanted(tile: Tile) -> Wanted:
    each = 2 + ENTRY_MAX_BYTES if tile.level == "entries" else HASH_SIZE
    return Wanted(tile_path(tile), tile.width * each)


def _split(tile: Tile, data: bytes | None) -> list[bytes] | AuditFinding:
    path = tile_path(tile)
    if data is None:
        return AuditFinding("audit.missing", path, "is not there")
    try:
        parts = decode_bundle(data, width=tile.width) if tile.level == "entries" else split_hashes(data)
    except MalformedError as error:
        return AuditFinding("audit.tile", path, str(error))
    if len(parts) != tile.width:
        return AuditFinding("audit.tile", path, f"holds {len(parts)} hashes, not {tile.width}")
    return parts
