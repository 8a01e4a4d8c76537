"""What the view functions of the anchor contract return.

Numbers are what the chain says: block heights, and block times in its own unit (seconds; some FISCO BCOS versions give
milliseconds). Wrong lengths or padding raise MalformedError (``form.contract.*``).
"""

from dataclasses import dataclass
from typing import Final

from anchors.contract.words import split_words, word_address, word_bool, word_int

ZERO32: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest anchored tree of an origin; ``size`` 0 and a zero ``root`` if nothing was anchored."""

    size: int
    root: bytes
    seq: int
    block_number: int
    time: int


@dataclass(frozen=True, slots=True)
class StoredAnchor:
    """One anchor as the contract holds it."""

    root: bytes
    block_number: int
    time: int
    anchorer: bytes


@dataclass(frozen=True, slots=True)
class OriginInfo:
    """Who administers an origin, the block that registered it, its status (0 unknown, 1 active, 2 frozen)."""

    admin: bytes
    registered_at: int
    status: int


def decode_head(data: bytes) -> Head:
    """Decode the answer to ``head(origin)``."""
    size, root, seq, block_number, time = split_words(data, 5, what="head")
    return Head(
        size=word_int(size, bits=64, what="head size"),
        root=root,
        seq=word_int(seq, bits=64, what="head sequence"),
        block_number=word_int(block_number, bits=64, what="head block"),
        time=word_int(time, bits=64, what="head time"),
    )


def decode_anchored(data: bytes) -> StoredAnchor | None:
    """Decode the answer to ``anchored(origin, size)``; None if nothing is anchored there."""
    root, block_number, time, anchorer = split_words(data, 4, what="anchored")
    if root == ZERO32:
        return None
    return StoredAnchor(
        root=root,
        block_number=word_int(block_number, bits=64, what="anchor block"),
        time=word_int(time, bits=64, what="anchor time"),
        anchorer=word_address(anchorer, what="anchorer"),
    )


def decode_origin_info(data: bytes) -> OriginInfo:
    """Decode the answer to ``originInfo(origin)``."""
    admin, registered_at, status = split_words(data, 3, what="origin info")
    return OriginInfo(
        admin=word_address(admin, what="origin admin"),
        registered_at=word_int(registered_at, bits=64, what="registration block"),
        status=word_int(status, bits=8, what="origin status"),
    )


def decode_bool(data: bytes) -> bool:
    """Decode the answer to ``isAnchorer``, or what ``anchor`` would return: True written, False already there."""
    (word,) = split_words(data, 1, what="boolean")
    return word_bool(word, what="boolean")


def decode_address(data: bytes) -> bytes:
    """Decode the answer to ``governor`` or ``successor``."""
    (word,) = split_words(data, 1, what="address")
    return word_address(word, what="address")
