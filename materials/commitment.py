"""A commitment: the log entry for a signed object that is kept private, such as a grant or a usage record.

Three lines: ``ematerials/commitment/v1``, a kind, and base64 of SHA-256 over the object's text, each ended by a line
feed. The object must hold 128 random bits (its ``jti`` or a salt), else the digest could be guessed.
"""

import re
from dataclasses import dataclass
from typing import Final

from signing.digests import sha256
from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError

COMMITMENT_VERSION: Final = "ematerials/commitment/v1"
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ENTRY: Final = re.compile(rb"ematerials/commitment/v1\n([a-z][a-z0-9-]{0,31})\n([A-Za-z0-9+/]{43}=)\n")


@dataclass(frozen=True, slots=True)
class Commitment:
    """``kind`` is a word of lower-case letters, digits and ``-`` (``grant``, ``usage-record``); ``digest`` 32 bytes."""

    kind: str
    digest: bytes


def commit_to(kind: str, text: str | bytes) -> Commitment:
    """Commit to a signed text that holds at least 128 random bits."""
    return Commitment(kind, sha256(text.encode("utf-8") if isinstance(text, str) else text))


def format_commitment(commitment: Commitment) -> bytes:
    """The log entry; raises MalformedError (``form.commitment``) for a bad kind or a digest that is not 32 bytes."""
    if not _KIND.fullmatch(commitment.kind) or len(commitment.digest) != 32:
        raise MalformedError("form.commitment", "commitment: not a kind and 32 bytes")
    return f"{COMMITMENT_VERSION}\n{commitment.kind}\n{b64_encode(commitment.digest)}\n".encode("ascii")


def parse_commitment(entry: bytes) -> Commitment:
    """Read a commitment, byte for byte; raises MalformedError (``form.commitment``, ``form.base64``)."""
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise MalformedError("form.commitment", f"not an entry of {COMMITMENT_VERSION}")
    return Commitment(match[1].decode("ascii"), b64_decode(match[2].decode("ascii"), what="commitment"))
