"""Strict text encodings: base64, base64url and decimals, one accepted spelling per value.

Python's own decoders accept foreign characters, non-zero trailing bits, ``4_2`` and non-ASCII digits.
Here a text is accepted only if encoding its value again gives the same text: that comparison is the check, so that the
lenient decoders, which are several times faster than those that look at each character first, are good enough.
"""

import base64
import binascii
import re

from signing.errors import MalformedError

_DECIMAL = re.compile(rb"0|[1-9][0-9]{0,19}")
INT64_MAX = 2**63 - 1


def b64_encode(data: bytes) -> str:
    """Encode as RFC 4648 §4 base64 (standard alphabet, padded)."""
    return base64.b64encode(data).decode("ascii")


def b64_decode(text: str, *, what: str) -> bytes:
    """Decode canonical RFC 4648 §4 base64; raise MalformedError (``form.base64``), naming ``what``."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        raise MalformedError("form.base64", f"{what}: not base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise MalformedError("form.base64", f"{what}: base64 is not canonical")
    return data


def b64url_encode(data: bytes) -> str:
    """Encode as RFC 4648 §5 base64url without padding, as JOSE wants it (RFC 7515 §2)."""
    # Not urlsafe_b64encode: its table look-up takes twice as long, and every token passes here.
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode("ascii")


def b64url_decode(text: str, *, what: str) -> bytes:
    """Decode canonical unpadded base64url; raise MalformedError (``form.base64url``), naming ``what``."""
    try:
        raw = text.encode("ascii").replace(b"-", b"+").replace(b"_", b"/")
        data = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise MalformedError("form.base64url", f"{what}: not base64url") from None
    if b64url_encode(data) != text:
        raise MalformedError("form.base64url", f"{what}: base64url is not canonical")
    return data


def parse_decimal(text: str | bytes, *, what: str, maximum: int = INT64_MAX) -> int:
    """Read ASCII digits without sign or leading zero; raise MalformedError (``form.decimal``) otherwise."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if not _DECIMAL.fullmatch(raw):
        raise MalformedError("form.decimal", f"{what}: not a canonical decimal number")
    value = int(raw)
    if value > maximum:
        raise MalformedError("form.decimal", f"{what}: larger than {maximum}")
    return value
