"""Reading certificates: PEM and DER files, and the USCC in the subject."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from signing import MalformedError, sha256
from signing.x509.certificates import (
    CERTIFICATE_FILE_MAX_BYTES,
    CERTIFICATE_MAX_BYTES,
    parse_certificate,
    read_certificates,
)
from tests.support.pki import NOT_AFTER, NOT_BEFORE, OTHER_USCC, USCC, make_certificate, make_key, make_root

ROOT = make_root()
LEAF = ROOT.issue("leaf", uscc=USCC, algorithm="Ed25519")
DER = LEAF.certificate.der


def test_what_a_certificate_says() -> None:
    certificate = parse_certificate(DER)
    assert (certificate.not_before, certificate.not_after) == (NOT_BEFORE, NOT_AFTER)
    assert certificate.issuer == ROOT.certificate.subject
    assert certificate.fingerprint == sha256(DER)
    assert certificate.public_key is not None
    assert certificate.public_key.algorithm == "Ed25519"
    assert certificate.public_key.raw == make_key("Ed25519", "leaf").public_key().public_bytes_raw()
    assert certificate.valid_at(NOT_BEFORE)
    assert certificate.valid_at(NOT_AFTER)
    assert not certificate.valid_at(NOT_BEFORE - 1)
    assert not certificate.valid_at(NOT_AFTER + 1)


@pytest.mark.parametrize("algorithm", ["RSA", "P-521"])
def test_other_keys_are_read_but_not_signed_with(algorithm: str) -> None:
    assert make_certificate("leaf", algorithm=algorithm).certificate.public_key is None


# Files


def test_pem_and_der_files() -> None:
    both = (LEAF.certificate, ROOT.certificate)
    assert read_certificates(DER) == (LEAF.certificate,)
    assert read_certificates(LEAF.pem + ROOT.pem) == both
    assert read_certificates(b"\xef\xbb\xbf" + LEAF.pem + ROOT.pem) == both
    assert read_certificates("主体：某机关\n".encode("gbk") + LEAF.pem + b"\r\n text \n" + ROOT.pem + b"end") == both
    assert read_certificates((LEAF.pem + ROOT.pem).replace(b"\n", b"\r\n")) == both
    assert read_certificates(ROOT.pem * 8) == (ROOT.certificate,) * 8


PRIVATE = LEAF.key_pem


REFUSED = {
    "private key after the certificate": (LEAF.pem + PRIVATE, "certificate.private-key"),
    "private key alone": (PRIVATE, "certificate.private-key"),
    "half a private key": (PRIVATE[: len(PRIVATE) // 2], "certificate.private-key"),
    "encrypted private key": (LEAF.pem + b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA", "certificate.private-key"),
    "SEC1 private key": (LEAF.pem + b"-----BEGIN EC PRIVATE KEY-----\nAAAA", "certificate.private-key"),
    "nine certificates": (ROOT.pem * 9, "certificate.chain"),
    "nothing": (b"", "form.der"),
    "text": (b"no certificate here", "form.der"),
    "PKCS#7 after it": (LEAF.pem + b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n", "certificate.form"),
    "labels differ": (LEAF.pem.replace(b"BEGIN CERTIFICATE", b"BEGIN TRUSTED CERTIFICATE"), "certificate.form"),
    "label of a list": (LEAF.pem.replace(b"CERTIFICATE", b"X509 CRL"), "certificate.form"),
    "end missing": (LEAF.pem[:-30], "certificate.form"),
    "second cut off": (LEAF.pem + LEAF.pem[:100], "certificate.form"),
    "header lines": (LEAF.pem.replace(b"-----\nM", b"-----\nProc-Type: 4\n\nM"), "certificate.form"),
    "foreign character": (LEAF.pem.replace(b"-----\nM", b"-----\n!M"), "form.base64"),
    "too much padding": (LEAF.pem.replace(b"\n-----END", b"=\n-----END"), "form.base64"),
    "file too large": (b"\n" * (CERTIFICATE_FILE_MAX_BYTES + 1), "form.size"),
    "certificate too large": (DER + b"\x00" * CERTIFICATE_MAX_BYTES, "form.size"),
    "something after it": (DER + b"\x00", "form.der"),
    "cut off": (DER[:-1], "form.der"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(name: str) -> None:
    data, code = REFUSED[name]
    with pytest.raises(MalformedError) as caught:
        read_certificates(data)
    assert caught.value.code == code


def test_a_private_key_is_not_echoed() -> None:
    with pytest.raises(MalformedError) as caught:
        read_certificates(LEAF.pem + PRIVATE)
    secret = PRIVATE.splitlines()[1].decode()
    assert secret not in str(caught.value)
    assert secret not in repr(caught.value)
    assert caught.value.__context__ is None


# The subject's social credit code


def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> str | None:
    return make_certificate("leaf", attributes=attributes).certificate.uscc


@pytest.mark.parametrize(
    "place",
    [
        NameOID.ORGANIZATION_IDENTIFIER,
        NameOID.SERIAL_NUMBER,
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.COMMON_NAME,
    ],
)
def test_every_place_of_a_uscc(place: x509.ObjectIdentifier) -> None:
    assert named((place, USCC)) == USCC
    assert named((place, USCC), (NameOID.SERIAL_NUMBER, USCC)) == USCC
    assert named((place, USCC), (NameOID.ORGANIZATIONAL_UNIT_NAME, OTHER_USCC)) is None


def test_what_is_no_uscc() -> None:
    assert named() is None
    assert named((NameOID.ORGANIZATION_IDENTIFIER, f"NTRCN-{USCC}")) == USCC
    assert named((NameOID.ORGANIZATION_IDENTIFIER, f"VATCN-{USCC}")) == USCC
    assert named((NameOID.ORGANIZATION_IDENTIFIER, f"NTRDE-{USCC}")) is None
    assert named((NameOID.ORGANIZATION_NAME, f"NTRCN-{USCC}")) is None
    assert named((NameOID.SERIAL_NUMBER, USCC[:-1] + "8")) is None  # the check character
    assert named((NameOID.SERIAL_NUMBER, USCC.lower())) is None
    assert named((NameOID.SERIAL_NUMBER, USCC + " ")) is None
    assert named((NameOID.SERIAL_NUMBER, "11010519491231002X")) is None  # a citizen's number of GB 11643
    assert named((NameOID.LOCALITY_NAME, USCC)) is None
    assert named((NameOID.SERIAL_NUMBER, "11010519491231002X"), (NameOID.ORGANIZATION_NAME, USCC)) == USCC


def test_pem_is_what_cryptography_reads() -> None:
    assert x509.load_pem_x509_certificate(LEAF.pem).public_bytes(Encoding.DER) == DER
