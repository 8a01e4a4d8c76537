"""Seals on networks whose genesis says ``ecCurve: secp256r1``: the signer is sought among known public keys.

No library at hand recovers a P-256 key from a signature, and none is needed: the trust profile lists the keys. The
recovery byte v is checked too, or it would be a byte of the proof that anybody could change.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from signing import VerificationError

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SEAL_BYTES: Final = 65
_PREHASHED: Final = ECDSA(Prehashed(SHA256()))  # the digest is keccak; only its length matters here


def _point(encoded: bytes) -> EllipticCurvePublicKey | None:
    try:
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), encoded)
    except ValueError:
        return None


def _holds(key: EllipticCurvePublicKey, r: int, s: int, digest: int) -> bool:
    try:
        key.verify(encode_dss_signature(r, s), digest.to_bytes(32, "big"), _PREHASHED)
    except InvalidSignature:
        return False
    return True


def _parity_holds(public_key: bytes, r: int, s: int, digest: int, parity: int) -> bool:
    """Whether r‖s with this v recovers ``public_key``, of which it is known to be a signature.

    v names the point R of abscissa r, and the key is Q = (s/r)·R − (digest/r)·G. That Q has the abscissa of the key is
    what ECDSA verification says of a signature (x(Q), x(Q)·r/s) over −x(Q)·digest/s under the "key" R.
    """
    nonce_point = _point(bytes((2 + parity,)) + r.to_bytes(32, "big"))
    x = int.from_bytes(public_key[:32]) % _ORDER
    if nonce_point is None or x == 0:
        return False
    over_s = x * pow(s, -1, _ORDER) % _ORDER
    return _holds(nonce_point, x, over_s * r % _ORDER, -over_s * digest % _ORDER)


def find_signer_r1(seal: bytes, digest: bytes, keys: Mapping[bytes, bytes]) -> bytes:
    """The address among ``keys`` (address to X‖Y) that made ``seal`` = r ‖ s ‖ v over the 32-byte ``digest``.

    Either s is taken, as P-256 networks write both; v is 0 or 1. Raises VerificationError (``anchor.seal``).
    """
    r, s, parity = int.from_bytes(seal[:32]), int.from_bytes(seal[32:64]), seal[64:]
    if len(seal) == _SEAL_BYTES and 0 < r < _ORDER and 0 < s < _ORDER and parity in (b"\0", b"\1"):
        hashed = int.from_bytes(digest)
        for address, public_key in keys.items():
            key = _point(b"\x04" + public_key)
            if key is None or not _holds(key, r, s, hashed):
                continue
            if _parity_holds(public_key, r, s, hashed, parity[0]):
                return address
    raise VerificationError("anchor.seal", "header: no key of the validator set made a seal")
