"""ES256 and ES384: ECDSA on P-256 with SHA-256 and on P-384 with SHA-384 (RFC 7518 §3.4) through cryptography.

Signatures are r‖s. (r, n−s) verifies too: no identity of ours is the hash of a signature.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing.dss import der_to_raw, in_range, raw_to_der
from signing.errors import MalformedError
from signing.secret import Secret


@dataclass(frozen=True, slots=True)
class Ecdsa:
    """One curve with its hash: ``size`` bytes to a coordinate and to a scalar, ``order`` of the base point."""

    name: str
    curve: ec.EllipticCurve
    scheme: ec.ECDSA
    size: int
    order: int

    def is_point(self, raw: bytes) -> bool:
        """Whether X‖Y is a point of the curve."""
        try:
            _load_public(self, raw)
        except ValueError:
            return False
        return True

    def load_private(self, scalar: Secret) -> ec.EllipticCurvePrivateKey:
        """The key of a private scalar; raises MalformedError (``key.form``) if it is out of range."""
        if len(scalar) != self.size or not 0 < int.from_bytes(scalar) < self.order:
            raise MalformedError("key.form", f"{self.name}: a private key has {self.size} bytes, from 1 to n−1")
        return ec.derive_private_key(int.from_bytes(scalar), self.curve)

    def draw_scalar(self, random_bytes: Callable[[int], bytes]) -> Secret:
        """A private scalar from ``random_bytes``; draws again in the 2^-32 case that one is out of range."""
        while not 0 < int.from_bytes(scalar := Secret(random_bytes(self.size))) < self.order:
            continue
        return scalar

    def sign(self, key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
        """r‖s, each of ``size`` bytes."""
        return der_to_raw(key.sign(message, self.scheme), self.size)

    def verifies(self, raw: bytes, signature: bytes, message: bytes) -> bool:
        """Whether r‖s is the signature of key X‖Y over ``message``. Only ``PublicKey.verify`` calls this."""
        if not in_range(signature, self.size, self.order):
            return False
        try:
            _load_public(self, raw).verify(raw_to_der(signature), message, self.scheme)
        except InvalidSignature:
            return False
        return True


def raw_public(key: ec.EllipticCurvePublicKey) -> bytes:
    """X‖Y of a public key."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


@lru_cache(maxsize=256)
def _load_public(ecdsa: Ecdsa, raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ecdsa.curve, b"\x04" + raw)


ES256: Final = Ecdsa(
    "ES256",
    ec.SECP256R1(),
    ec.ECDSA(SHA256()),
    32,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
ES384: Final = Ecdsa(
    "ES384",
    ec.SECP384R1(),
    ec.ECDSA(SHA384()),
    48,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
)
