"""Calldata of the anchor contract (Contract ABI, the dozen functions of CheckpointAnchor.sol).

An origin is named on the chain by ``origin_id``; addresses are 20 bytes, hashes and ids 32 bytes. Every function raises
MalformedError (``form.contract.*``) for a value that does not fit its type.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from anchors.contract.words import (
    WORD,
    address_word,
    bytes32_word,
    int_word,
    named_address_word,
)
from signing.errors import MalformedError

ORIGIN_ACTIVE: Final = 1
ORIGIN_FROZEN: Final = 2
MAX_PROOF_NODES: Final = 127
MAX_NAME_BYTES: Final = 1024

# First four bytes of keccak-256 of the signature; a test derives them from the built ABI.
_REGISTER_ORIGIN: Final = bytes.fromhex("95f3bdcf")
_SET_ORIGIN_STATUS: Final = bytes.fromhex("333aad1e")
_SET_SUCCESSOR: Final = bytes.fromhex("10e5bff8")
_SET_ANCHORER: Final = bytes.fromhex("b9725f3d")
_ANCHOR: Final = bytes.fromhex("12e4dca2")
_HEAD: Final = bytes.fromhex("f339e3b2")
_ANCHORED: Final = bytes.fromhex("69a32e24")
_ORIGIN_INFO: Final = bytes.fromhex("43381ade")
_IS_ANCHORER: Final = bytes.fromhex("e10cde54")
_GOVERNOR: Final = bytes.fromhex("0c340a24")
_SUCCESSOR: Final = bytes.fromhex("6ff968c3")


def _name_bytes(name: str) -> bytes:
    try:
        data = name.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedError("form.contract.name", "origin name: not Unicode text") from None
    if not 0 < len(data) <= MAX_NAME_BYTES:
        raise MalformedError("form.contract.name", f"origin name: not 1 to {MAX_NAME_BYTES} bytes")
    return data


def origin_id(name: str) -> bytes:
    """Return the contract's id of a log: SHA-256 of its origin line in UTF-8."""
    return hashlib.sha256(_name_bytes(name)).digest()


def encode_constructor(governor: bytes) -> bytes:
    """Return what follows the creation code when the contract is deployed."""
    return named_address_word(governor, what="governor")


def encode_register_origin(name: str, admin: bytes) -> bytes:
    """Open an origin; by the governor."""
    text = _name_bytes(name)
    padded = text + bytes(-len(text) % WORD)
    return b"".join(
        (
            _REGISTER_ORIGIN,
            int_word(2 * WORD, bits=256, what="offset"),
            named_address_word(admin, what="origin admin"),
            int_word(len(text), bits=256, what="length"),
            padded,
        )
    )


def encode_set_origin_status(origin: bytes, status: int) -> bytes:
    """Set ORIGIN_ACTIVE or ORIGIN_FROZEN; by the governor."""
    return _SET_ORIGIN_STATUS + bytes32_word(origin, what="origin") + int_word(status, bits=8, what="status")


def encode_set_successor(successor: bytes) -> bytes:
    """Name the next contract, once; by the governor."""
    return _SET_SUCCESSOR + named_address_word(successor, what="successor")


def encode_set_anchorer(origin: bytes, anchorer: bytes, *, allowed: bool) -> bytes:
    """Allow or disallow an account to anchor; by the origin's admin."""
    account = named_address_word(anchorer, what="anchorer")
    return _SET_ANCHORER + bytes32_word(origin, what="origin") + account + int_word(allowed, bits=1, what="allowed")


def encode_anchor(
    *, origin: bytes, old_size: int, new_size: int, new_root: bytes, note_hash: bytes, proof: Sequence[bytes]
) -> bytes:
    """Anchor (``new_size``, ``new_root``); by an anchorer.

    ``old_size`` is the contract's head size, ``proof`` the RFC 9162 consistency proof from there (empty when 0),
    ``note_hash`` SHA-256 of the signed checkpoint.
    """
    if len(proof) > MAX_PROOF_NODES:
        raise MalformedError("form.contract.range", f"proof: more than {MAX_PROOF_NODES} nodes")
    return b"".join(
        (
            _ANCHOR,
            bytes32_word(origin, what="origin"),
            int_word(old_size, bits=64, what="old size"),
            int_word(new_size, bits=64, what="new size"),
            bytes32_word(new_root, what="new root"),
            bytes32_word(note_hash, what="note hash"),
            int_word(6 * WORD, bits=256, what="offset"),
            int_word(len(proof), bits=256, what="length"),
            *(bytes32_word(node, what="proof node") for node in proof),
        )
    )


def encode_head(origin: bytes) -> bytes:
    """Ask for the newest anchored tree; answer: results.decode_head."""
    return _HEAD + bytes32_word(origin, what="origin")


def encode_anchored(origin: bytes, size: int) -> bytes:
    """Ask for the anchor at one size; answer: results.decode_anchored."""
    return _ANCHORED + bytes32_word(origin, what="origin") + int_word(size, bits=64, what="size")


def encode_origin_info(origin: bytes) -> bytes:
    """Ask for admin and status; answer: results.decode_origin_info."""
    return _ORIGIN_INFO + bytes32_word(origin, what="origin")


def encode_is_anchorer(origin: bytes, address: bytes) -> bytes:
    """Ask whether an account may anchor; answer: results.decode_bool."""
    return _IS_ANCHORER + bytes32_word(origin, what="origin") + address_word(address, what="address")


def encode_governor() -> bytes:
    """Ask for the governor; answer: results.decode_address."""
    return _GOVERNOR


def encode_successor() -> bytes:
    """Ask for the successor contract (zero: none); answer: results.decode_address."""
    return _SUCCESSOR
