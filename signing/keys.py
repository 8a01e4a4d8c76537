"""Keys as data, and the port through which something signs.

The algorithm belongs to the key, never to the message (RFC 8725 §3.1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NewType, Protocol, cast

from signing import ed25519, es256
from signing.digests import sha256
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError, VerificationError
from signing.strict_json import JsonValue, dump_json, json_object, json_str

Algorithm = Literal["Ed25519", "ES256"]

KeyId = NewType("KeyId", str)
"""RFC 7638 thumbprint with SHA-256, base64url without padding: 43 characters."""

Verify = Callable[[bytes, bytes, bytes], bool]

_RAW_LENGTH: Final[dict[str, int]] = {"Ed25519": 32, "ES256": 64}
_IS_POINT: Final[dict[str, Callable[[bytes], bool]]] = {"Ed25519": ed25519.is_point, "ES256": es256.is_point}
_VERIFY: Final[dict[str, Verify]] = {"Ed25519": ed25519.verifies, "ES256": es256.verifies}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: Ed25519 (RFC 8032), ``raw`` 32 bytes; or ES256 on P-256 (RFC 7518 §3.4), ``raw`` = X‖Y, 64 bytes.

    Raises MalformedError (``key.form``) for another length or a point that is not on the curve, or for Ed25519 not in
    its prime-order group.
    """

    algorithm: Algorithm
    raw: bytes

    def __post_init__(self) -> None:
        if self.algorithm not in _RAW_LENGTH or len(self.raw) != _RAW_LENGTH[self.algorithm]:
            raise MalformedError("key.form", "public key: unknown algorithm or wrong length")
        if not _IS_POINT[self.algorithm](self.raw):
            raise MalformedError("key.form", f"public key: not a point that {self.algorithm} allows")

    @property
    def key_id(self) -> KeyId:
        """The RFC 7638 thumbprint."""
        members = {name: value for name, value in self.to_jwk().items() if name != "alg"}
        return KeyId(b64url_encode(sha256(dump_json(members))))

    def to_jwk(self) -> dict[str, JsonValue]:
        """The key as a JWK (RFC 7517, RFC 8037) with ``alg``."""
        if self.algorithm == "Ed25519":
            return {"alg": "Ed25519", "crv": "Ed25519", "kty": "OKP", "x": b64url_encode(self.raw)}
        x, y = b64url_encode(self.raw[:32]), b64url_encode(self.raw[32:])
        return {"alg": "ES256", "crv": "P-256", "kty": "EC", "x": x, "y": y}

    @classmethod
    def from_jwk(cls, value: JsonValue, *, what: str = "jwk") -> "PublicKey":
        """Read exactly the members that ``to_jwk`` writes; raises MalformedError otherwise."""
        okp = isinstance(value, dict) and value.get("kty") == "OKP"
        jwk = json_object(
            value, what=what, required=("alg", "crv", "kty", "x") if okp else ("alg", "crv", "kty", "x", "y")
        )
        expected = ("Ed25519", "Ed25519", "OKP") if okp else ("ES256", "P-256", "EC")
        if (jwk["alg"], jwk["crv"], jwk["kty"]) != expected:
            raise MalformedError("key.form", f"{what}: alg, crv and kty do not name an Ed25519 or ES256 key")
        names = ("x",) if okp else ("x", "y")
        parts = [b64url_decode(json_str(jwk[name], what=what, max_length=64), what=what) for name in names]
        if any(len(part) != 32 for part in parts):
            raise MalformedError("key.form", f"{what}: a coordinate is not 32 bytes")
        return cls(cast(Algorithm, expected[0]), b"".join(parts))

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if ``signature`` (64 bytes) is this key's over ``message``; else VerificationError."""
        if not _VERIFY[self.algorithm](self.raw, signature, message):
            raise VerificationError("signature.invalid", f"the {self.algorithm} signature does not verify")


class Signer(Protocol):
    """Something that holds a private key: memory, an HSM, a remote service.

    The private key never leaves it. ``sign`` may be called concurrently, and again with the same message; it raises
    UnavailableError if the key can't be reached now.
    """

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what ``sign`` returns."""

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``: 64 bytes, for ES256 r‖s."""
