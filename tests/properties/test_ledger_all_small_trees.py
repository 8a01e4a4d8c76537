"""All trees up to 130 leaves, all index and size pairs, by the definition; and random large trees."""

import random
from functools import cache
from typing import Any

import pytest

from ledger import (
    Frontier,
    RootHash,
    Tile,
    TileNodes,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from signing import VerificationError
from tests.support.ledger_reference import mth, path, proof, split

LEAVES = [leaf_hash(b"%d" % number) for number in range(131)]


@cache
def root(start: int, end: int) -> bytes:
    """MTH of the leaves [start, end)."""
    if end - start == 1:
        return LEAVES[start]
    middle = start + split(end - start)
    return node_hash(root(start, middle), root(middle, end))


def inclusion(index: int, start: int, end: int) -> list[bytes]:
    """PATH(index, D[start:end])."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*inclusion(index, start, middle), root(middle, end)]
    return [*inclusion(index, middle, end), root(start, middle)]


def consistency(old: int, start: int, end: int, *, known: bool) -> list[bytes]:
    """SUBPROOF(old, D[start:end], known)."""
    if old == end:
        return [] if known else [root(start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*consistency(old, start, middle, known=known), root(middle, end)]
    return [*consistency(old, middle, end, known=False), root(start, middle)]


class Nodes:
    """A NodeReader over the definition."""

    def node(self, height: int, index: int) -> bytes:
        """Hash of a full subtree."""
        return root(index << height, (index + 1) << height)


def flipped(hashes: tuple[bytes, ...], at: int) -> tuple[bytes, ...]:
    """One bit of one hash changed."""
    value = hashes[at]
    return (*hashes[:at], bytes([value[0] ^ 1]) + value[1:], *hashes[at + 1 :])


@pytest.mark.parametrize("size", range(1, 131))
def test_every_inclusion_proof(size: int) -> None:
    top = RootHash(root(0, size))
    assert Frontier().extend(LEAVES[:size]).frontier.root() == top
    for index in range(size):
        good = prove_inclusion(index, size, Nodes())
        assert list(good) == inclusion(index, 0, size)
        arguments: dict[str, Any] = {"index": index, "size": size, "leaf": LEAVES[index], "proof": good, "root": top}
        verify_inclusion(**arguments)
        for changed in (
            *({"proof": flipped(good, at)} for at in range(len(good))),
            {"proof": good[:-1] if good else (top,)},
            {"proof": (*good, LEAVES[130])},
            {"proof": good[::-1]} if len(set(good)) > 1 else {"proof": (*good, top)},
            {"index": index ^ 1},
            {"index": index ^ 2},
            {"index": index + size},
            {"size": index},
            {"size": size + 256},
            {"leaf": LEAVES[130]},
            {"root": RootHash(LEAVES[130])},
        ):
            with pytest.raises(VerificationError):
                verify_inclusion(**(arguments | changed))


@pytest.mark.parametrize("new", range(2, 131))
def test_every_consistency_proof(new: int) -> None:
    new_root = RootHash(root(0, new))
    for old in range(1, new):
        good = prove_consistency(old, new, Nodes())
        assert list(good) == consistency(old, 0, new, known=True)
        arguments: dict[str, Any] = {
            "old_size": old,
            "old_root": RootHash(root(0, old)),
            "new_size": new,
            "new_root": new_root,
            "proof": good,
        }
        verify_consistency(**arguments)
        for changed in (
            *({"proof": flipped(good, at)} for at in range(len(good))),
            {"proof": good[:-1]},
            {"proof": (*good, LEAVES[130])},
            {"old_size": new},
            {"new_size": old},
            {"new_size": new + 256},
            {"old_root": RootHash(LEAVES[130])},
            {"new_root": RootHash(LEAVES[130])},
        ):
            with pytest.raises(VerificationError):
                verify_consistency(**(arguments | changed))


@pytest.mark.parametrize("seed", range(4))
def test_random_large_trees(seed: int) -> None:
    """Grown in random steps, read through tiles; the definition, by recursion over the whole list, says the same."""
    draw = random.Random(seed)
    size = draw.randrange(1000, 70_000)
    entries = [b"%d" % number for number in range(size)]
    leaves = [leaf_hash(entry) for entry in entries]
    frontier, tiles = (
        Frontier(),
        {(0, index): b"".join(leaves[index * 256 :][:256]) for index in range(size // 256 + 1)},
    )
    while frontier.size < size:
        growth = frontier.extend(leaves[frontier.size : frontier.size + draw.choice((1, 7, 255, 256, 257, 5000))])
        frontier = growth.frontier
        for (height, index), value in sorted(growth.completed.items(), key=lambda item: item[0]):
            if height % 8 == 0:
                row = tiles.get((height // 8, index // 256), b"")
                assert len(row) == index % 256 * 32
                tiles[height // 8, index // 256] = row + value
    assert frontier.root() == mth(entries)

    def read_tile(tile: Tile) -> bytes:
        assert isinstance(tile.level, int)
        return tiles[tile.level, tile.index][: tile.width * 32]

    nodes = TileNodes(size, read_tile)
    for index in (0, size - 1, draw.randrange(size), draw.randrange(size)):
        assert list(prove_inclusion(index, size, nodes)) == path(index, entries)
    for old in (1, size - 1, draw.randrange(1, size), draw.randrange(1, size) & ~255 or 1):
        assert list(prove_consistency(old, size, nodes)) == proof(old, entries)
