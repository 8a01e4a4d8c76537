"""Produce inclusion and consistency proofs from any store of node hashes (RFC 9162 §2.1.3.1, §2.1.4.1)."""

from typing import Protocol

from ledger.hashing import EMPTY_ROOT, MAX_SIZE, RootHash
from ledger.tree import join_peaks
from signing import MalformedError


class NodeReader(Protocol):
    """Where the hashes of full subtrees are read.

    What it returned once it returns always: nodes are written once. A node that should be there and is not, or can't
    be read, raises a LedgerError, which the proof functions pass on; nothing is retried. No order of calls is promised.
    """

    def node(self, height: int, index: int) -> bytes:
        """Hash over the 2^height leaves from index · 2^height on, all of which exist."""
        ...


def subtree_root(start: int, end: int, nodes: NodeReader) -> bytes:
    """MTH of the leaves [start, end), not empty, ``start`` a multiple of the power of two that covers the range."""
    peaks = []
    while start < end:
        height = (end - start).bit_length() - 1
        peaks.append(nodes.node(height, start >> height))
        start += 1 << height
    return join_peaks(peaks)


def tree_root(size: int, nodes: NodeReader) -> RootHash:
    """Root of the first ``size`` leaves."""
    return RootHash(subtree_root(0, size, nodes)) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, nodes: NodeReader) -> tuple[bytes, ...]:
    """PATH(index, D[0:size]): the leaf's sibling first. Raises MalformedError (``form.range``) unless index < size."""
    if not 0 <= index < size <= MAX_SIZE:
        raise MalformedError("form.range", "inclusion proof: the index is not within the tree")
    start, end = 0, size
    path = []
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            path.append(subtree_root(split, end, nodes))
            end = split
        else:
            path.append(subtree_root(start, split, nodes))
            start = split
    return tuple(reversed(path))


def prove_consistency(old_size: int, new_size: int, nodes: NodeReader) -> tuple[bytes, ...]:
    """PROOF(old_size, D[0:new_size]); empty if the sizes are equal or the old tree is.

    Raises MalformedError (``form.range``) unless 0 <= old size <= new size.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise MalformedError("form.range", "consistency proof: the old tree is larger than the new")
    if old_size == 0:
        return ()
    start, end = 0, new_size
    path = []
    while end != old_size:
        split = _split(start, end)
        if old_size <= split:
            path.append(subtree_root(split, end, nodes))
            end = split
        else:
            path.append(subtree_root(start, split, nodes))
            start = split
    if start > 0:  # the verifier knows the old root itself, but not a part of it
        path.append(subtree_root(start, end, nodes))
    return tuple(reversed(path))


def _split(start: int, end: int) -> int:
    """Where MTH divides [start, end): after the largest power of two strictly less than its length."""
    return start + (1 << ((end - start - 1).bit_length() - 1))
