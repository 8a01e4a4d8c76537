"""Leaf and node hashes of the tree (RFC 9162 §2.1.1): SHA-256 with a prefix that keeps leaves and nodes apart."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NewType, cast

LeafHash = NewType("LeafHash", bytes)
"""32 bytes: H(0x00 ‖ entry)."""

RootHash = NewType("RootHash", bytes)
"""32 bytes: the top hash of a tree of some size."""

HASH_SIZE: Final = 32
MAX_SIZE: Final = 2**63 - 1
"""Largest tree size: SQL's BIGINT ends here."""

EMPTY_ROOT: Final = RootHash(sha256(b"").digest())
"""Root of the tree without entries: H("")."""


def leaf_hash(entry: bytes) -> LeafHash:
    """Hash of the leaf that stands for ``entry``."""
    return LeafHash(sha256(b"\x00" + entry).digest())


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the node above two 32-byte hashes."""
    return sha256(b"\x01" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[LeafHash]:
    """``leaf_hash`` of each: for many entries, without a call for each."""
    return cast(list[LeafHash], [sha256(b"\x00" + entry).digest() for entry in entries])


def node_hashes(row: Sequence[bytes]) -> list[bytes]:
    """The row above an even number of hashes: ``node_hash`` of each two."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
