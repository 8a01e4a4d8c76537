"""Time-stamp tokens built by hand, so that each part can be wrong by itself. The signature is always a good one."""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from signing.rfc3161.der_values import der, der_integer
from tests.support.tsa import Holder

SEQUENCE, SET, OCTETS, OID, TIME = 0x30, 0x31, 0x04, 0x06, 0x18
NULL = b"\x05\x00"
GEN_TIME = b"20260601120000Z"
GEN_SECONDS = 1_780_315_200


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER, DER."""
    first, second, *others = map(int, dotted.split("."))
    content = b""
    for number in (40 * first + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, 0x80 | number & 0x7F)
        content += bytes(digits)
    return der(OID, content)


def algorithm(dotted: str, parameters: bytes = b"") -> bytes:
    """An AlgorithmIdentifier."""
    return der(SEQUENCE, oid(dotted), parameters)


SHA256 = algorithm("2.16.840.1.101.3.4.2.1", NULL)
SHA1 = algorithm("1.3.14.3.2.26", NULL)
SM3 = algorithm("1.2.156.10197.1.401", NULL)
SIGNED_DATA = oid("1.2.840.113549.1.7.2")
TST_INFO = oid("1.2.840.113549.1.9.16.1.4")


def tst_info(
    message: bytes,
    *,
    version: int = 1,
    policy: bytes = oid("1.2.3.4.1"),
    hash_algorithm: bytes = SHA256,
    digest: bytes | None = None,
    gen_time: bytes = GEN_TIME,
    rest: bytes = b"",
) -> bytes:
    """The statement; ``rest`` are the optional members."""
    imprint = der(SEQUENCE, hash_algorithm, der(OCTETS, digest or hashlib.sha256(message).digest()))
    return der(SEQUENCE, der_integer(version), policy, imprint, der_integer(7), der(TIME, gen_time), rest)


def attribute(dotted: str, *values: bytes) -> bytes:
    return der(SEQUENCE, oid(dotted), der(SET, *values))


def signing_certificate(certificate: bytes, extra: bytes = b"") -> bytes:
    """The attribute SigningCertificateV2 with SHA-256; ``extra`` is an issuerSerial."""
    ess = der(SEQUENCE, der(OCTETS, hashlib.sha256(certificate).digest()), extra)
    return attribute("1.2.840.113549.1.9.16.2.47", der(SEQUENCE, der(SEQUENCE, ess)))


@dataclass
class Forgery:
    """A token; what is not given is as it should be. ``attributes`` are the signed ones beside the message's digest."""

    signer: Holder
    content: bytes
    attributes: tuple[bytes, ...] | None = None
    message_digest: bytes | None = None
    certificates: tuple[bytes, ...] | None = None
    digest_algorithm: bytes = SHA256
    announced: bytes = SHA256
    signature_algorithm: bytes | None = None
    crls: bytes = b""
    unsigned: bytes = b""
    signers: int = 1
    versions: tuple[int, int] = (3, 1)
    content_type: bytes = TST_INFO
    serial: int | None = field(default=None)

    def token(self) -> bytes:
        """The DER ContentInfo."""
        given = (self.signer.der,) if self.certificates is None else self.certificates
        certificates = der(0xA0, *sorted(given)) if given else b""
        signer_info = self._signer_info()
        signed_data = der(
            SEQUENCE,
            der_integer(self.versions[0]),
            der(SET, self.announced),
            der(SEQUENCE, self.content_type, der(0xA0, der(OCTETS, self.content))),
            certificates,
            self.crls,
            der(SET, *[signer_info] * self.signers),
        )
        return der(SEQUENCE, SIGNED_DATA, der(0xA0, signed_data))

    def _signer_info(self) -> bytes:
        digest = hashlib.sha256(self.content).digest() if self.message_digest is None else self.message_digest
        if self.attributes is None:
            self.attributes = (attribute("1.2.840.113549.1.9.3", TST_INFO), signing_certificate(self.signer.der))
        signed = b"".join(sorted((*self.attributes, attribute("1.2.840.113549.1.9.4", der(OCTETS, digest)))))
        certificate = self.signer.certificate
        serial = certificate.serial_number if self.serial is None else self.serial
        return der(
            SEQUENCE,
            der_integer(self.versions[1]),
            der(SEQUENCE, certificate.issuer.public_bytes(), der_integer(serial)),
            self.digest_algorithm,
            der(0xA0, signed),
            self.signature_algorithm or self._own_algorithm(),
            der(OCTETS, self._sign(der(SET, signed))),
            self.unsigned,
        )

    def _own_algorithm(self) -> bytes:
        is_curve = isinstance(self.signer.key, ec.EllipticCurvePrivateKey)
        return algorithm("1.2.840.10045.4.3.2") if is_curve else algorithm("1.2.840.113549.1.1.1", NULL)

    def _sign(self, message: bytes) -> bytes:
        kind = hashes.SHA1() if self.digest_algorithm == SHA1 else hashes.SHA256()
        if isinstance(self.signer.key, ec.EllipticCurvePrivateKey):
            return self.signer.key.sign(message, ec.ECDSA(kind))
        return self.signer.key.sign(message, padding.PKCS1v15(), kind)


def forge(signer: Holder, message: bytes, **changed: object) -> bytes:
    """A token over ``message`` with the members of ``tst_info`` and ``Forgery`` that are to be otherwise."""
    names = {"version", "policy", "hash_algorithm", "digest", "gen_time", "rest"}
    info = {name: value for name, value in changed.items() if name in names}
    others = {name: value for name, value in changed.items() if name not in names}
    content = others.pop("content", None) or tst_info(message, **info)
    return Forgery(signer, content, **others).token()
