"""RFC 3161 time stamps: proof by an authority of its own that a message existed at a time.

    request ──▶ authority (HTTP is the caller's) ──▶ response ──▶ token, kept and exchanged ──▶ verified, ever again

What is kept is the TimeStampToken, DER. rfc3161-client (OpenSSL) checks the CMS signature; path and revocation are
checked as for all certificates (``signing.x509.path``), and what neither looks at is checked here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import load_der_x509_certificate
from rfc3161_client import VerificationError as SecondVerificationError
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from signing.digests import sha256
from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.rfc3161.der_values import BIT_STRING, OCTET_STRING, SEQUENCE, by_tag, der, der_integer, read_integer
from signing.rfc3161.timestamp_token import (
    SHA1,
    SHA256,
    TIMESTAMP_MAX_BYTES,
    CertificateName,
    Timestamp,
    parse_timestamp,
    sort_certificates,
)
from signing.x509.certificates import CHAIN_MAX, Certificate, parse_certificate
from signing.x509.der import read_sequence
from signing.x509.path import VerifiedPath, names_issuer, verify_path
from signing.x509.revocation import RevocationList
from signing.x509.signature import RSA_BITS_MAX, RSA_BITS_MIN

__all__ = [
    "TIMESTAMP_MAX_BYTES",
    "Timestamp",
    "VerifiedTimestamp",
    "parse_timestamp",
    "read_timestamp_response",
    "timestamp_request",
    "verify_timestamp",
]

SKEW_SECONDS: Final = 60
_ENVELOPE_MAX_BYTES: Final = 1024  # status, texts and failure of a response, around the token
_NULL: Final = b"\x05\x00"
_SHA256_DER: Final = bytes.fromhex("0609608648016503040201")
_TRUE: Final = bytes.fromhex("0101ff")
_GRANTED: Final = 0
_DIGESTS: Final = {SHA256: "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}
_WEAK: Final = (SHA1, "1.2.840.113549.2.5")  # SHA-1, MD5
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_SIGNATURES: Final = {
    "1.2.840.113549.1.1.1": (rsa.RSAPublicKey, tuple(_DIGESTS)),
    **{f"1.2.840.113549.1.1.{11 + n}": (rsa.RSAPublicKey, (oid,)) for n, oid in enumerate(_DIGESTS)},
    **{f"1.2.840.10045.4.3.{2 + n}": (ec.EllipticCurvePublicKey, (oid,)) for n, oid in enumerate(_DIGESTS)},
}
"""Signature algorithm → kind of key, and the digests that go with it (RFC 5754 §3)."""


@dataclass(frozen=True, slots=True)
class VerifiedTimestamp:
    """A token of a trusted authority, made by the check only. ``certificates``: from its signer's to a given root."""

    timestamp: Timestamp
    certificates: tuple[Certificate, ...]

    @property
    def authority(self) -> bytes:
        """SHA-256 of the root certificate, which names the authority in reports."""
        return self.certificates[-1].fingerprint

    @property
    def gen_time(self) -> int:
        """When the token was made, Unix seconds, rounded down."""
        return self.timestamp.info.gen_time

    @property
    def proven_at(self) -> int:
        """By when the message existed for certain: the time and the accuracy that the authority states, rounded up."""
        return self.timestamp.info.existed_by


def timestamp_request(message: bytes, *, nonce: int) -> bytes:
    """The DER TimeStampReq (RFC 3161 §2.4.1) for the SHA-256 of ``message``; the answer shall hold its certificates.

    ``nonce`` is random, new for each request, below 2^128. Raises MalformedError (``timestamp.nonce``) otherwise.
    """
    if not 0 <= nonce < 1 << 128:
        raise MalformedError("timestamp.nonce", "time-stamp request: the nonce is out of range")
    imprint = der(SEQUENCE, der(SEQUENCE, _SHA256_DER, _NULL), der(OCTET_STRING, sha256(message)))
    return der(SEQUENCE, der_integer(1), imprint, der_integer(nonce), _TRUE)


def read_timestamp_response(response: bytes, *, message: bytes, nonce: int) -> Timestamp:
    """The token in the answer to ``timestamp_request(message, nonce=nonce)``, if it answers that; not verified yet.

    Raises MalformedError as ``parse_timestamp``; UnavailableError (``timestamp.refused``) if the authority made none;
    VerificationError: ``timestamp.imprint`` (over something else), ``timestamp.nonce`` (an answer to another request).
    """
    if len(response) > TIMESTAMP_MAX_BYTES + _ENVELOPE_MAX_BYTES:
        raise MalformedError("form.size", "time-stamp response: too large")
    what = "time-stamp response"
    members = read_sequence(response, what=what)
    if not 1 <= len(members) <= 2:
        raise MalformedError("timestamp.form", f"{what}: not status and token")
    status = read_sequence(members[0].whole, what=what)
    by_tag(status[1:], SEQUENCE, BIT_STRING, what=what)
    number = read_integer(status[0], what=what) if status else None
    if number != _GRANTED or len(members) == 1:
        raise UnavailableError("timestamp.refused", f"the time-stamping authority made no time stamp: status {number}")
    timestamp = parse_timestamp(members[1].whole)
    _check_imprint(timestamp, message)
    if timestamp.info.nonce != nonce:
        raise VerificationError("timestamp.nonce", "the time stamp answers another request")
    return timestamp


def verify_timestamp(
    timestamp: Timestamp,
    message: bytes,
    *,
    roots: Sequence[Certificate],
    crls: Sequence[RevocationList] = (),
    crl_required: bool,
    now: int,
) -> VerifiedTimestamp:
    """Return what ``timestamp`` proves about ``message`` if one of ``roots`` stands for it.

    The authority's certificates must have been in force when the token was made; today they may have expired (RFC 3161
    §4). A revoked one counts for tokens from before its revocation; for none if it was compromised, or revoked for no
    stated reason.

    Raises VerificationError: ``timestamp.imprint``, ``timestamp.future`` (made more than a minute after ``now``),
    ``timestamp.weak`` (SHA-1, MD5), ``timestamp.certificate`` (not the certificate that the token names, or others
    beside it), ``timestamp.signature``, ``certificate.*`` as ``verify_path``; MalformedError for a bad certificate in
    it; UnavailableError: ``timestamp.authority`` (no given root is its authority), ``timestamp.algorithm`` (one that
    can't be checked here, such as SM2), ``certificate.revocation``.
    """
    _check_imprint(timestamp, message)
    if timestamp.gen_time > now + SKEW_SECONDS:
        raise VerificationError("timestamp.future", "the time stamp is from the future")
    chain = _find_chain(timestamp)
    _check_algorithms(timestamp, chain[0])
    if chain[-1] not in roots and not any(names_issuer(chain[-1], root) for root in roots):
        raise UnavailableError("timestamp.authority", "the time stamp's authority is not among the trusted ones")
    path = verify_path(
        chain, usage="timestamp", roots=roots, crls=crls, crl_required=crl_required, at=timestamp.gen_time, now=now
    )
    _check_names(timestamp, path.certificates[0])
    _check_signature(timestamp, path)
    return VerifiedTimestamp(timestamp, path.certificates)


def _check_imprint(timestamp: Timestamp, message: bytes) -> None:
    """RFC 3161 §2.4.2: the imprint is that of the message."""
    if hashlib.new(_digest(timestamp.info.imprint_algorithm), message).digest() != timestamp.info.imprint:
        raise VerificationError("timestamp.imprint", "the time stamp is over something else")


def _digest(oid: str) -> str:
    if oid in _WEAK:
        raise VerificationError("timestamp.weak", "the time stamp rests on a digest that no longer proves anything")
    if oid not in _DIGESTS:
        raise UnavailableError("timestamp.algorithm", f"the time stamp's digest ({oid}) can't be checked here")
    return _DIGESTS[oid]


def _find_chain(timestamp: Timestamp) -> tuple[Certificate, ...]:
    """The certificates of the token in order, from the one that signed up; each must have its place."""
    if not 1 <= len(timestamp.signer.certificates) <= CHAIN_MAX:
        raise MalformedError("timestamp.form", f"a time stamp has 1 to {CHAIN_MAX} certificates")
    rest = [parse_certificate(certificate) for certificate in timestamp.signer.certificates]
    wanted = (timestamp.signer.issuer, timestamp.signer.serial)
    chain = [certificate for certificate in rest if (certificate.issuer, certificate.serial) == wanted]
    while chain and len(rest) > len(chain):
        above = [other for other in rest if other not in chain and other.subject == chain[-1].issuer]
        if not above:
            break
        chain.append(above[0])
    if not chain or len(chain) != len(rest):
        raise VerificationError("timestamp.certificate", "the time stamp's certificates are not those of its signer")
    return tuple(chain)


def _check_algorithms(timestamp: Timestamp, certificate: Certificate) -> None:
    """One of the few known pairs of signature and digest, and the key for it."""
    signer = timestamp.signer
    _digest(signer.digest_algorithm)
    if signer.signature_algorithm not in _SIGNATURES:
        raise UnavailableError(
            "timestamp.algorithm", f"the time stamp's signature ({signer.signature_algorithm}) can't be checked here"
        )
    kind, digests = _SIGNATURES[signer.signature_algorithm]
    if signer.digest_algorithm not in digests or not isinstance(_load_key(certificate.spki), kind):
        raise VerificationError("timestamp.signature", "the time stamp's algorithms don't go with each other")


def _load_key(spki: bytes) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The signer's key if it is one that counts: RSA of 2048 to 8192 bits, P-256, P-384 or P-521."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise VerificationError("timestamp.weak", "the time-stamping authority's RSA key has too few or many bits")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise UnavailableError("timestamp.algorithm", "the time-stamping authority's key is of a kind not known here")


def _check_names(timestamp: Timestamp, certificate: Certificate) -> None:
    """The signed attributes name this certificate (RFC 5816 §2.2.2): one of the same key can't stand in."""
    here = (certificate.issuer, certificate.serial)
    for name in timestamp.signer.names:
        if name.digest != _name_digest(name, certificate.der) or name.issuer_serial not in (None, here):
            raise VerificationError("timestamp.certificate", "the time stamp names another certificate than its own")


def _name_digest(name: CertificateName, certificate: bytes) -> bytes:
    if name.algorithm == SHA1:  # RFC 2634 knows no other; to be fooled takes a second preimage, not a collision
        return hashlib.sha1(certificate, usedforsecurity=False).digest()
    return hashlib.new(_digest(name.algorithm), certificate).digest()


def _check_signature(timestamp: Timestamp, path: VerifiedPath) -> None:
    """OpenSSL's answer about the CMS signature, and once more about the path, at the time of the token."""
    granted = der(SEQUENCE, der(SEQUENCE, der_integer(_GRANTED)), sort_certificates(timestamp.token))
    try:
        verifier = VerifierBuilder(roots=[load_der_x509_certificate(path.root.der)]).build()
        verifier.verify(decode_timestamp_response(granted), timestamp.info.imprint)
    except (SecondVerificationError, ValueError):
        raise VerificationError("timestamp.signature", "the time stamp's signature does not verify") from None
