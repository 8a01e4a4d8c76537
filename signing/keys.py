"""Keys as data, and the port through which something signs.

The algorithm belongs to the key, never to the message (RFC 8725 §3.1).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NewType, Protocol

from signing.algorithms import ALGORITHMS, Algorithm, CryptoProfile
from signing.digests import sha256
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError, VerificationError
from signing.strict_json import JsonValue, dump_json, json_object, json_str

KeyId = NewType("KeyId", str)
"""RFC 7638 thumbprint with SHA-256, base64url without padding: 43 characters."""

_MEMBERS: Final = {"OKP": ("alg", "crv", "kty", "x"), "EC": ("alg", "crv", "kty", "x", "y")}
_NAMES: Final[dict[tuple[str, str, str], Algorithm]] = {
    (name, row.crv, row.kty): name for name, row in ALGORITHMS.items()
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its algorithm and ``raw``, the 32 bytes of an Ed25519 key (RFC 8032) or X‖Y of a curve's point.

    Raises MalformedError (``key.form``) for another length or a point that is not on the curve, or for Ed25519 not in
    its prime-order group.
    """

    algorithm: Algorithm
    raw: bytes

    def __post_init__(self) -> None:
        row = ALGORITHMS.get(self.algorithm)
        if row is None or len(self.raw) != row.raw_size:
            raise MalformedError("key.form", "public key: unknown algorithm or wrong length")
        if not row.is_point(self.raw):
            raise MalformedError("key.form", f"public key: not a point that {self.algorithm} allows")

    @property
    def key_id(self) -> KeyId:
        """The RFC 7638 thumbprint; for SM2 over the members ``crv``, ``kty``, ``x``, ``y`` of its private JWK form."""
        return _thumbprint(self)

    @property
    def profile(self) -> CryptoProfile:
        """The family of cryptography that the key belongs to."""
        return ALGORITHMS[self.algorithm].profile

    def to_jwk(self) -> dict[str, JsonValue]:
        """The key as a JWK (RFC 7517, RFC 8037) with ``alg``."""
        row = ALGORITHMS[self.algorithm]
        jwk: dict[str, JsonValue] = {
            "alg": self.algorithm, "crv": row.crv, "kty": row.kty, "x": b64url_encode(self.raw[: row.size])
        }  # fmt: skip
        return jwk if row.kty == "OKP" else jwk | {"y": b64url_encode(self.raw[row.size :])}

    @classmethod
    def from_jwk(cls, value: JsonValue, *, what: str = "jwk") -> "PublicKey":
        """Read exactly the members that ``to_jwk`` writes; raises MalformedError otherwise."""
        kty = "OKP" if isinstance(value, dict) and value.get("kty") == "OKP" else "EC"
        jwk = {
            name: json_str(member, what=what, max_length=80)
            for name, member in json_object(value, what=what, required=_MEMBERS[kty]).items()
        }
        name = _NAMES.get((jwk["alg"], jwk["crv"], jwk["kty"]))
        if name is None:
            raise MalformedError("key.form", f"{what}: alg, crv and kty do not name one of {', '.join(ALGORITHMS)}")
        parts = [b64url_decode(jwk[part], what=what) for part in ("x", "y") if part in jwk]
        if any(len(part) != ALGORITHMS[name].size for part in parts):
            raise MalformedError("key.form", f"{what}: a coordinate is not {ALGORITHMS[name].size} bytes")
        return cls(name, b"".join(parts))

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if ``signature`` is this key's over ``message``.

        Raises VerificationError (``signature.invalid``), UnavailableError if the algorithm's extra is not installed.
        """
        row = ALGORITHMS[self.algorithm]
        if len(signature) != row.signature_size or not row.verifies(self.raw, signature, message):
            raise VerificationError("signature.invalid", f"the {self.algorithm} signature does not verify")


@lru_cache(maxsize=1024)
def _thumbprint(key: PublicKey) -> KeyId:
    members = {name: value for name, value in key.to_jwk().items() if name != "alg"}
    return KeyId(b64url_encode(sha256(dump_json(members))))


class Signer(Protocol):
    """Something that holds a private key: memory, an HSM, a remote service.

    The private key never leaves it. ``sign`` may be called concurrently, and again with the same message; it raises
    UnavailableError if the key can't be reached now.
    """

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what ``sign`` returns."""

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``: raw bytes as the key's algorithm has them (Ed25519 64, ES256 and SM2 64, ES384 96)."""
