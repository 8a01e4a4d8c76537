"""Chinese identifiers and their check characters.

Unified social credit code (GB 32100-2015), citizen identification number (GB 11643) and the licence identifier of the
GB/T 36904 family. A wrong check character is an error. What the standard leaves open in practice is a warning: a
stable code from one of the ``*_warnings`` functions. No error text holds the identifier.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, NewType

from signing.errors import MalformedError
from signing.x509.uscc import USCC_FORM, uscc_check_character

Uscc = NewType("Uscc", str)
CitizenId = NewType("CitizenId", str)

LICENCE_ROOT: Final = "1.2.156.3005.2"

_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN: Final = re.compile(r"[0-9]{17}[0-9Xx]")
_CITIZEN_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ALNUM: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REGION_ISSUER: Final = re.compile(r"[0-9]{6}")
_SERIAL: Final = re.compile(r"[0-9A-Z]{1,64}")  # the standard's maximum is not known; 32 is the longest seen


def check_uscc(text: str, *, what: str = "USCC") -> Uscc:
    """Return ``text`` as a unified social credit code: 18 characters, capitals, check character right (GB 32100).

    Raises MalformedError: ``form.uscc`` or ``form.check-character``.
    """
    if not USCC_FORM.fullmatch(text):
        raise MalformedError("form.uscc", f"{what}: not 18 characters of the form of GB 32100")
    if uscc_check_character(text) != text[17]:
        raise MalformedError("form.check-character", f"{what}: the check character of GB 32100 does not fit")
    return Uscc(text)


def uscc_warnings(uscc: Uscc) -> tuple[str, ...]:
    """``uscc.organisation-check`` if characters 9–17 are no organisation code with a right check (GB 11714)."""
    total = sum(int(char, 36) * weight for char, weight in zip(uscc[8:16], _ORGANISATION_WEIGHTS, strict=True))
    return () if "0123456789X0"[11 - total % 11] == uscc[16] else ("uscc.organisation-check",)


def check_citizen_id(text: str, *, what: str = "citizen ID") -> CitizenId:
    """Return a citizen ID with its final ``x`` as a capital; date and MOD 11-2 check must be right (GB 11643).

    The area is not looked up: codes have a lifetime, and numbers outlive them. Raises MalformedError:
    ``form.citizen-id`` or ``form.check-character``.
    """
    if not _CITIZEN.fullmatch(text):
        raise MalformedError("form.citizen-id", f"{what}: not 17 digits and a check character")
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise MalformedError("form.citizen-id", f"{what}: the birth date is no calendar date") from None
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _CITIZEN_WEIGHTS, strict=True))
    if "10X98765432"[total % 11] != text[17].upper():
        raise MalformedError("form.check-character", f"{what}: the check character of GB 11643 does not fit")
    return CitizenId(text.upper())


@dataclass(frozen=True, slots=True)
class LicenceId:
    """A licence identifier (GB/T 36904), taken apart; only ``parse_licence_id`` and ``build_licence_id`` make one.

    ``type_code`` is the USCC of the defining authority and three digits; ``issuer_code`` a USCC or, in legacy data,
    a six-digit region; ``version`` counts re-issues from 1.
    """

    type_code: str
    issuer_code: str
    serial: str
    version: int
    check: str

    @property
    def text(self) -> str:
        """The dotted form with the OID root."""
        return f"{LICENCE_ROOT}.{self.type_code}.{self.issuer_code}.{self.serial}.{self.version:03d}.{self.check}"


def licence_check_character(type_code: str, issuer_code: str, serial: str, version: int) -> str:
    """The ISO/IEC 7064 MOD 37,36 character over the four parts, without root and without dots.

    The parts must already have their form; ``build_licence_id`` checks them.
    """
    product = 36
    for char in f"{type_code}{issuer_code}{serial}{version:03d}":
        product = ((product + _ALNUM.index(char)) % 36 or 36) * 2 % 37
    return _ALNUM[(37 - product) % 36]


def build_licence_id(type_code: str, issuer_code: str, serial: str, version: int) -> LicenceId:
    """Make a licence identifier with its check character; raises MalformedError (``form.licence-id`` and others)."""
    check_licence_type_code(type_code)
    if not _REGION_ISSUER.fullmatch(issuer_code):
        check_uscc(issuer_code, what="licence identifier, issuer")
    if not _SERIAL.fullmatch(serial):
        raise MalformedError("form.licence-id", "licence identifier: the serial is not digits and capitals")
    if not 1 <= version <= 999:
        raise MalformedError("form.licence-id", "licence identifier: the version is not 001 to 999")
    check = licence_check_character(type_code, issuer_code, serial, version)
    return LicenceId(type_code, issuer_code, serial, version, check)


def parse_licence_id(text: str) -> LicenceId:
    """Take a licence identifier apart. Raises MalformedError: ``form.licence-id``, ``form.check-character``, …"""
    root, _, rest = text.partition(LICENCE_ROOT + ".")
    parts = rest.split(".")
    if root or len(parts) != 5 or not re.fullmatch("[0-9]{3}", parts[3]):
        raise MalformedError("form.licence-id", "licence identifier: not root, type, issuer, serial, version, check")
    licence = build_licence_id(parts[0], parts[1], parts[2], int(parts[3]))
    if licence.check != parts[4]:
        raise MalformedError("form.check-character", "licence identifier: the MOD 37,36 character does not fit")
    return licence


def licence_id_warnings(licence: LicenceId) -> tuple[str, ...]:
    """``licence-id.region-as-issuer`` where the issuer part is a region code instead of a USCC."""
    return () if len(licence.issuer_code) == 18 else ("licence-id.region-as-issuer",)


def check_licence_type_code(text: str) -> str:
    """Return a licence type code: a USCC and three digits. Raises MalformedError."""
    if not re.fullmatch("[0-9]{3}", text[18:]):
        raise MalformedError("form.licence-id", "licence type code: not a USCC and three digits")
    check_uscc(text[:18], what="licence type code")
    return text
