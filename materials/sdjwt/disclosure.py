"""One disclosure of an SD-JWT (RFC 9901 §4.2): the salted name and value that a digest in the token stands for."""

from dataclasses import dataclass, field
from typing import Final

from signing.digests import sha256
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError
from signing.strict_json import JsonValue, dump_json, parse_json

SALT_BYTES: Final = 16
RESERVED_NAMES: Final = frozenset({"_sd", "...", "_sd_alg"})
_SALT_LENGTH: Final = 22  # characters of base64url that hold 128 bits
_MAX_LENGTH: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A disclosure as text and taken apart. ``name`` is None for an element of an array.

    ``digest`` is base64url of SHA-256 over the ASCII text: the text is what counts, not the JSON in it.
    """

    name: str | None
    digest: str
    text: str = field(repr=False)
    salt: str = field(repr=False)
    value: JsonValue = field(repr=False)


def make_disclosure(name: str | None, value: JsonValue, *, salt: bytes) -> Disclosure:
    """Make a disclosure; ``salt`` is 16 random bytes used for nothing else. Raises MalformedError (``sd.*``)."""
    salt_text = b64url_encode(salt)
    content: list[JsonValue] = [salt_text, value] if name is None else [salt_text, name, value]
    return parse_disclosure(b64url_encode(dump_json(content)))


def parse_disclosure(text: str) -> Disclosure:
    """Take a disclosure apart.

    Raises MalformedError: ``sd.element-count``, ``sd.salt`` (no string, or under 128 bits), ``sd.reserved-name``, or
    what the base64url and JSON readers raise.
    """
    if len(text) > _MAX_LENGTH:
        raise MalformedError("form.size", f"disclosure: larger than {_MAX_LENGTH} characters")
    content = parse_json(b64url_decode(text, what="disclosure"), what="disclosure", max_bytes=_MAX_LENGTH)
    if not isinstance(content, list) or len(content) not in {2, 3}:
        raise MalformedError("sd.element-count", "disclosure: not an array of two or three elements")
    salt, name = content[0], content[1] if len(content) == 3 else None
    if not isinstance(salt, str) or len(salt) < _SALT_LENGTH:
        raise MalformedError("sd.salt", "disclosure: the salt is no string of at least 128 bits")
    if len(content) == 3 and not isinstance(name, str):
        raise MalformedError("sd.name", "disclosure: the name is not a string")
    if name in RESERVED_NAMES:
        raise MalformedError("sd.reserved-name", "disclosure: a name that SD-JWT reserves")
    digest = b64url_encode(sha256(text.encode("ascii")))
    return Disclosure(name if isinstance(name, str) else None, digest, text, salt, content[-1])
