"""Reading accounts, storage and Merkle-Patricia proofs from a state root, without executing anything."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import rlp
from eth_hash.auto import keccak
from trie.constants import BLANK_NODE_HASH
from trie.hexary import HexaryTrie

from anchors.devchain.machine import Nodes

EMPTY_ROOT: Final[bytes] = BLANK_NODE_HASH
EMPTY_CODE_HASH: Final = keccak(b"")
_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the state trie; the default is what an absent account counts as."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = EMPTY_ROOT
    code_hash: bytes = EMPTY_CODE_HASH


def read_account(nodes: Nodes, state_root: bytes, address: bytes) -> Account:
    """Return the account at ``address`` under ``state_root``."""
    encoded = HexaryTrie(nodes, state_root)[keccak(address)]
    if not encoded:
        return Account()
    nonce, balance, storage_root, code_hash = rlp.decode(encoded)
    return Account(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)


def read_code(nodes: Nodes, account: Account) -> bytes:
    """Return the code of an account; empty for none."""
    return b"" if account.code_hash == EMPTY_CODE_HASH else nodes[account.code_hash]


def read_storage(nodes: Nodes, account: Account, slot: bytes) -> bytes:
    """Return the 32-byte word at the 32-byte key ``slot``; zero if absent."""
    encoded = HexaryTrie(nodes, account.storage_root)[keccak(slot)]
    value: bytes = rlp.decode(encoded) if encoded else b""
    return value.rjust(32, b"\0")


def account_proof(nodes: Nodes, state_root: bytes, address: bytes) -> list[bytes]:
    """Return the trie nodes (RLP, root first) that prove the account, or its absence, under ``state_root``."""
    return _proof(nodes, state_root, keccak(address))


def storage_proof(nodes: Nodes, account: Account, slot: bytes) -> list[bytes]:
    """Return the trie nodes (RLP, root first) that prove the word at ``slot``, or that it is zero."""
    return _proof(nodes, account.storage_root, keccak(slot))


def _proof(nodes: Nodes, root: bytes, key: bytes) -> list[bytes]:
    path: Callable[[bytes], Iterable[object]] = HexaryTrie(nodes, root).get_proof
    encoded: list[bytes] = [rlp.encode(node) for node in path(key)]
    # A node shorter than its hash is embedded in its parent and no node of its own.
    return [node for depth, node in enumerate(encoded) if depth == 0 or len(node) >= _HASH_BYTES]
