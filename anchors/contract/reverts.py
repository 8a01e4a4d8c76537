"""Why the anchor contract refused: its custom errors, told apart by selector."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from anchors.contract.words import split_words, word_int
from signing.errors import MalformedError


class RevertName(StrEnum):
    """The contract's errors, and two that no contract of ours names."""

    NOT_GOVERNOR = "NotGovernor"
    NOT_ADMIN = "NotAdmin"
    NOT_ANCHORER = "NotAnchorer"
    BAD_ORIGIN = "BadOrigin"
    STALE_HEAD = "StaleHead"
    CONFLICT = "Conflict"
    BAD_CONSISTENCY = "BadConsistency"
    BAD_SIZE = "BadSize"
    EMPTY = ""
    """No revert data: out of gas, or the SHA-256 call failed. Compare the gas used with the limit."""
    UNKNOWN = "?"
    """Not an error of this contract: another contract lives at the address."""


@dataclass(frozen=True, slots=True)
class Revert:
    """A decoded refusal. ``size``: the head's (StaleHead) or the contested one (Conflict, with the stored root)."""

    name: RevertName
    size: int | None = None
    stored_root: bytes | None = None


# First four bytes of keccak-256 of the signature; a test derives them from the built ABI.
_PLAIN: Final = {
    bytes.fromhex("ee3675d4"): RevertName.NOT_GOVERNOR,
    bytes.fromhex("7bfa4b9f"): RevertName.NOT_ADMIN,
    bytes.fromhex("d46c4215"): RevertName.NOT_ANCHORER,
    bytes.fromhex("1c2f59db"): RevertName.BAD_ORIGIN,
    bytes.fromhex("c117269f"): RevertName.BAD_CONSISTENCY,
    bytes.fromhex("6cd3dc25"): RevertName.BAD_SIZE,
}
_STALE_HEAD: Final = bytes.fromhex("097612db")
_CONFLICT: Final = bytes.fromhex("bd2bd143")


def decode_revert(data: bytes) -> Revert:
    """Name the refusal behind revert data; what can't be named is ``UNKNOWN``. Never raises."""
    selector, arguments = data[:4], data[4:]
    try:
        if selector == _STALE_HEAD:
            (size,) = split_words(arguments, 1, what="StaleHead")
            return Revert(RevertName.STALE_HEAD, size=word_int(size, bits=64, what="head size"))
        if selector == _CONFLICT:
            size, root = split_words(arguments, 2, what="Conflict")
            return Revert(RevertName.CONFLICT, size=word_int(size, bits=64, what="size"), stored_root=root)
    except MalformedError:
        return Revert(RevertName.UNKNOWN)
    if not data:
        return Revert(RevertName.EMPTY)
    if arguments:
        return Revert(RevertName.UNKNOWN)
    return Revert(_PLAIN.get(selector, RevertName.UNKNOWN))
