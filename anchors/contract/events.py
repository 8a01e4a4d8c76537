"""Events of the anchor contract: for monitoring and for receipt evidence, never for "not anchored".

An exact repeat of an anchor emits nothing, so a missing event proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.contract.words import WORD, split_words, word_address, word_bool, word_int
from signing.errors import MalformedError


@dataclass(frozen=True, slots=True)
class Anchored:
    """A tree was anchored. ``note_hash`` is what the anchorer said is SHA-256 of the signed checkpoint."""

    origin: bytes
    size: int
    root: bytes
    prev_size: int
    note_hash: bytes
    anchorer: bytes


@dataclass(frozen=True, slots=True)
class OriginRegistered:
    """An origin was opened; the only place on the chain where its name stands in clear."""

    origin: bytes
    name: str
    admin: bytes


@dataclass(frozen=True, slots=True)
class OriginStatusChanged:
    """An origin was frozen (2) or reactivated (1)."""

    origin: bytes
    status: int


@dataclass(frozen=True, slots=True)
class AnchorerSet:
    """An account was allowed or disallowed to anchor for an origin."""

    origin: bytes
    anchorer: bytes
    allowed: bool


@dataclass(frozen=True, slots=True)
class SuccessorSet:
    """The contract that continues this one was named."""

    successor: bytes


Event = Anchored | OriginRegistered | OriginStatusChanged | AnchorerSet | SuccessorSet

# keccak-256 of the signature; a test derives them from the built ABI.
ANCHORED_TOPIC: Final = bytes.fromhex("abd496f8f0d5081297de13bf01040b5c29fbf3c059ef603f2f8b4d2fa55586c5")
_ORIGIN_REGISTERED: Final = bytes.fromhex("9f3ea09bedb6667b9607895daab53ead34c259dc1dabbcfac110c6c5c7164dbd")
_ORIGIN_STATUS: Final = bytes.fromhex("95c4965ec27ae897685f0f7b5e5aa0279333fad4d2f85e72c6249ea68540843f")
_ANCHORER_SET: Final = bytes.fromhex("1aa2f96262ea2b3a2585aae066ee0c75c82956341eb6d52cd3727480c4382841")
_SUCCESSOR_SET: Final = bytes.fromhex("bfc8d2cbd8e6c146b50c38aeb1d49839cabbcf0c4891377afa00ab64e2b22c29")
_TOPICS: Final = {ANCHORED_TOPIC: 3, _ORIGIN_REGISTERED: 2, _ORIGIN_STATUS: 2, _ANCHORER_SET: 3, _SUCCESSOR_SET: 1}


def decode_event(topics: Sequence[bytes], data: bytes) -> Event:
    """Decode one log of the contract. Raises MalformedError (``form.contract.*``) for anything else."""
    if not topics or _TOPICS.get(topics[0]) != len(topics) or any(len(topic) != WORD for topic in topics):
        raise MalformedError("form.contract.event", "not an event of the anchor contract")
    kind, indexed = topics[0], topics[1:]
    if kind == ANCHORED_TOPIC:
        return _decode_anchored(indexed[0], indexed[1], data)
    if kind == _ORIGIN_REGISTERED:
        return _decode_registered(indexed[0], data)
    (word,) = split_words(data, 1, what="event data")
    if kind == _ORIGIN_STATUS:
        return OriginStatusChanged(origin=indexed[0], status=word_int(word, bits=8, what="origin status"))
    if kind == _ANCHORER_SET:
        anchorer = word_address(indexed[1], what="anchorer")
        return AnchorerSet(origin=indexed[0], anchorer=anchorer, allowed=word_bool(word, what="allowed"))
    return SuccessorSet(successor=word_address(word, what="successor"))


def _decode_anchored(origin: bytes, size: bytes, data: bytes) -> Anchored:
    root, prev_size, note_hash, anchorer = split_words(data, 4, what="Anchored")
    return Anchored(
        origin=origin,
        size=word_int(size, bits=64, what="size"),
        root=root,
        prev_size=word_int(prev_size, bits=64, what="previous size"),
        note_hash=note_hash,
        anchorer=word_address(anchorer, what="anchorer"),
    )


def _decode_registered(origin: bytes, data: bytes) -> OriginRegistered:
    offset, admin, length = split_words(data[: 3 * WORD], 3, what="OriginRegistered")
    text = data[3 * WORD :]
    count = word_int(length, bits=16, what="name length")
    if word_int(offset, bits=16, what="name offset") != 2 * WORD or len(text) != count + -count % WORD:
        raise MalformedError("form.contract.length", "OriginRegistered: the name does not fill the data")
    if any(text[count:]):
        raise MalformedError("form.contract.range", "OriginRegistered: the padding is not zero")
    try:
        name = text[:count].decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("form.contract.name", "OriginRegistered: the name is not UTF-8") from None
    return OriginRegistered(origin=origin, name=name, admin=word_address(admin, what="origin admin"))
