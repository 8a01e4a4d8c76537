"""Tokens with a good signature that are no time stamps all the same: each with one thing wrong.

Beside our verdict stands rfc3161-client's alone, to show which checks are ours.
"""

import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import VerificationError as LibraryError
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from signing import LedgerError, UnavailableError
from signing.rfc3161.der_values import der, der_integer
from signing.rfc3161.timestamps import parse_timestamp, verify_timestamp
from signing.x509.certificates import parse_certificate
from tests.support.tsa import STAMPING, Holder
from tests.support.tsa_forge import (
    GEN_SECONDS,
    NULL,
    OCTETS,
    SEQUENCE,
    SET,
    SHA1,
    SM3,
    TST_INFO,
    algorithm,
    attribute,
    forge,
    oid,
    signing_certificate,
    tst_info,
)

MESSAGE = b"a checkpoint\n"
ROOT = Holder.root()
SIGNER = ROOT.issue("Time Stamper")
TWIN = ROOT.issue("Time Stamper", key=SIGNER.key)
"""Another certificate of the same key."""
CONTENT_TYPE = attribute("1.2.840.113549.1.9.3", TST_INFO)
NAMED = signing_certificate(SIGNER.der)
CRITICAL = der(SEQUENCE, oid("1.2.3"), b"\x01\x01\xff", der(OCTETS, b"x"))
RSA_SIGNATURE = algorithm("1.2.840.113549.1.1.11", NULL)
ECDSA_SHA384 = algorithm("1.2.840.10045.4.3.3")


def ours(token: bytes, roots: tuple[Holder, ...] = (ROOT,), now: int = GEN_SECONDS) -> str | None:
    try:
        trusted = [parse_certificate(root.der) for root in roots]
        verify_timestamp(parse_timestamp(token), MESSAGE, roots=trusted, crl_required=False, now=now)
    except LedgerError as error:
        return error.code
    return None


def the_library_accepts(token: bytes) -> bool:
    response = der(SEQUENCE, der(SEQUENCE, der_integer(0)), token)
    try:
        VerifierBuilder(roots=[ROOT.certificate]).build().verify_message(decode_timestamp_response(response), MESSAGE)
    except (LibraryError, ValueError):
        return False
    return True


def ess(digest: bytes, extra: bytes = b"", kind: bytes = b"") -> tuple[bytes, bytes]:
    named = der(SEQUENCE, kind, der(OCTETS, digest), extra)
    return CONTENT_TYPE, attribute("1.2.840.113549.1.9.16.2.47", der(SEQUENCE, der(SEQUENCE, named)))


def issuer_serial(holder: Holder, serial: int) -> bytes:
    names = der(SEQUENCE, der(0xA4, holder.certificate.issuer.public_bytes()))
    return der(SEQUENCE, names, der_integer(serial))


DIGEST = hashlib.sha256(SIGNER.der).digest()
SERIAL = SIGNER.certificate.serial_number


def test_the_forger_makes_good_ones() -> None:
    assert ours(forge(SIGNER, MESSAGE)) is None
    assert the_library_accepts(forge(SIGNER, MESSAGE))
    everything = b"".join(
        (
            der(SEQUENCE, der_integer(1), der(0x80, b"\x05"), der(0x81, b"\x07")),
            b"\x01\x01\xff",
            der_integer(5),
            der(0xA0, der(0xA4, SIGNER.certificate.subject.public_bytes())),
            der(0xA1, der(SEQUENCE, oid("1.2.3"), der(OCTETS, b"x"))),
        )
    )
    token = forge(SIGNER, MESSAGE, rest=everything, attributes=ess(DIGEST, issuer_serial(SIGNER, SERIAL)))
    assert ours(token) is None
    info = parse_timestamp(token).info
    assert (info.gen_time, info.existed_by, info.nonce) == (GEN_SECONDS, GEN_SECONDS + 2, 5)


@pytest.mark.parametrize(
    ("changes", "code", "library"),
    [
        # the statement
        ({"version": 2}, "timestamp.form", True),
        ({"policy": b""}, "form.der", True),
        ({"digest": hashlib.sha256(b"other").digest()}, "timestamp.imprint", False),
        ({"hash_algorithm": SHA1, "digest": hashlib.sha1(MESSAGE).digest()}, "timestamp.weak", False),
        ({"hash_algorithm": SM3}, "timestamp.algorithm", False),
        ({"rest": der(0xA1, CRITICAL)}, "timestamp.extension", True),
        ({"rest": der_integer(1) + b"\x01\x01\xff"}, "form.der", False),  # not in their order
        ({"rest": b"\x01\x01\x01"}, "form.der", False),
        ({"rest": der(SEQUENCE, der(0x80, b"\x03\xe8"))}, "timestamp.form", False),  # 1000 ms
        ({"rest": der(SEQUENCE, der_integer(86_401))}, "timestamp.form", True),
        ({"content": tst_info(MESSAGE) + b"\x05\x00"}, "form.der", False),
        # who signed it, and what
        ({"attributes": (CONTENT_TYPE,)}, "timestamp.form", True),  # does not name its certificate
        ({"attributes": (NAMED,)}, "timestamp.form", True),  # does not say what it is
        ({"attributes": (attribute("1.2.840.113549.1.9.3", oid("1.2.3")), NAMED)}, "timestamp.form", True),
        ({"attributes": (CONTENT_TYPE, CONTENT_TYPE, NAMED)}, "timestamp.form", True),
        ({"attributes": (CONTENT_TYPE, signing_certificate(TWIN.der))}, "timestamp.certificate", True),
        ({"attributes": ess(DIGEST, issuer_serial(SIGNER, SERIAL + 1))}, "timestamp.certificate", True),
        ({"attributes": ess(b"", kind=SHA1)}, "timestamp.certificate", True),
        ({"message_digest": hashlib.sha256(b"other").digest()}, "timestamp.signature", False),
        # what came with it, unsigned
        ({"certificates": ()}, "form.der", False),
        ({"certificates": (SIGNER.der, TWIN.der)}, "timestamp.certificate", True),
        ({"certificates": (TWIN.der,)}, "timestamp.certificate", False),
        ({"crls": der(0xA1, ROOT.crl(ROOT.certificate.not_valid_before_utc))}, "form.der", True),
        ({"unsigned": der(0xA1, attribute("1.2.3", NULL))}, "form.der", True),
        ({"signers": 2}, "form.der", False),
        ({"signers": 0}, "form.der", False),
        ({"versions": (1, 1)}, "timestamp.form", True),
        ({"versions": (3, 3)}, "timestamp.form", True),
        ({"announced": SHA1}, "timestamp.form", False),
        ({"announced": algorithm("2.16.840.1.101.3.4.2.1", b"\x04\x00")}, "timestamp.form", False),
        ({"content_type": oid("1.2.840.113549.1.7.1")}, "timestamp.form", False),
        ({"signature_algorithm": RSA_SIGNATURE}, "timestamp.signature", True),
        ({"signature_algorithm": ECDSA_SHA384}, "timestamp.signature", True),
        ({"signature_algorithm": algorithm("1.2.156.10197.1.501")}, "timestamp.algorithm", True),
        ({"digest_algorithm": SHA1, "announced": SHA1}, "timestamp.weak", None),
    ],
)
def test_one_thing_wrong(changes: dict[str, object], code: str, library: bool | None) -> None:
    token = forge(SIGNER, MESSAGE, **changes)
    assert ours(token) == code
    assert library is None or the_library_accepts(token) == library


@pytest.mark.parametrize(
    "gen_time",
    [
        b"20260601120000",
        b"202606011200Z",
        b"20260601120000+0000",
        b"20260601120000.50Z",
        b"20260601120000.Z",
        b"20260601120060Z",
        b"20260230120000Z",
        b"20260601240000Z",
        b"19691231235959Z",
        b"20260601120000.1234567891Z",
    ],
)
def test_a_time_has_one_spelling(gen_time: bytes) -> None:
    assert ours(forge(SIGNER, MESSAGE, gen_time=gen_time)) in ("timestamp.form", "form.der")


def test_a_fraction_of_a_second_counts_as_the_next() -> None:
    info = parse_timestamp(forge(SIGNER, MESSAGE, gen_time=b"20260601120000.000000001Z")).info
    assert (info.gen_time, info.existed_by) == (GEN_SECONDS, GEN_SECONDS + 1)


@pytest.mark.parametrize(
    ("usage", "code"),
    [
        ({"usages": ()}, "certificate.usage"),
        ({"critical": False}, "certificate.usage"),
        ({"usages": (STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)}, "certificate.usage"),
        ({"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)}, "certificate.usage"),
        ({"usages": (ObjectIdentifier("2.5.29.37.0"),)}, "certificate.usage"),
        ({"ca": True}, "certificate.usage"),
    ],
)
def test_the_certificate_must_be_for_time_stamps_alone(usage: dict[str, object], code: str) -> None:
    assert ours(forge(ROOT.issue("Somebody", **usage), MESSAGE)) == code


WEAK_KEYS: dict[str, tuple[Callable[[], object], str]] = {
    "RSA-1024": (lambda: rsa.generate_private_key(65537, 1024), "timestamp.weak"),
    "P-224": (lambda: ec.generate_private_key(ec.SECP224R1()), "timestamp.algorithm"),
    "secp256k1": (lambda: ec.generate_private_key(ec.SECP256K1()), "timestamp.algorithm"),
}


@pytest.mark.parametrize("kind", WEAK_KEYS)
def test_keys_that_do_not_count(kind: str) -> None:
    make, code = WEAK_KEYS[kind]
    signer = ROOT.issue("Weak", key=make())
    token = forge(signer, MESSAGE)
    assert ours(token) == code
    assert the_library_accepts(token)


def test_the_root_may_come_with_the_token() -> None:
    assert ours(forge(SIGNER, MESSAGE, certificates=(SIGNER.der, ROOT.der))) is None
    other = Holder.root("Another Root")
    assert ours(forge(SIGNER, MESSAGE, certificates=(SIGNER.der, other.der))) == "timestamp.certificate"


def test_a_token_with_its_own_root_is_not_trusted_for_it() -> None:
    other = Holder.root("Another Root")
    token = forge(other.issue("Time Stamper"), MESSAGE)
    assert ours(token) == "timestamp.authority"
    assert ours(token, (other,)) is None
    with pytest.raises(UnavailableError):
        verify_timestamp(parse_timestamp(token), MESSAGE, roots=(), crl_required=False, now=GEN_SECONDS)


def test_ber_is_refused() -> None:
    token = forge(SIGNER, MESSAGE)
    indefinite = b"\x30\x80" + token[4:] + b"\x00\x00"
    long_length = token[:1] + b"\x83\x00" + token[2:4] + token[4:]
    for bent in (indefinite, long_length, token + b"\x00", b"\x1f\x30" + token[2:]):
        assert ours(bent) == "form.der"
    assert ours(b"\x30" + b"\x00" * 70_000) == "form.size"


@pytest.mark.parametrize("depth", [100, 5000])
def test_deep_nesting_is_no_recursion(depth: int) -> None:
    data = b""
    for _ in range(depth):
        data = der(SET, data)[:60_000]
    assert ours(data[:65_000]) in ("form.der", "timestamp.form")
