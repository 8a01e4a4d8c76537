"""The frontier and full subtrees; the names the package exports."""

import ast
from pathlib import Path

import pytest

import ledger
from ledger import EMPTY_ROOT, Frontier, leaf_hash, node_hash, prove_consistency, prove_inclusion, tree_root
from ledger.tree import full_root, joined_root
from signing import MalformedError
from tests.support.ledger_reference import ListNodes, mth


def test_empty_tree() -> None:
    assert Frontier().root() == EMPTY_ROOT == mth([]) == tree_root(0, ListNodes([]))
    assert Frontier().extend([]).frontier == Frontier()


def test_the_root_of_joined_hashes() -> None:
    entries = [b"%d" % number for number in range(256)]
    hashes = b"".join(map(leaf_hash, entries))
    for count in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        for start in range(0, 256, count):
            assert joined_root(hashes[start * 32 : (start + count) * 32]) == mth(entries[start : start + count])
    for length in (0, 3 * 32, 96 * 32, 192 * 32, 255 * 32):
        with pytest.raises(MalformedError):
            joined_root(hashes[:length])


def test_leaf_and_node_hashes_are_kept_apart() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert node_hash(left, right) == mth([b"l", b"r"]) != leaf_hash(left + right)


@pytest.mark.parametrize(("size", "length"), [(0, 32), (1, 0), (3, 32), (3, 96), (3, 63), (-1, 0), (1 << 63, 32)])
def test_frontier_bytes_of_another_form(size: int, length: int) -> None:
    with pytest.raises(MalformedError):
        Frontier.from_bytes(size, b"f" * length)


def test_full_subtrees_only() -> None:
    assert full_root([b"a" * 32]) == b"a" * 32
    for count in (0, 3, 5, 255):
        with pytest.raises(MalformedError):
            full_root([b"a" * 32] * count)


def test_ranges_that_can_not_be_proved() -> None:
    nodes = ListNodes([b"a", b"b"])
    for index, size in ((0, 0), (2, 2), (-1, 2), (0, 1 << 63)):
        with pytest.raises(MalformedError):
            prove_inclusion(index, size, nodes)
    for old, new in ((3, 2), (-1, 2), (1, 1 << 63)):
        with pytest.raises(MalformedError):
            prove_consistency(old, new, nodes)


def test_all_names_what_is_imported() -> None:
    tree = ast.parse(Path(ledger.__file__).read_text())
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(ledger.__all__)
