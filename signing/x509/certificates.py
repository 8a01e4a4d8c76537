"""X.509 certificates (RFC 5280 §4, GB/T 20518 for SM2) as data. Reading one proves nothing: see ``certificate_path``.

cryptography reads times and extensions; names, keys and signed bytes are taken from the DER as they stand.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509

from signing.digests import sha256
from signing.encoding import b64_decode
from signing.errors import MalformedError
from signing.forms.spki import parse_spki
from signing.keys import PublicKey
from signing.x509.der import SEQUENCE
from signing.x509.extensions import Extensions, read_extensions
from signing.x509.signature import Signed, read_signed
from signing.x509.uscc import find_uscc

CERTIFICATE_MAX_BYTES: Final = 16 << 10
CHAIN_MAX: Final = 8
CERTIFICATE_FILE_MAX_BYTES: Final = 256 << 10

_INTEGER: Final = 0x02
_VERSION: Final = 0xA0
_SERIAL_MAX_BYTES: Final = 20
_EMPTY_NAME: Final = b"\x30\x00"
_PEM_BEGIN: Final = b"-----BEGIN "
_PEM_BLOCK: Final = re.compile(rb"-----BEGIN ([^-\r\n]{1,40})-----([^-]*)-----END \1-----")
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [^-\r\n]{0,40}PRIVATE KEY")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that was read, not verified. Nothing that may name a person is in its ``repr``.

    ``subject`` and ``issuer`` are names in DER, ``not_before`` and ``not_after`` Unix seconds that both count as
    inside, ``spki`` the DER SubjectPublicKeyInfo; ``public_key`` is None for a key of a kind that nothing is signed
    with here (RSA). ``uscc`` is the one social credit code in the subject, None if there is none or more than one.
    """

    der: bytes = field(repr=False)
    serial: int = field(repr=False)
    subject: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    not_before: int
    not_after: int
    spki: bytes = field(repr=False)
    public_key: PublicKey | None
    uscc: str | None = field(repr=False)
    extensions: Extensions = field(repr=False)
    signed: Signed = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the DER, 32 bytes, by which people compare certificates."""
        return sha256(self.der)

    def valid_at(self, at: int) -> bool:
        """Whether ``at`` (Unix seconds) is within the validity, both ends included (RFC 5280 §4.1.2.5)."""
        return self.not_before <= at <= self.not_after


def parse_certificate(der: bytes) -> Certificate:
    """Read one DER certificate.

    Raises MalformedError: ``form.size``, ``form.der``, ``certificate.form``, or ``key.form`` for a public key that is
    no point of its curve.
    """
    if len(der) > CERTIFICATE_MAX_BYTES:
        raise MalformedError("form.size", f"certificate: larger than {CERTIFICATE_MAX_BYTES} bytes")
    signed, fields = read_signed(der, version=_VERSION, inner=1, what="certificate")
    if [each.tag for each in fields[:6]] != [_INTEGER] + 5 * [SEQUENCE]:
        raise MalformedError("certificate.form", "certificate: not serial number, names, validity and key")
    serial, _, issuer, _, subject, spki = fields[:6]
    number = int.from_bytes(serial.content, signed=True)
    if number <= 0 or len(serial.content) > _SERIAL_MAX_BYTES or issuer.whole == _EMPTY_NAME:
        raise MalformedError(
            "certificate.form", "certificate: the serial number is not positive or too long, or no issuer"
        )
    not_before, not_after, extensions = _read_meaning(der)
    return Certificate(
        der, number, subject.whole, issuer.whole, not_before, not_after, spki.whole, _public_key(spki.whole),
        find_uscc(subject.whole), extensions, signed
    )  # fmt: skip


def read_certificates(data: bytes) -> tuple[Certificate, ...]:
    """Read a certificate file: PEM (RFC 7468) with 1 to 8 certificates and any text around them, or one DER.

    Raises MalformedError: ``certificate.private-key`` if somebody put a private key into the file,
    ``certificate.chain`` for none or too many, and what ``parse_certificate`` raises.
    """
    if len(data) > CERTIFICATE_FILE_MAX_BYTES:
        raise MalformedError("form.size", f"certificate file: larger than {CERTIFICATE_FILE_MAX_BYTES} bytes")
    blocks = read_pem(data, label=b"CERTIFICATE", what="certificate file")
    if len(blocks) > CHAIN_MAX:
        raise MalformedError("certificate.chain", f"certificate file: more than {CHAIN_MAX} certificates")
    return tuple(parse_certificate(block) for block in blocks)


def read_pem(data: bytes, *, label: bytes, what: str) -> list[bytes]:
    """The DER of the PEM blocks in ``data``, all of this ``label``; without any block ``data`` itself.

    Text around the blocks is not looked at: openssl writes some.

    Raises MalformedError: ``certificate.private-key``, ``certificate.form``, ``form.base64``.
    """
    if _PRIVATE_KEY.search(data):
        why = "holds a PRIVATE KEY, which nobody else may have; give the certificates alone"
        raise MalformedError("certificate.private-key", f"{what}: {why}")
    if _PEM_BEGIN not in data:
        return [data]
    blocks = _PEM_BLOCK.findall(data)
    if len(blocks) != data.count(_PEM_BEGIN) or any(found != label for found, _ in blocks):
        raise MalformedError("certificate.form", f"{what}: a PEM block is cut off or is no {label.decode()}")
    return [b64_decode(b"".join(body.split()).decode("latin-1"), what=what) for _, body in blocks]


def _public_key(spki: bytes) -> PublicKey | None:
    try:
        return parse_spki(spki)
    except MalformedError as error:
        if error.code == "key.kind":
            return None
        raise


def _read_meaning(der: bytes) -> tuple[int, int, Extensions]:
    try:
        parsed = x509.load_der_x509_certificate(der)
        if len(parsed.extensions) and parsed.version is not x509.Version.v3:
            raise ValueError
        not_before, not_after = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        return int(not_before.timestamp()), int(not_after.timestamp()), read_extensions(parsed.extensions)
    except MemoryError:
        raise  # says nothing about what was read
    except Exception:  # it reads late, and raises a dozen types: DuplicateExtension, InvalidVersion, ValueError …
        raise MalformedError("certificate.form", "certificate: not of the form of RFC 5280") from None
