"""Verify inclusion and consistency proofs (RFC 9162 §2.1.3.2, §2.1.4.2).

Whatever is wrong with sizes, indices, hashes or their number is a VerificationError, never another exception. The
algorithms are the standard's; names in comments (fn, sn, fr, sr) are its names.
"""

from collections.abc import Sequence
from typing import Final

from ledger.hashing import HASH_SIZE, MAX_SIZE, LeafHash, RootHash, node_hash
from signing import VerificationError

MAX_PROOF_HASHES: Final = 63


def verify_inclusion(*, index: int, size: int, leaf: LeafHash, proof: Sequence[bytes], root: RootHash) -> None:
    """Return if ``leaf`` is at ``index`` (from 0) of the tree of ``size`` leaves with ``root``.

    Raises VerificationError (``proof.inclusion``).
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise VerificationError("proof.inclusion", "inclusion proof: the index is not within the tree")
    _check_hashes("proof.inclusion", (leaf, root, *proof), count=len(proof))
    position, last = index, size - 1  # fn, sn
    node: bytes = leaf
    for sibling in proof:
        if last == 0:
            raise VerificationError("proof.inclusion", "inclusion proof: has more hashes than the tree has levels")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("proof.inclusion", "inclusion proof: has too few hashes for the tree")
    if node != root:
        raise VerificationError("proof.inclusion", "inclusion proof: does not lead from the leaf to the root")


def verify_consistency(
    *, old_size: int, old_root: RootHash, new_size: int, new_root: RootHash, proof: Sequence[bytes]
) -> None:
    """Return if the tree of ``old_size`` with ``old_root`` is the beginning of the one of ``new_size``.

    Needs 0 < old size < new size: the standard's algorithm says nothing of empty trees and equal sizes, which
    ``checkpoint.verify_extension`` decides. Raises VerificationError (``proof.consistency``).
    """
    if not 0 < old_size < new_size <= MAX_SIZE:
        raise VerificationError("proof.consistency", "consistency proof: needs 0 < old size < new size")
    _check_hashes("proof.consistency", (old_root, new_root, *proof), count=len(proof))
    path = list(proof)
    if old_size.bit_count() == 1:
        path.insert(0, old_root)
    if not path:
        raise VerificationError("proof.consistency", "consistency proof: is empty")
    position, last = old_size - 1, new_size - 1  # fn, sn
    while position & 1:
        position >>= 1
        last >>= 1
    old_node = new_node = path[0]  # fr, sr
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError("proof.consistency", "consistency proof: has more hashes than the tree has levels")
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_node = node_hash(new_node, sibling)
        position >>= 1
        last >>= 1
    if last != 0 or old_node != old_root or new_node != new_root:
        raise VerificationError("proof.consistency", "consistency proof: does not lead from the old root to the new")


def _check_hashes(code: str, hashes: Sequence[bytes], *, count: int) -> None:
    if count > MAX_PROOF_HASHES:
        raise VerificationError(code, f"proof: more than {MAX_PROOF_HASHES} hashes")
    if any(len(value) != HASH_SIZE for value in hashes):
        raise VerificationError(code, f"proof: leaf, root and hashes have {HASH_SIZE} bytes each")
