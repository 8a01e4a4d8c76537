"""The organisation that a certificate is for: its unified social credit code (GB 32100-2015) in the subject's name.

There is no one place for it. Authorities put it into organizationIdentifier (2.5.4.97, X.520; with or without the
prefix of ETSI EN 319 412-1 §5.1.4, ``NTRCN-``), serialNumber, OU, O or CN. All are looked at, and they must agree.
"""

import re
from typing import Final

from signing.errors import MalformedError
from signing.x509.der import SEQUENCE, read_elements, read_sequence

_SET: Final = 0x31
_ORGANISATION_IDENTIFIER: Final = bytes.fromhex("0603550461")
_PLACES: Final = {_ORGANISATION_IDENTIFIER, *(bytes.fromhex(f"06035504{last}") for last in ("05", "0b", "0a", "03"))}
_ENCODINGS: Final = {0x0C: "utf-8", 0x13: "ascii", 0x14: "ascii", 0x16: "ascii", 0x1E: "utf-16-be"}
_PREFIX: Final = re.compile(r"[A-Z]{3}CN-")
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_FORM: Final = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
"""18 characters, without the check character's sum."""


def find_uscc(name: bytes) -> str | None:
    """The USCC that a Name (DER, RFC 5280 §4.1.2.4) holds; None if it holds none, or two that differ.

    A value counts if it has the form and the right check character: without it, a citizen's number in serialNumber
    would pass. Raises MalformedError (``form.der``, ``certificate.form``).
    """
    found = {value for place, value in _attributes(name) if place in _PLACES and _is_uscc(value)}
    return found.pop() if len(found) == 1 else None


def _attributes(name: bytes) -> list[tuple[bytes, str]]:
    """The attributes in document order, those whose value is text; the place is the DER of their type's OID."""
    attributes = []
    for part in read_sequence(name, what="certificate, name"):
        for attribute in read_elements(part.content, what="certificate, name"):
            fields = read_elements(attribute.content, what="certificate, name")
            if part.tag != _SET or attribute.tag != SEQUENCE or len(fields) != 2:
                raise MalformedError("certificate.form", "certificate, name: not sets of attributes")
            place, value = fields
            text = value.content.decode(_ENCODINGS.get(value.tag, "ascii"), "replace")
            if place.whole == _ORGANISATION_IDENTIFIER:
                text = _PREFIX.sub("", text, count=1)
            attributes.append((place.whole, text))
    return attributes


def _is_uscc(text: str) -> bool:
    return USCC_FORM.fullmatch(text) is not None and uscc_check_character(text) == text[17]


def uscc_check_character(text: str) -> str:
    """The 18th character that GB 32100-2015 wants after the first 17 of ``text``, which has the form."""
    total = sum(_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(text[:17]))
    return _ALPHABET[-total % 31]
