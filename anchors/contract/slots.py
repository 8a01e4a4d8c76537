"""Storage of the anchor contract, layout ``checkpoint-anchor/v1``: where each word lies, and how to read it.

A verifier derives the keys itself and never takes them from a node. Keys are 32 bytes as ``eth_getProof`` takes them,
before the trie hashes them. ``keccak(key ‖ pad(slot))`` is Solidity's rule for mappings. Words are 32 bytes,
left-padded.
"""

from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from anchors.contract.results import OriginInfo
from anchors.contract.words import address_word, bytes32_word, int_word

LAYOUT: Final = "checkpoint-anchor/v1"


def _pad(value: int) -> bytes:
    return value.to_bytes(32, "big")


_HEADS, _ANCHORS, _ORIGINS, _ANCHORERS = (_pad(slot) for slot in range(4))
GOVERNOR_SLOT: Final = _pad(4)
SUCCESSOR_SLOT: Final = _pad(5)


def head_slot(origin: bytes) -> bytes:
    """Key of the head word of an origin."""
    return keccak(bytes32_word(origin, what="origin") + _HEADS)


def anchor_root_slot(origin: bytes, size: int) -> bytes:
    """Key of the root anchored at ``size``."""
    of_origin = keccak(bytes32_word(origin, what="origin") + _ANCHORS)
    return keccak(int_word(size, bits=64, what="size") + of_origin)


def anchor_meta_slot(origin: bytes, size: int) -> bytes:
    """Key of block, time and anchorer of the anchor at ``size``: the word after the root."""
    root_slot = int.from_bytes(anchor_root_slot(origin, size), "big")
    return _pad((root_slot + 1) % 2**256)


def origin_slot(origin: bytes) -> bytes:
    """Key of admin, registration block and status of an origin."""
    return keccak(bytes32_word(origin, what="origin") + _ORIGINS)


def anchorer_slot(origin: bytes, address: bytes) -> bytes:
    """Key of the word that says whether an account may anchor (0 or 1)."""
    return keccak(address_word(address, what="address") + keccak(bytes32_word(origin, what="origin") + _ANCHORERS))


@dataclass(frozen=True, slots=True)
class HeadWord:
    """The newest anchored tree of an origin, without its root (which lies at ``anchor_root_slot``)."""

    size: int
    seq: int
    block_number: int
    time: int


@dataclass(frozen=True, slots=True)
class AnchorMeta:
    """Block, block time and account of one anchor."""

    block_number: int
    time: int
    anchorer: bytes


def _fields(word: bytes, *widths: int) -> tuple[int, ...]:
    """Cut a word into fields, lowest bits first."""
    rest = int.from_bytes(bytes32_word(word, what="storage word"), "big")
    values = []
    for width in widths:
        values.append(rest & ((1 << width) - 1))
        rest >>= width
    return tuple(values)


def decode_head_word(word: bytes) -> HeadWord:
    """Read the word at ``head_slot``. Raises MalformedError if it is not 32 bytes."""
    return HeadWord(*_fields(word, 64, 64, 64, 64))


def decode_meta_word(word: bytes) -> AnchorMeta:
    """Read the word at ``anchor_meta_slot``. Raises MalformedError if it is not 32 bytes."""
    block_number, time, anchorer = _fields(word, 48, 48, 160)
    return AnchorMeta(block_number, time, anchorer.to_bytes(20, "big"))


def decode_origin_word(word: bytes) -> OriginInfo:
    """Read the word at ``origin_slot``. Raises MalformedError if it is not 32 bytes."""
    admin, registered_at, status = _fields(word, 160, 64, 8)
    return OriginInfo(admin.to_bytes(20, "big"), registered_at, status)
