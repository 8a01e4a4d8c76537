"""The same chain twice: keys drawn from a seed, and a clock that stands still, so that blocks are a second apart."""

import hashlib
from collections.abc import Callable
from typing import Final

FIRST_BLOCK_TIME: Final = 1_767_225_600
"""2026-01-01T00:00:00Z, Unix seconds."""


def still_clock() -> int:
    """Always the same time: each block is one second after its parent."""
    return FIRST_BLOCK_TIME


def seeded_bytes(seed: bytes) -> Callable[[int], bytes]:
    """A source of bytes that follow from ``seed`` alone: for tests. Whoever knows the seed knows the keys."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(b"ematerials devchain\0%d\0%s" % (drawn, seed)).digest(size)

    return draw
