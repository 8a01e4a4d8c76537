"""DER taken apart one level at a time (X.690 §§8, 10), to have the exact bytes that were signed and named.

cryptography reads what the parts mean; it does not give names, keys and algorithm identifiers as they stand.
"""

from dataclasses import dataclass, field
from typing import Final

from signing.errors import MalformedError

SEQUENCE: Final = 0x30


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag byte, ``whole`` with tag and length, and ``content`` without."""

    tag: int
    whole: bytes = field(repr=False)
    content: bytes = field(repr=False)


def read_elements(data: bytes, *, what: str) -> tuple[Element, ...]:
    """The elements that ``data`` consists of, to its last byte.

    Raises MalformedError (``form.der``) for a length that is indefinite, too long or not in its shortest spelling, for
    a tag of more than one byte, and for anything left over.
    """
    elements, start = [], 0
    while start < len(data):
        element = _read_at(data, start, what)
        elements.append(element)
        start += len(element.whole)
    return tuple(elements)


def read_sequence(data: bytes, *, what: str) -> tuple[Element, ...]:
    """The members of the one SEQUENCE that ``data`` is. Raises MalformedError (``form.der``)."""
    elements = read_elements(data, what=what)
    if len(elements) != 1 or elements[0].tag != SEQUENCE:
        raise MalformedError("form.der", f"{what}: not one DER sequence")
    return read_elements(elements[0].content, what=what)


def _read_at(data: bytes, start: int, what: str) -> Element:
    head = data[start : start + 2]
    if len(head) < 2 or head[0] & 0x1F == 0x1F:
        raise MalformedError("form.der", f"{what}: not DER")
    size, body = head[1], start + 2
    if size >= 0x80:
        digits = data[body : body + size - 0x80]
        size, body = int.from_bytes(digits), body + len(digits)
        if not 1 <= len(digits) <= 4 or len(digits) != head[1] - 0x80 or digits[0] == 0 or size < 0x80:
            raise MalformedError("form.der", f"{what}: a length is not in its one DER spelling")
    if body + size > len(data):
        raise MalformedError("form.der", f"{what}: cut off")
    return Element(head[0], data[start : body + size], data[body : body + size])
