"""Account and storage proofs of the Ethereum state trie: Merkle-Patricia paths with limits, every node used.

A key's absence is provable too (exclusion proof). A proof must hold exactly the nodes of its path, from the root down:
an unused node would be a part of the evidence that anybody could change unnoticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak
from trie.constants import BLANK_NODE_HASH
from trie.hexary import HexaryTrie

from anchors.strict_rlp import rlp_bytes, rlp_decode, rlp_list, rlp_uint
from signing import MalformedError, VerificationError

NODE_MAX_BYTES: Final = 1024
PROOF_MAX_NODES: Final = 64
_WORD: Final = 32


class _PathReader(dict[bytes, bytes]):
    """The node database handed to the trie walk; remembers which nodes it asked for, in order."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        super().__init__((keccak(node), node) for node in nodes)
        self.path: list[bytes] = []

    def __getitem__(self, key: bytes) -> bytes:
        node = super().__getitem__(key)
        self.path.append(node)
        return node


def _walk(root: bytes, key: bytes, nodes: Sequence[bytes]) -> tuple[bytes, tuple[bytes, ...]]:
    """Value at keccak(``key``) under ``root`` (empty: proved absent) and the nodes of its path."""
    if len(nodes) > PROOF_MAX_NODES or not all(0 < len(node) <= NODE_MAX_BYTES for node in nodes):
        raise MalformedError("anchor.proof-size", "proof: too many nodes, or a node empty or too large")
    if root == BLANK_NODE_HASH:
        return b"", ()
    reader = _PathReader(nodes)
    try:
        value = HexaryTrie(reader, root)[keccak(key)]
    except Exception:  # the libraries raise many types for hostile nodes: all of them mean "not proved"
        raise VerificationError("anchor.proof", "proof: the nodes do not lead from the root to the key") from None
    return value, tuple(reader.path)


def _prove(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    value, path = _walk(root, key, nodes)
    if path != tuple(nodes):
        raise VerificationError("anchor.proof", "proof: nodes are repeated, out of order or not of the path")
    return value


def path_nodes(root: bytes, key: bytes, nodes: Sequence[bytes]) -> tuple[bytes, ...]:
    """The nodes that prove ``key`` under ``root``, in order, picked from a node's answer (which may hold others).

    Raises as the ``verify_`` functions do.
    """
    return _walk(root, key, nodes)[1]


@dataclass(frozen=True, slots=True)
class Account:
    """A proved contract account: keccak of its runtime code, root of its storage trie."""

    code_hash: bytes
    storage_root: bytes


def verify_account(state_root: bytes, address: bytes, nodes: Sequence[bytes]) -> Account:
    """Prove the account at ``address`` under ``state_root`` (the account must exist).

    Raises MalformedError for proofs beyond the limits, VerificationError: ``anchor.proof``, ``anchor.no-account``.
    """
    value = _prove(state_root, address, nodes)
    if not value:
        raise VerificationError("anchor.no-account", "proof: there is no account at the contract address")
    fields = rlp_list(rlp_decode(value, what="account", max_bytes=NODE_MAX_BYTES), what="account")
    if len(fields) != 4:
        raise MalformedError("form.rlp", "account: four fields are needed")
    rlp_uint(fields[0], what="account nonce")
    rlp_uint(fields[1], what="account balance", max_bytes=_WORD)
    return Account(
        storage_root=rlp_bytes(fields[2], what="account storage root", length=32),
        code_hash=rlp_bytes(fields[3], what="account code hash", length=32),
    )


def verify_storage(storage_root: bytes, slot: bytes, nodes: Sequence[bytes]) -> bytes:
    """Prove the 32-byte word at ``slot`` under ``storage_root``; 32 zero bytes when it is proved absent.

    Stored values are integers without leading zeros: the result is padded. Raises as ``verify_account`` does.
    """
    value = _prove(storage_root, slot, nodes)
    if not value:
        return bytes(_WORD)
    word = rlp_uint(rlp_decode(value, what="storage value", max_bytes=_WORD + 1), what="storage value", max_bytes=_WORD)
    return word.to_bytes(_WORD, "big")
