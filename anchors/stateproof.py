"""Account and storage proofs of the Ethereum state trie: Merkle-Patricia paths with limits, every node used.

A key's absence is provable too (exclusion proof). A proof must hold exactly the nodes of its path, from the root down:
an unused node would be a part of the evidence that anybody could change unnoticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from anchors.strict_rlp import RlpItem, rlp_bytes, rlp_decode, rlp_list, rlp_uint
from signing import MalformedError, VerificationError

NODE_MAX_BYTES: Final = 1024
PROOF_MAX_NODES: Final = 64
BLANK_ROOT: Final = keccak(b"\x80")
"""Root of a trie that holds nothing."""

_WORD: Final = 32
_BRANCH_ITEMS: Final = 17
_SHORT_ITEMS: Final = 2


def _refuse() -> VerificationError:
    return VerificationError("anchor.proof", "proof: the nodes do not lead from the root to the key")


def _short_path(item: RlpItem) -> tuple[bool, str]:
    """Whether a node of two items is a leaf, and its part of the path (hex-prefix, Yellow Paper appendix C)."""
    digits = rlp_bytes(item, what="trie path").hex()
    if digits[:1] not in ("0", "1", "2", "3") or (digits[0] in "02" and digits[1] != "0"):
        raise _refuse()
    return digits[0] in "23", digits[1 if digits[0] in "13" else 2 :]


def _step(node: list[RlpItem], path: str) -> tuple[RlpItem, str | None]:
    """What a node holds for ``path``: a child and the path below it, or the value (empty: absent) and None."""
    if len(node) == _BRANCH_ITEMS:
        return (node[int(path[0], 16)], path[1:]) if path else (node[-1], None)
    if len(node) != _SHORT_ITEMS:
        raise _refuse()
    leaf, part = _short_path(node[0])
    if leaf:
        return (node[1] if part == path else b""), None
    if not part:
        raise _refuse()
    return (node[1], path[len(part) :]) if path.startswith(part) else (b"", None)


def _walk(root: bytes, key: bytes, nodes: Sequence[bytes]) -> tuple[bytes, tuple[bytes, ...]]:
    """Value at keccak(``key``) under ``root`` (empty: proved absent) and the nodes of its path."""
    if len(nodes) > PROOF_MAX_NODES or not all(0 < len(node) <= NODE_MAX_BYTES for node in nodes):
        raise MalformedError("anchor.proof-size", "proof: too many nodes, or a node empty or too large")
    if root == BLANK_ROOT:
        return b"", ()
    by_hash = {keccak(node): node for node in nodes}
    used: list[bytes] = []
    item: RlpItem = root
    path: str | None = keccak(key).hex()
    try:
        while path is not None:
            if isinstance(item, bytes):
                if not item:
                    return b"", tuple(used)
                used.append(by_hash[item])
                item = rlp_decode(used[-1], what="trie node", max_bytes=NODE_MAX_BYTES)
            item, path = _step(rlp_list(item, what="trie node"), path)
        return rlp_bytes(item, what="trie value"), tuple(used)
    except (KeyError, MalformedError):
        raise _refuse() from None


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
    """A proved account: how many transactions it sent, keccak of its runtime code, root of its storage trie."""

    nonce: int
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
    rlp_uint(fields[1], what="account balance", max_bytes=_WORD)
    return Account(
        nonce=rlp_uint(fields[0], what="account nonce"),
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
