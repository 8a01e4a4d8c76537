"""The fast tree against the slow one, and every changed proof refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import (
    Frontier,
    RootHash,
    Tile,
    TileNodes,
    decode_bundle,
    encode_bundle,
    leaf_hash,
    parse_tile_path,
    prove_consistency,
    prove_inclusion,
    tile_path,
    tile_width,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from ledger.tiles import Level, right_edge
from signing import MalformedError, VerificationError
from tests.support.ledger_reference import ListNodes, mth, path, proof

ENTRIES = [b"%d" % number for number in range(700)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = st.integers(1, 700)


def read_tile(tile: Tile) -> bytes:
    """A hash tile by its definition."""
    assert isinstance(tile.level, int)
    span = 256**tile.level
    start = tile.index * 256
    return b"".join(mth(ENTRIES[at * span : (at + 1) * span]) for at in range(start, start + tile.width))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12))
def test_frontier_grows_in_any_steps(steps: list[int]) -> None:
    frontier = Frontier()
    for step in steps:
        growth = frontier.extend(LEAVES[frontier.size : frontier.size + step])
        for (height, index), value in growth.completed.items():
            assert value == mth(ENTRIES[index << height : (index + 1) << height])
        frontier = growth.frontier
        assert frontier.root() == mth(ENTRIES[: frontier.size])
        assert Frontier.from_bytes(frontier.size, frontier.to_bytes()) == frontier


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    entries = ENTRIES[:size]
    root = RootHash(mth(entries))
    for nodes in (ListNodes(entries), TileNodes(size, read_tile)):
        assert tree_root(size, nodes) == root
        inclusion = prove_inclusion(index, size, nodes)
        assert list(inclusion) == path(index, entries)
        verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=inclusion, root=root)
        consistency = prove_consistency(old, size, nodes)
        assert list(consistency) == proof(old, entries)
        if old < size:
            old_root = RootHash(mth(ENTRIES[:old]))
            verify_consistency(old_size=old, old_root=old_root, new_size=size, new_root=root, proof=consistency)


def changes(hashes: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """Each hash with one bit flipped, dropped, doubled, cut, swapped with the next; one more at either end."""
    found = [(*hashes, b"\0" * 32), (b"\0" * 32, *hashes), (*hashes, b"")]
    for at, value in enumerate(hashes):
        before, after = hashes[:at], hashes[at + 1 :]
        found += [
            (*before, bytes([value[0] ^ 1]) + value[1:], *after),
            (*before, value[:-1] + bytes([value[-1] ^ 128]), *after),
            (*before, *after),
            (*before, value, value, *after),
            (*before, value[:31], *after),
            (*before, value + b"\0", *after),
        ]
        if after:
            found.append((*before, after[0], value, *after[1:]))
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.data())
def test_no_changed_inclusion_proof_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = RootHash(mth(ENTRIES[:size]))
    good = prove_inclusion(index, size, ListNodes(ENTRIES[:size]))

    def refused(**changed: object) -> None:
        arguments: dict[str, Any] = {
            "index": index,
            "size": size,
            "leaf": LEAVES[index],
            "proof": good,
            "root": root,
            **changed,
        }
        with pytest.raises(VerificationError) as caught:
            verify_inclusion(**arguments)
        assert caught.value.code == "proof.inclusion"

    for proof_ in changes(good):
        refused(proof=proof_)
    for other in {index - 1, index + 1, index ^ 2, index | 1 << 40, index | 1 << 63, -1 - index, size} - {index}:
        refused(index=other)
    for other in (0, -size, index, 1 << 63, 1 << 64):
        refused(size=other)
    if size > 1:
        refused(size=size * 2)
    refused(leaf=LEAVES[-1])
    refused(leaf=LEAVES[index][:31])
    refused(root=root[:31])
    refused(root=root + b"\0")
    refused(root=RootHash(LEAVES[-1]))
    refused(root=b"")
    refused(proof=[good[0] if good else root] * 64)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 70), st.data())
def test_no_changed_consistency_proof_verifies(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = RootHash(mth(ENTRIES[:old])), RootHash(mth(ENTRIES[:new]))
    good = prove_consistency(old, new, ListNodes(ENTRIES[:new]))

    def refused(**changed: object) -> None:
        arguments: dict[str, Any] = {
            "old_size": old,
            "old_root": old_root,
            "new_size": new,
            "new_root": new_root,
            "proof": good,
            **changed,
        }
        with pytest.raises(VerificationError) as caught:
            verify_consistency(**arguments)
        assert caught.value.code == "proof.consistency"

    for proof_ in changes(good):
        refused(proof=proof_)
    refused(proof=())
    for other in (0, -1, new, new + 1, 1 << 64):
        refused(old_size=other)
    for other in (0, old, old - 1, 1 << 63, 1 << 64):
        refused(new_size=other)
    for name, root in (("old_root", old_root), ("new_root", new_root)):
        for bad in (root[:31], root + b"\0", bytes([root[0] ^ 1]) + root[1:], b""):
            refused(**{name: bad})
    refused(old_root=new_root, new_root=old_root)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.integers(0, 63), st.just("entries")), st.integers(0, (2**63 - 1) // 256), st.integers(1, 256))
def test_tile_paths_both_ways(level: Level, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_tile_path(tile_path(tile)) == tile


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=70), st.from_regex(r"tile/(entries|\d{1,3})/(x?\d{2,4}/)*\d{2,4}(\.p/\d{0,4})?")))
def test_a_path_is_canonical_or_refused(text: str) -> None:
    try:
        tile = parse_tile_path(text)
    except MalformedError:
        return
    assert tile_path(tile) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256), st.binary(max_size=6))
def test_bundles_both_ways(entries: list[bytes], tail: bytes) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, width=len(entries)) == entries
    for bad, width in ((data[:-1], len(entries)), (data + b"\0", len(entries)), (data, len(entries) + 1)):
        with pytest.raises(MalformedError):
            decode_bundle(bad, width=width)
    with suppress(MalformedError):
        assert encode_bundle(decode_bundle(tail, width=2)) == tail


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_right_edge_and_widths(size: int) -> None:
    for tile in right_edge(size):
        assert isinstance(tile.level, int)
        assert tile.width == tile_width(tile.level, tile.index, size) < 256
        assert tile_width(tile.level, tile.index + 1, size) == 0
        assert tile.index == 0 or tile_width(tile.level, tile.index - 1, size) == 256
