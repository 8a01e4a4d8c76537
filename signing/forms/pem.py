"""PEM armour (RFC 7468) around DER: label, canonical base64, end. Text outside the blocks is ignored (§2)."""

import re
from dataclasses import dataclass, field
from typing import Final

from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError

_BLOCK: Final = re.compile(
    rb"^-----BEGIN ([A-Z0-9][A-Z0-9 ]{0,40})-----\n((?:[A-Za-z0-9+/=]++\n)++)-----END \1-----$", re.MULTILINE
)
_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block: its label, as in ``PUBLIC KEY``, and the bytes inside, which may be secret."""

    label: str
    der: bytes = field(repr=False)


def is_pem(data: bytes) -> bool:
    """Whether ``data`` is meant as PEM rather than DER."""
    return b"-----BEGIN " in data


def parse_pem(data: bytes, *, what: str, max_bytes: int, max_blocks: int) -> tuple[PemBlock, ...]:
    """The blocks of a PEM file in order, at least one; lines end in LF or CRLF.

    Raises MalformedError: ``form.size``, or ``form.pem`` for no block, more than ``max_blocks``, and any block that is
    not whole, has headers (RFC 1421) or is not base64 in its one spelling.
    """
    if len(data) > max_bytes:
        raise MalformedError("form.size", f"{what}: larger than {max_bytes} bytes")
    text = bytes(data).replace(b"\r\n", b"\n")
    found = _BLOCK.findall(text)
    if not found or b"-----" in _BLOCK.sub(b"", text):
        raise MalformedError("form.pem", f"{what}: not PEM: a block is not whole, or has headers or foreign characters")
    if len(found) > max_blocks:
        raise MalformedError("form.pem", f"{what}: more than {max_blocks} PEM blocks")
    return tuple(
        PemBlock(label.decode("ascii"), b64_decode(body.replace(b"\n", b"").decode("ascii"), what=what))
        for label, body in found
    )


def write_pem(label: str, der: bytes) -> bytes:
    """One block with lines of 64 characters, ended by LF (RFC 7468 §2, strict form)."""
    text = b64_encode(der)
    lines = "".join(f"{text[at : at + _LINE]}\n" for at in range(0, len(text), _LINE))
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n".encode()
