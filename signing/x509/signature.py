"""Signatures on certificates and revocation lists: which algorithms count, and the check with the issuer's key.

An algorithm is accepted by the exact bytes of its AlgorithmIdentifier, so that no parameter is overlooked. SM2 goes
through ``signing.sm2`` with the default signer ID (cryptography knows no SM2), Ed25519 through libsodium.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from signing.algorithms import Algorithm
from signing.dss import der_to_raw
from signing.errors import MalformedError, VerificationError
from signing.forms.spki import parse_spki
from signing.x509.der import SEQUENCE, Element, read_elements, read_sequence

RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
_BIT_STRING: Final = 0x03


@dataclass(frozen=True, slots=True)
class Signed:
    """What is signed, byte for byte, the DER of the AlgorithmIdentifier, and the signature."""

    tbs: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_signed(der: bytes, *, version: int, inner: int, what: str) -> tuple[Signed, tuple[Element, ...]]:
    """Take SEQUENCE {tbs, algorithm, signature} apart; also the fields of tbs without the version, if there is one.

    ``version`` is the tag of that first field and ``inner`` the place of the algorithm among the others (RFC 5280
    §§4.1, 5.1). Raises MalformedError (``form.der``, ``certificate.form``), also where the algorithm inside is not the
    one outside (§4.1.1.2).
    """
    parts = read_sequence(der, what=what)
    if [part.tag for part in parts] != [SEQUENCE, SEQUENCE, _BIT_STRING] or parts[2].content[:1] != b"\x00":
        raise MalformedError("certificate.form", f"{what}: not content, algorithm and signature")
    tbs, algorithm, signature = parts
    fields = read_elements(tbs.content, what=what)
    if fields and fields[0].tag == version:
        fields = fields[1:]
    if len(fields) <= inner or fields[inner].whole != algorithm.whole:
        raise MalformedError("certificate.form", f"{what}: names one signature algorithm inside and another outside")
    return Signed(tbs.whole, algorithm.whole, signature.content[1:]), fields


def check_signature(signed: Signed, spki: bytes, *, what: str) -> None:
    """Return if ``signed`` was signed by the key ``spki`` (DER SubjectPublicKeyInfo).

    Raises VerificationError: ``certificate.algorithm`` for an algorithm that does not count (SHA-1, MD5, RSA below
    2048 bits, …) or is not the key's, ``certificate.signature``; UnavailableError (``extra.gm``) for SM2.
    """
    verify = _ALGORITHMS.get(signed.algorithm)
    if verify is None:
        raise VerificationError("certificate.algorithm", f"{what}: signed with an algorithm that does not count here")
    try:
        verify(spki, signed)
    except _WrongKeyError:
        message = f"{what}: the issuer's key is too weak, or of another algorithm than the signature"
        raise VerificationError("certificate.algorithm", message) from None
    except (MalformedError, VerificationError, InvalidSignature):
        raise VerificationError("certificate.signature", f"{what}: the issuer's signature does not verify") from None


# A chain is verified anew for each statement that rests on it. Lists are not kept here: 64 of them may be 256 MiB.
@lru_cache(maxsize=64)
def check_certificate(signed: Signed, spki: bytes) -> None:
    """``check_signature`` for certificates, which remembers those that hold."""
    check_signature(signed, spki, what="certificate")


class _WrongKeyError(Exception):
    """The key can't have made a signature of this algorithm that counts."""


_Verify = Callable[[bytes, Signed], None]


def _load(spki: bytes) -> object:
    try:
        return load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise _WrongKeyError from None


def _ecdsa(algorithm: HashAlgorithm) -> _Verify:
    def verify(spki: bytes, signed: Signed) -> None:
        key = _load(spki)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            raise _WrongKeyError
        key.verify(signed.signature, signed.tbs, ec.ECDSA(algorithm))

    return verify


def _rsa(scheme: padding.AsymmetricPadding, algorithm: HashAlgorithm) -> _Verify:
    def verify(spki: bytes, signed: Signed) -> None:
        key = _load(spki)
        if not isinstance(key, rsa.RSAPublicKey) or not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise _WrongKeyError
        key.verify(signed.signature, signed.tbs, scheme, algorithm)

    return verify


def _own(name: Algorithm, *, der: bool) -> _Verify:
    def verify(spki: bytes, signed: Signed) -> None:
        try:
            key = parse_spki(spki)
        except MalformedError:
            raise _WrongKeyError from None
        if key.algorithm != name:
            raise _WrongKeyError
        key.verify(der_to_raw(signed.signature, 32) if der else signed.signature, signed.tbs)

    return verify


def _pss(algorithm: HashAlgorithm) -> _Verify:
    return _rsa(padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)


def _pss_identifier(sha: str, salt: str) -> bytes:
    """RFC 4055 §3.1 with one hash for everything and a salt of its size: the CA/Browser Forum's only spelling."""
    digest = f"300d06096086480165030402{sha}0500"
    return bytes.fromhex(
        f"304106092a864886f70d01010a3034a00f{digest}a11c301a06092a864886f70d010108{digest}a2030201{salt}"
    )


_ALGORITHMS: Final[dict[bytes, _Verify]] = {
    bytes.fromhex("300506032b6570"): _own("Ed25519", der=False),  # RFC 8410
    bytes.fromhex("300a06082a8648ce3d040302"): _ecdsa(SHA256()),  # RFC 5758
    bytes.fromhex("300a06082a8648ce3d040303"): _ecdsa(SHA384()),
    bytes.fromhex("300d06092a864886f70d01010b0500"): _rsa(padding.PKCS1v15(), SHA256()),  # RFC 4055
    bytes.fromhex("300d06092a864886f70d01010c0500"): _rsa(padding.PKCS1v15(), SHA384()),
    bytes.fromhex("300d06092a864886f70d01010d0500"): _rsa(padding.PKCS1v15(), SHA512()),
    _pss_identifier("01", "20"): _pss(SHA256()),
    _pss_identifier("02", "30"): _pss(SHA384()),
    _pss_identifier("03", "40"): _pss(SHA512()),
    bytes.fromhex("300a06082a811ccf55018375"): _own("SM2-SM3", der=True),  # 1.2.156.10197.1.501 (GM/T 0006, GB/T 33560)
    bytes.fromhex("300c06082a811ccf550183750500"): _own("SM2-SM3", der=True),  # with the NULL that some authorities add
}
