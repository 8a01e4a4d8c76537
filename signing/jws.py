"""Compact JWS (RFC 7515 §7.1), strictly: one header form, the algorithm from the key, the signed bytes kept.

The protected header is exactly ``{"alg", "kid", "typ"}``. ``crit``, ``b64``, ``jwk``, ``jku``, ``x5c``, ``x5u`` and any
other member refuse the token; so does ``alg`` other than the key's, and ``none`` belongs to no key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError, VerificationError
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import DEPTH_MAX, JsonValue, dump_json, json_object, json_str, parse_json

_HEADER_MAX = 1024


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A well-formed JWS whose signature nobody has checked yet. ``kid`` is a hint for finding the key."""

    text: str = field(repr=False)
    alg: str
    kid: KeyId
    typ: str
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)

    def claims(self) -> dict[str, JsonValue]:
        """The payload as a JSON object, still unverified; raises MalformedError."""
        value = parse_json(self.payload, what=self.typ, max_bytes=len(self.payload))
        if not isinstance(value, dict):
            raise MalformedError("form.type", f"{self.typ}: the payload is not a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class VerifiedJws:
    """A JWS whose signature verified; only ``verify_jws`` makes one."""

    text: str = field(repr=False)
    typ: str
    key_id: KeyId
    claims: Mapping[str, JsonValue] = field(repr=False)


def sign_jws(signer: Signer, *, typ: str, claims: Mapping[str, JsonValue]) -> str:
    """Sign ``claims`` as ``<header>.<payload>.<signature>``; ``kid`` is the key's thumbprint.

    Raises MalformedError for claims that our own reader would refuse: they are not signed.
    """
    payload = dump_json(dict(claims), max_depth=DEPTH_MAX)
    signing_input = f"{_header(signer.public_key, typ)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(signer.sign(signing_input.encode('ascii')))}"


@lru_cache(maxsize=256)
def _header(key: PublicKey, typ: str) -> str:
    return b64url_encode(dump_json({"alg": key.algorithm, "kid": key.key_id, "typ": typ}))


def parse_jws(text: str, *, typ: str, max_bytes: int) -> UnverifiedJws:
    """Take a compact JWS of kind ``typ`` apart.

    Raises MalformedError: ``form.size`` (checked before anything is decoded), ``form.jws``, ``form.typ``, or what the
    base64url and JSON readers raise.
    """
    if len(text) > max_bytes:
        raise MalformedError("form.size", f"{typ}: larger than {max_bytes} bytes")
    parts = text.split(".", 3)
    if len(parts) != 3:
        raise MalformedError("form.jws", f"{typ}: not three parts joined by dots")
    header_bytes, payload, signature = (b64url_decode(part, what=typ) for part in parts)
    header = json_object(
        parse_json(header_bytes, what=f"{typ} header", max_bytes=_HEADER_MAX, max_depth=2),
        what=f"{typ} header",
        required=("alg", "kid", "typ"),
    )
    if header["typ"] != typ:
        raise MalformedError("form.typ", f"the token is not of typ {typ}")
    alg, kid = (json_str(header[name], what=f"{typ} header {name}", max_length=64) for name in ("alg", "kid"))
    signing_input = text.rpartition(".")[0].encode("ascii")
    return UnverifiedJws(text, alg, KeyId(kid), typ, payload, signature, signing_input)


def verify_jws(jws: UnverifiedJws, key: PublicKey) -> VerifiedJws:
    """Check ``jws`` with ``key`` (RFC 7515 §5.2) and return its claims.

    Raises VerificationError: ``signature.key`` if the header names another key or algorithm, ``signature.invalid``;
    MalformedError if what was signed is not a JSON object.
    """
    if jws.alg != key.algorithm or jws.kid != key.key_id:
        raise VerificationError("signature.key", f"{jws.typ}: the header names another key or algorithm")
    key.verify(jws.signature, jws.signing_input)
    return VerifiedJws(jws.text, jws.typ, jws.kid, jws.claims())
