"""The 32-byte words that calldata, return data and storage of the anchor contract are made of.

Checks here refuse what Solidity would refuse or silently cut: wrong lengths, integers beyond their type, dirty padding.
"""

from typing import Final

from signing.errors import MalformedError

WORD: Final = 32
_ADDRESS: Final = 20


def int_word(value: int, *, bits: int, what: str) -> bytes:
    """Encode an unsigned integer of the given width. Raises MalformedError (``form.contract.range``)."""
    if not 0 <= value < 1 << bits:
        raise MalformedError("form.contract.range", f"{what}: not an unsigned integer of {bits} bits")
    return value.to_bytes(WORD, "big")


def bytes32_word(value: bytes, *, what: str) -> bytes:
    """Return ``value`` if it is 32 bytes. Raises MalformedError (``form.contract.length``)."""
    if len(value) != WORD:
        raise MalformedError("form.contract.length", f"{what}: {WORD} bytes are needed, not {len(value)}")
    return value


def address_word(value: bytes, *, what: str) -> bytes:
    """Left-pad a 20-byte address. Raises MalformedError (``form.contract.length``)."""
    if len(value) != _ADDRESS:
        raise MalformedError("form.contract.length", f"{what}: {_ADDRESS} bytes are needed, not {len(value)}")
    return value.rjust(WORD, b"\0")


def named_address_word(value: bytes, *, what: str) -> bytes:
    """Like address_word, but the zero address is refused: nobody holds its key, so the role would be lost for ever."""
    if not any(value):
        raise MalformedError("form.contract.range", f"{what}: the zero address")
    return address_word(value, what=what)


def split_words(data: bytes, count: int, *, what: str) -> tuple[bytes, ...]:
    """Cut exactly ``count`` words. Raises MalformedError (``form.contract.length``)."""
    if len(data) != count * WORD:
        raise MalformedError("form.contract.length", f"{what}: {count * WORD} bytes are needed, not {len(data)}")
    return tuple(data[at : at + WORD] for at in range(0, len(data), WORD))


def word_int(word: bytes, *, bits: int, what: str) -> int:
    """Decode an unsigned integer of the given width. Raises MalformedError (``form.contract.range``)."""
    value = int.from_bytes(word, "big")
    if value >> bits:
        raise MalformedError("form.contract.range", f"{what}: more than {bits} bits")
    return value


def word_address(word: bytes, *, what: str) -> bytes:
    """Decode an address. Raises MalformedError (``form.contract.range``) if the padding is not zero."""
    if any(word[:-_ADDRESS]):
        raise MalformedError("form.contract.range", f"{what}: not an address")
    return word[-_ADDRESS:]


def word_bool(word: bytes, *, what: str) -> bool:
    """Decode a boolean, 0 or 1. Raises MalformedError (``form.contract.range``)."""
    return word_int(word, bits=1, what=what) == 1
