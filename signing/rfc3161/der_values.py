"""Values in DER, each with its one spelling (X.690 §§8, 11): integers, object identifiers, algorithm names."""

from collections.abc import Sequence
from typing import Final

from signing.errors import MalformedError
from signing.x509.der import Element, read_elements

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
_NULL: Final = b"\x05\x00"
_INTEGER_MAX_BYTES: Final = 33
_OID_MAX_BYTES: Final = 64


def context(number: int) -> int:
    """The tag byte of ``[number]``, constructed."""
    return 0xA0 | number


def der(tag: int, *contents: bytes) -> bytes:
    """The element of that tag with these contents."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(digits))) + digits + content


def der_integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def read_members(element: Element, *tags: int, what: str) -> tuple[Element, ...]:
    """The members of a constructed element, which have exactly these tags. Raises MalformedError (``form.der``)."""
    members = read_elements(element.content, what=what)
    if tuple(member.tag for member in members) != tags:
        raise MalformedError("form.der", f"{what}: not the members that belong there")
    return members


def by_tag(members: Sequence[Element], *order: int, what: str) -> dict[int, Element]:
    """Optional members, each at most once and in ``order``, by their tags. Raises MalformedError (``form.der``)."""
    tags = [member.tag for member in members]
    if tags != [tag for tag in order if tag in tags]:
        raise MalformedError("form.der", f"{what}: unknown, repeated or misplaced members")
    return {member.tag: member for member in members}


def read_integer(element: Element, *, what: str) -> int:
    """An INTEGER of at most 256 bits. Raises MalformedError (``form.der``)."""
    content = element.content
    if not 1 <= len(content) <= _INTEGER_MAX_BYTES or (
        len(content) > 1 and content[0] in (0x00, 0xFF) and content[0] >> 7 == content[1] >> 7
    ):
        raise MalformedError("form.der", f"{what}: an integer is too long or not in its one spelling")
    return int.from_bytes(content, signed=True)


def read_oid(element: Element, *, what: str) -> str:
    """An OBJECT IDENTIFIER in dotted form (X.690 §8.19). Raises MalformedError (``form.der``)."""
    content = element.content
    if element.tag != OID or not 1 <= len(content) <= _OID_MAX_BYTES or content[-1] & 0x80:
        raise MalformedError("form.der", f"{what}: not an object identifier")
    numbers, value, begins = [], 0, True
    for byte in content:
        if begins and byte == 0x80:
            raise MalformedError("form.der", f"{what}: an object identifier is not in its one spelling")
        value = value << 7 | byte & 0x7F
        begins = not byte & 0x80
        if begins:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def read_algorithm(element: Element, *, what: str) -> str:
    """The OID of an AlgorithmIdentifier without parameters (absent or NULL: RFC 5754 §2 has both in use).

    One with parameters is returned as the OID and ``+``: none that we know has any.

    Raises MalformedError (``form.der``).
    """
    members = read_elements(element.content, what=what)
    if element.tag != SEQUENCE or not 1 <= len(members) <= 2:
        raise MalformedError("form.der", f"{what}: not an algorithm identifier")
    oid = read_oid(members[0], what=what)
    return oid if all(member.whole == _NULL for member in members[1:]) else f"{oid}+"
