"""Private keys as DER: PKCS#8 (RFC 5958, RFC 5208) and, for reading, SEC 1 (RFC 5915), also of SM2 (GB/T 35276).

What is written has the public half inside ECPrivateKey and names the curve outside, as OpenSSL does.
"""

from typing import Annotated, Final

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from signing.algorithms import Algorithm
from signing.errors import MalformedError
from signing.forms.spki import CURVES, algorithm_named, algorithm_of, bits_of, decode, identifier_of, key_of_bits
from signing.keys import PublicKey
from signing.secret import Secret
from signing.signers import MemorySigner, join_halves, private_half

_WHAT: Final = "private key"


@asn1.sequence
class _PrivateKeyInfo:
    version: int
    algorithm: list[asn1.TLV]
    key: bytes
    attributes: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(0)]
    public: Annotated[asn1.BitString | None, asn1.Implicit(1)]


@asn1.sequence
class _EcPrivateKey:
    version: int
    key: bytes
    curve: Annotated[ObjectIdentifier | None, asn1.Explicit(0)]
    public: Annotated[asn1.BitString | None, asn1.Explicit(1)]


def parse_pkcs8(der: Secret) -> MemorySigner:
    """The signer of an unencrypted PrivateKeyInfo or OneAsymmetricKey.

    Raises MalformedError (``key.form``, ``key.kind``, ``key.no-public-half``), UnavailableError (``extra.gm``).
    """
    info = decode(_PrivateKeyInfo, bytes(der), what=_WHAT)
    if info.version != (0 if info.public is None else 1):
        raise MalformedError("key.form", f"{_WHAT}: not the version of PKCS#8 that its members ask for")
    algorithm = algorithm_of(info.algorithm, what=_WHAT)
    public = _public(algorithm, info.public)
    if algorithm == "Ed25519":
        return join_halves(algorithm, Secret(decode(bytes, info.key, what=_WHAT)), public, what=_WHAT)
    return _ec_signer(decode(_EcPrivateKey, info.key, what=_WHAT), algorithm, public)


def parse_private_der(der: Secret) -> MemorySigner:
    """The signer of PKCS#8, or of an ECPrivateKey (SEC 1) that names its curve; raises as ``parse_pkcs8``."""
    try:
        info = decode(_EcPrivateKey, bytes(der), what=_WHAT)
    except MalformedError:
        return parse_pkcs8(der)
    if info.curve is None:
        raise MalformedError("key.form", f"{_WHAT}: does not name its curve")
    return _ec_signer(info, algorithm_named(info.curve, what=_WHAT), None)


def pkcs8_der(signer: MemorySigner) -> Secret:
    """The unencrypted DER PrivateKeyInfo of a signer's key."""
    key = signer.public_key
    if key.algorithm == "Ed25519":
        inner = asn1.encode_der(bytes(private_half(signer)))
    else:
        inner = asn1.encode_der(
            _EcPrivateKey(version=1, key=bytes(private_half(signer)), curve=None, public=bits_of(key))
        )
    return Secret(
        asn1.encode_der(
            _PrivateKeyInfo(version=0, algorithm=identifier_of(key.algorithm), key=inner, attributes=None, public=None)
        )
    )


def _ec_signer(info: _EcPrivateKey, algorithm: Algorithm, outer: PublicKey | None) -> MemorySigner:
    inner = _public(algorithm, info.public)
    if info.version != 1 or info.curve not in (None, CURVES[algorithm]):
        raise MalformedError("key.form", f"{_WHAT}: its two parts name different curves, or a version is wrong")
    if inner is not None and outer is not None and inner != outer:
        raise MalformedError("key.form", f"{_WHAT}: holds two different public keys")
    return join_halves(algorithm, Secret(info.key), inner or outer, what=_WHAT)


def _public(algorithm: Algorithm, bits: asn1.BitString | None) -> PublicKey | None:
    return None if bits is None else key_of_bits(algorithm, bits, what=_WHAT)
