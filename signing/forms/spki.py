"""Public keys as DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7, RFC 5480, RFC 8410, GB/T 35276), in one form per key.

Curves are named by OID, points are uncompressed; explicit parameters and compressed points are refused.
"""

from typing import Final, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from signing.algorithms import ALGORITHMS, Algorithm
from signing.errors import MalformedError
from signing.keys import PublicKey

ACCEPTED: Final = "accepted are Ed25519, P-256, P-384 and SM2"
SPKI_MAX_BYTES: Final = 4096
EC_KEY: Final = ObjectIdentifier("1.2.840.10045.2.1")
ED25519_KEY: Final = ObjectIdentifier("1.3.101.112")
CURVES: Final[dict[Algorithm, ObjectIdentifier]] = {
    "ES256": ObjectIdentifier("1.2.840.10045.3.1.7"),
    "ES384": ObjectIdentifier("1.3.132.0.34"),
    "SM2-SM3": ObjectIdentifier("1.2.156.10197.1.301"),
}
_OF_CURVE: Final = {oid: algorithm for algorithm, oid in CURVES.items()}
_OTHERS: Final = {
    "1.2.840.113549.1.1.1": "an RSA key",
    "1.2.840.113549.1.1.10": "an RSA-PSS key",
    "1.2.840.10040.4.1": "a DSA key",
    "1.2.840.113549.1.3.1": "a Diffie-Hellman key",
    "1.3.101.110": "an X25519 key, which does not sign",
    "1.3.101.111": "an X448 key, which does not sign",
    "1.3.101.113": "an Ed448 key",
    "1.3.132.0.10": "a key of the curve secp256k1",
    "1.3.132.0.33": "a key of the curve P-224",
    "1.3.132.0.35": "a key of the curve P-521",
    "2.16.840.1.101.3.4.3.17": "an ML-DSA-44 key",
}
_T = TypeVar("_T")


@asn1.sequence
class _SubjectPublicKeyInfo:
    algorithm: list[asn1.TLV]
    key: asn1.BitString


def decode(kind: type[_T], der: bytes, *, what: str) -> _T:
    """Read strict DER as ``kind``; raises MalformedError (``key.form``), whatever the bytes."""
    try:
        return asn1.decode_der(kind, der)
    except ValueError:
        raise MalformedError("key.form", f"{what}: not of the form that the standard has") from None


def other_kind(what: str, found: str) -> MalformedError:
    """The refusal of a key that is one, but not of a kind that signs here."""
    return MalformedError("key.kind", f"{what}: this is {found}; {ACCEPTED}")


def algorithm_named(oid: ObjectIdentifier, *, what: str) -> Algorithm:
    """The algorithm whose curve ``oid`` names; raises MalformedError (``key.kind``) for any other OID."""
    if oid not in _OF_CURVE:
        found = _OTHERS.get(oid.dotted_string, f"a key of another kind (OID {oid.dotted_string})")
        raise other_kind(what, found)
    return _OF_CURVE[oid]


def algorithm_of(identifier: list[asn1.TLV], *, what: str) -> Algorithm:
    """The algorithm that an AlgorithmIdentifier names.

    Raises MalformedError: ``key.kind`` for one that we don't sign with, ``key.form`` for what is no identifier.
    """
    if not 1 <= len(identifier) <= 2:
        raise MalformedError("key.form", f"{what}: not of the form that the standard has")
    kind = _parse_oid(identifier[0], what)
    if kind == EC_KEY and len(identifier) == 2:
        if identifier[1].tag_bytes == b"\x30":
            raise other_kind(what, "a key with explicit curve parameters instead of a named curve")
        return algorithm_named(_parse_oid(identifier[1], what), what=what)
    if kind == ED25519_KEY and len(identifier) == 1:
        return "Ed25519"
    if kind in (EC_KEY, ED25519_KEY):
        raise MalformedError("key.form", f"{what}: curve missing, or parameters where none belong")
    return algorithm_named(kind, what=what)


def identifier_of(algorithm: Algorithm) -> list[asn1.TLV]:
    """The AlgorithmIdentifier of keys of ``algorithm``."""
    oids = [ED25519_KEY] if algorithm == "Ed25519" else [EC_KEY, CURVES[algorithm]]
    return [asn1.decode_der(asn1.TLV, asn1.encode_der(oid)) for oid in oids]


def key_of_bits(algorithm: Algorithm, bits: asn1.BitString, *, what: str) -> PublicKey:
    """The key in a BIT STRING: 32 bytes (Ed25519) or ``04 ‖ X ‖ Y``. Raises MalformedError (key.form, key.kind)."""
    raw = bits.as_bytes()
    if bits.padding_bits():
        raise MalformedError("key.form", f"{what}: not whole bytes")
    if algorithm == "Ed25519":
        return PublicKey(algorithm, raw)
    if raw[:1] in (b"\x02", b"\x03") and len(raw) == 1 + ALGORITHMS[algorithm].size:
        raise other_kind(what, "a compressed point; write it uncompressed (openssl: -conv_form uncompressed)")
    if raw[:1] != b"\x04":
        raise MalformedError("key.form", f"{what}: not an uncompressed point")
    return PublicKey(algorithm, raw[1:])


def bits_of(key: PublicKey) -> asn1.BitString:
    """The BIT STRING that ``key_of_bits`` reads."""
    return asn1.BitString(key.raw if key.algorithm == "Ed25519" else b"\x04" + key.raw, 0)


def parse_spki(der: bytes, *, what: str = "public key") -> PublicKey:
    """The key of a DER SubjectPublicKeyInfo.

    Raises MalformedError: ``key.kind`` if it is a key of a kind, curve or spelling that we don't sign with,
    ``key.form`` if it is no SubjectPublicKeyInfo or no point of its curve.
    """
    if len(der) > SPKI_MAX_BYTES:
        raise MalformedError("form.size", f"{what}: larger than {SPKI_MAX_BYTES} bytes")
    info = decode(_SubjectPublicKeyInfo, der, what=what)
    return key_of_bits(algorithm_of(info.algorithm, what=what), info.key, what=what)


def spki_der(key: PublicKey) -> bytes:
    """The DER SubjectPublicKeyInfo of a key: 44 bytes for Ed25519, 91 for P-256 and SM2, 120 for P-384."""
    return asn1.encode_der(_SubjectPublicKeyInfo(algorithm=identifier_of(key.algorithm), key=bits_of(key)))


def _parse_oid(item: asn1.TLV, what: str) -> ObjectIdentifier:
    try:
        oid: ObjectIdentifier = item.parse(ObjectIdentifier)
    except ValueError:
        raise MalformedError("key.form", f"{what}: not of the form that the standard has") from None
    return oid
