"""ES256: ECDSA on P-256 with SHA-256 (RFC 7518 §3.4) through cryptography, signatures as r‖s."""

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing.errors import MalformedError

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA: Final = ec.ECDSA(SHA256())


def in_range(scalar: bytes) -> bool:
    """Whether 32 bytes are a private key of the curve."""
    return len(scalar) == 32 and 0 < int.from_bytes(scalar) < _ORDER


def is_point(raw: bytes) -> bool:
    """Whether X‖Y is a point of P-256."""
    try:
        _load_public(raw)
    except ValueError:
        return False
    return True


def load_private(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    """The key of a 32-byte private scalar; raises MalformedError if it is out of range."""
    if not in_range(scalar):
        raise MalformedError("key.form", "a P-256 private key has 32 bytes and lies between 1 and n−1")
    return ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())


def raw_public(key: ec.EllipticCurvePrivateKey) -> bytes:
    """X‖Y of a private key's public key, 64 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """r‖s, 64 bytes."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32) + s.to_bytes(32)


def verifies(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether r‖s is the signature of key X‖Y over ``message``. Only ``PublicKey.verify`` calls this."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        return False
    try:
        _load_public(raw).verify(encode_dss_signature(r, s), message, _ECDSA)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _load_public(raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + raw)
