"""The growing tree: its frontier, from which a root is computed and to which leaves are added.

A tree of any size is a row of full subtrees, one for each set bit of the size, largest first. Their top hashes (the
*peaks*) are all that is needed to add leaves and to compute the root (RFC 9162 §2.1.1): a lone right subtree is
carried up, never doubled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.hashing import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, LeafHash, RootHash, node_hash, node_hashes
from signing import MalformedError

_BLOCK: Final = 256
_REMEMBERED: Final = 32


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Top hash over 1, 2, 4, … hashes of equal height; raises MalformedError for another count."""
    if len(hashes).bit_count() != 1:
        raise MalformedError("form.range", "a full subtree has a power of two of hashes")
    row = hashes
    while len(row) > 1:
        row = node_hashes(row)
    return row[0]


@lru_cache(maxsize=256)
def joined_root(hashes: bytes) -> bytes:
    """``full_root`` of hashes put together, 32 bytes each.

    Remembered by all of its bytes, at most 2 MiB: the left part of a tile at the right edge comes again and again.
    """
    half, rest = divmod(len(hashes), 2 * HASH_SIZE)
    if half >= _REMEMBERED and not rest:
        left, right = hashes[: half * HASH_SIZE], hashes[half * HASH_SIZE :]
        return node_hash(joined_root(left), joined_root(right))
    return full_root([hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)])


def join_peaks(peaks: Sequence[bytes]) -> bytes:
    """Top hash over full subtrees of falling height, given left to right; at least one."""
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


@dataclass(frozen=True, slots=True)
class Growth:
    """What adding leaves gave: the new frontier, and inner nodes completed on the way, {(height, index): hash}.

    Among them are all whose height is a multiple of 8: the hashes over full tiles.
    """

    frontier: "Frontier"
    completed: dict[tuple[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Size of a tree and the peaks of its full subtrees, left to right. ``Frontier()`` is the empty tree."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read peaks that ``to_bytes`` wrote; raises MalformedError (``form.frontier``) if their number is wrong."""
        if not 0 <= size <= MAX_SIZE or len(data) != size.bit_count() * HASH_SIZE:
            raise MalformedError("form.frontier", "frontier: not one hash for each set bit of the size")
        return cls(size, tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)))

    def to_bytes(self) -> bytes:
        """The peaks, 32 bytes each, left to right."""
        return b"".join(self.peaks)

    def root(self) -> RootHash:
        """Root of the tree."""
        return RootHash(join_peaks(self.peaks)) if self.peaks else EMPTY_ROOT

    def extend(self, leaves: Sequence[LeafHash]) -> Growth:
        """Add leaves at the right: blocks of 256 as one where they fit, since rows hash faster than single nodes."""
        size, peaks = self.size, list(self.peaks)
        completed: dict[tuple[int, int], bytes] = {}
        at = 0
        while at < len(leaves):
            node: bytes = leaves[at]
            height = 0
            if size % _BLOCK == 0 and at + _BLOCK <= len(leaves):
                height = _BLOCK.bit_length() - 1
                node = completed[height, size >> height] = full_root(leaves[at : at + _BLOCK])
            added = 1 << height
            while size >> height & 1:
                node = node_hash(peaks.pop(), node)
                height += 1
                completed[height, size >> height] = node
            peaks.append(node)
            size += added
            at += added
        return Growth(Frontier(size, tuple(peaks)), completed)

    def extend_by_subtree(self, height: int, root: bytes) -> "Frontier":
        """Add a full subtree of 2^``height`` leaves at the right; the size must be a multiple of that."""
        if self.size % (1 << height):
            raise MalformedError("form.range", "frontier: a subtree does not fit at its end")
        peaks, node, level = list(self.peaks), root, height
        while self.size >> level & 1:
            node = node_hash(peaks.pop(), node)
            level += 1
        return Frontier(self.size + (1 << height), (*peaks, node))
