"""How entries lie in rows: runs of consecutive entries of one tile, in the bytes of a bundle (C2SP tlog-tiles).

An append writes few large rows instead of one for each entry, and a bundle is its rows put together. Rows are written
once, so where one ends depends on the appends alone and means nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.hashing import HASH_SIZE, LeafHash
from ledger.tiles import TILE_WIDTH, decode_bundle
from signing import MalformedError, VerificationError

SEGMENT_MAX_BYTES: Final = 64 * 1024
"""Of entries in a row of more than one: a single entry must not cost reading a whole bundle."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A row: ``start`` is the index of its first entry, ``leaf_hashes`` 32 bytes and ``entries`` length and bytes of
    each.
    """

    start: int
    leaf_hashes: bytes = field(repr=False)
    entries: bytes = field(repr=False)

    @property
    def end(self) -> int:
        """Index after its last entry, by the number of its leaf hashes."""
        return self.start + len(self.leaf_hashes) // HASH_SIZE

    def decode(self) -> list[bytes]:
        """The entries, one for each leaf hash, all of one tile; raises VerificationError (``log.damaged``)."""
        try:
            count, rest = divmod(len(self.leaf_hashes), HASH_SIZE)
            if not rest and 0 < count <= TILE_WIDTH - self.start % TILE_WIDTH:
                return decode_bundle(self.entries, width=count)
        except (MalformedError, TypeError):  # SQLite may hold a value of any type in any column
            pass
        raise VerificationError("log.damaged", f"log_entries entry_index={self.start}: can't be read; run fsck")


def cut_segments(start: int, rows: Sequence[tuple[bytes, LeafHash]]) -> Iterator[Segment]:
    """The rows for (entry, leaf hash) pairs from index ``start`` on."""
    first = 0
    while first < len(rows):
        most = min(len(rows), first + TILE_WIDTH - (start + first) % TILE_WIDTH)
        parts: list[bytes] = []
        room, end = SEGMENT_MAX_BYTES, first
        while end < most and (end == first or len(rows[end][0]) + 2 <= room):
            entry = rows[end][0]
            parts += (len(entry).to_bytes(2), entry)
            room -= len(entry) + 2
            end += 1
        yield Segment(start + first, b"".join([leaf for _, leaf in rows[first:end]]), b"".join(parts))
        first = end
