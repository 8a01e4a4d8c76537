"""Certificates that somebody bent: only ever our errors, and never a verified one."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from signing import LedgerError, MalformedError, VerificationError
from signing.rfc3161.der_values import der
from signing.x509.certificates import parse_certificate
from signing.x509.der import read_elements, read_sequence
from signing.x509.path import verify_path
from tests.support.pki import NOT_BEFORE, USCC, make_root

ROOT = make_root()
LEAF = ROOT.issue("leaf", uscc=USCC, algorithm="Ed25519")
DER = LEAF.certificate.der
SHA384_ALGORITHM = bytes.fromhex("300a06082a8648ce3d040303")
BASIC = bytes.fromhex("300c0603551d130101ff04023000")
# Places of the fields of a version 3 certificate (RFC 5280 §4.1).
VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(8)
FIELDS = [each.whole for each in read_elements(read_sequence(DER, what="")[0].content, what="")]


def assemble(fields: list[bytes], *, outer: bytes = FIELDS[ALGORITHM]) -> bytes:
    """A certificate with these fields, rightly signed by the root."""
    tbs = der(0x30, *fields)
    signature = ROOT.key.sign(tbs, ec.ECDSA(SHA256()))
    return der(0x30, tbs, outer, der(0x03, b"\x00", signature))


def changed(place: int, value: bytes) -> bytes:
    return assemble([value if each == place else field for each, field in enumerate(FIELDS)])


def with_extensions(*extensions: bytes) -> bytes:
    return changed(EXTENSIONS, der(0xA3, der(0x30, *extensions)))


def extension(last: int, value: bytes) -> bytes:
    return der(0x30, bytes.fromhex(f"0603551d{last:02x}"), der(0x04, value))


def times(first: bytes, last: bytes) -> bytes:
    return changed(VALIDITY, der(0x30, der(0x17, first), der(0x17, last)))


def verify(*chain: bytes) -> None:
    verify_path(
        [parse_certificate(each) for each in chain],
        usage="signature", roots=[ROOT.certificate], crls=(), crl_required=False, at=NOT_BEFORE, now=NOT_BEFORE,
    )  # fmt: skip


def test_the_forger_makes_good_certificates() -> None:
    verify(assemble(FIELDS))
    verify(with_extensions(BASIC))
    verify(times(b"200101000000Z", b"300101000000Z"))


BENT = {
    "negative serial": changed(SERIAL, der(0x02, b"\x80")),
    "serial zero": changed(SERIAL, der(0x02, b"\x00")),
    "serial empty": changed(SERIAL, der(0x02)),
    "serial of 21 bytes": changed(SERIAL, der(0x02, b"\x01" * 21)),
    "serial with leading zeros": changed(SERIAL, der(0x02, b"\x00\x00\x07")),
    "serial no integer": changed(SERIAL, der(0x04, b"\x07")),
    "inner algorithm another than the outer": assemble(FIELDS, outer=SHA384_ALGORITHM),
    "issuer empty": changed(ISSUER, der(0x30)),
    "validity empty": changed(VALIDITY, der(0x30)),
    "time of eleven digits": times(b"20010100000Z", b"300101000000Z"),
    "month 13": times(b"201301000000Z", b"301301000000Z"),
    "time with an offset": times(b"2001010000+0800", b"3001010000+0800"),
    "subject no name": changed(SUBJECT, der(0x30, der(0x31, der(0x30, der(0x02, b"\x01"))))),
    "subject of strings": changed(SUBJECT, der(0x30, der(0x0C, b"x"))),
    "subject endlessly nested": changed(SUBJECT, b"\x30\x80" * 3000),
    "key empty": changed(KEY, der(0x30)),
    "key without bits": changed(KEY, der(0x30, der(0x30, bytes.fromhex("06032b6570")))),
    "key of low order": changed(KEY, der(0x30, der(0x30, bytes.fromhex("06032b6570")), der(0x03, bytes(33)))),
    "version 5": changed(VERSION, der(0xA0, der(0x02, b"\x04"))),
    "version 1 with extensions": assemble(FIELDS[SERIAL:]),
    "an extension twice": with_extensions(BASIC, BASIC),
    "basic constraints null": with_extensions(extension(0x13, b"\x05\x00")),
    "path length negative": with_extensions(extension(0x13, bytes.fromhex("30060101ff0201ff"))),
    "critical neither 00 nor FF": with_extensions(bytes.fromhex("300c0603551d1301010104023000")),
    "key usage empty": with_extensions(extension(0x0F, b"")),
    "purposes cut off": with_extensions(extension(0x25, b"\x30")),
    "key identifier a number": with_extensions(extension(0x0E, b"\x02\x01\x01")),
    "indefinite length": b"\x30\x80" + DER[4:] + b"\x00\x00",
    "length not in its shortest form": b"\x30\x83\x00" + DER[2:],
    "set instead of sequence": b"\x31" + DER[1:],
    "tag of two bytes": b"\x3f\x10" + DER[1:],
}


@pytest.mark.filterwarnings("ignore")  # as in production: a warning of cryptography refuses nothing
@pytest.mark.parametrize("name", BENT)
def test_bent_certificates_are_refused(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        verify(BENT[name])
    assert caught.value.code in {"certificate.form", "form.der", "key.form"}


@pytest.mark.parametrize("algorithm", ["300506032b6570", "300a06082a811ccf55018375", "300d06092a864886f70d01010b0500"])
def test_the_algorithm_must_be_that_of_the_issuer_s_key(algorithm: str) -> None:
    other = bytes.fromhex(algorithm)
    with pytest.raises(VerificationError) as caught:
        verify(assemble([*FIELDS[:ALGORITHM], other, *FIELDS[ALGORITHM + 1 :]], outer=other))
    assert caught.value.code == "certificate.algorithm"


def test_ecdsa_signatures_have_one_spelling() -> None:
    tbs, algorithm, signature = read_sequence(DER, what="")
    r, s = read_sequence(signature.content[1:], what="")
    zero = der(0x02, b"\x00")
    for forged in (
        der(0x30, zero, s.whole),
        der(0x30, r.whole, zero),
        der(0x30, r.whole, s.whole) + b"\x00",
        der(0x30, r.whole, s.whole, zero),
        der(0x30, der(0x02, b"\x00" + r.content), s.whole),
        b"\x30\x81" + signature.content[2:],
        r.content[-32:] + s.content[-32:],
        b"",
    ):
        with pytest.raises(VerificationError) as caught:
            verify(der(0x30, tbs.whole, algorithm.whole, der(0x03, b"\x00", forged)))
        assert caught.value.code == "certificate.signature"


def test_version_1_is_a_leaf_but_no_authority() -> None:
    plain = assemble(FIELDS[SERIAL:EXTENSIONS])
    verify(plain)
    with pytest.raises(VerificationError) as caught:
        verify(LEAF.issue("below", key_identifiers=False).certificate.der, plain)
    assert caught.value.code == "certificate.constraint"


def test_names_in_each_kind_of_string() -> None:
    for kind in (_ASN1Type.PrintableString, _ASN1Type.BMPString, _ASN1Type.T61String, _ASN1Type.IA5String):
        value = x509.NameAttribute(NameOID.ORGANIZATION_NAME, USCC, kind)
        two_in_one = x509.RelativeDistinguishedName([value, x509.NameAttribute(NameOID.COMMON_NAME, "x")])
        assert parse_certificate(changed(SUBJECT, x509.Name([two_in_one]).public_bytes())).uscc == USCC
    gbk = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403"), der(0x14, "某机关".encode("gbk")))))
    assert parse_certificate(changed(SUBJECT, gbk)).uscc is None


def test_no_byte_may_change() -> None:
    for place in range(len(DER)):
        for mask in (0x01, 0x80, 0xFF):
            data = bytearray(DER)
            data[place] ^= mask
            with pytest.raises(LedgerError):
                verify(bytes(data))


def test_no_part_of_a_certificate_is_one() -> None:
    for size in range(len(DER)):
        with pytest.raises(MalformedError):
            parse_certificate(DER[:size])
        with pytest.raises(MalformedError):
            parse_certificate(DER[size + 1 :])


def test_lengths_have_one_spelling() -> None:
    assert [each.content for each in read_elements(b"\x05\x00\x04\x81\x80" + bytes(128), what="x")] == [b"", bytes(128)]
    longer, leading_zero = b"\x04\x81\x7f" + bytes(127), b"\x04\x82\x00\x80" + bytes(128)
    for bad in (b"\x05", longer, leading_zero, b"\x04\x80", b"\x04\x85" + bytes(9)):
        with pytest.raises(MalformedError):
            read_elements(bad, what="x")
    for bad in (b"", b"\x04\x00", b"\x30\x00\x30\x00"):
        with pytest.raises(MalformedError):
            read_sequence(bad, what="x")
