"""Time stamps of a real authority (``openssl ts``): request, answer, token, and what time does to certificates."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from signing import MalformedError, UnavailableError, VerificationError, sha256
from signing.rfc3161.timestamps import (
    Timestamp,
    VerifiedTimestamp,
    parse_timestamp,
    read_timestamp_response,
    timestamp_request,
    verify_timestamp,
)
from signing.x509.certificates import parse_certificate
from signing.x509.revocation import RevocationList, parse_crl
from tests.support.tsa import Holder, Tsa, needs_openssl, utc
from tests.support.tsa_forge import GEN_SECONDS, forge

MESSAGE = "ledger.example/log\n8\n材料\n".encode()
NONCE = 2**127 + 1
YEAR = 365 * 86400

pytestmark = needs_openssl


@pytest.fixture(scope="module", params=["EC", "RSA", "P-384"])
def tsa(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa.new(tmp_path_factory.mktemp("tsa"), request.param, intermediate=request.param != "EC")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa.new(tmp_path_factory.mktemp("small"))


def stamp(tsa: Tsa, message: bytes = MESSAGE) -> Timestamp:
    answer = tsa.reply(timestamp_request(message, nonce=NONCE))
    return read_timestamp_response(answer, message=message, nonce=NONCE)


def verify(
    tsa: Tsa,
    timestamp: Timestamp,
    message: bytes = MESSAGE,
    *,
    now: int | None = None,
    root: bytes | None = None,
    crls: tuple[RevocationList, ...] = (),
    crl_required: bool = False,
) -> VerifiedTimestamp:
    roots = [parse_certificate(tsa.root if root is None else root)]
    decided = timestamp.gen_time if now is None else now
    return verify_timestamp(timestamp, message, roots=roots, crls=crls, crl_required=crl_required, now=decided)


def code_of(tsa: Tsa, timestamp: Timestamp, **options: object) -> str:
    with pytest.raises((MalformedError, VerificationError, UnavailableError)) as refused:
        verify(tsa, timestamp, **options)
    return refused.value.code


def test_a_time_stamp_dates_its_message_and_openssl_agrees(tsa: Tsa) -> None:
    before = int(time.time())
    timestamp = stamp(tsa)
    verified = verify(tsa, parse_timestamp(timestamp.token))
    assert before <= verified.gen_time <= time.time()
    assert verified.proven_at == verified.gen_time + 2  # 1.5 s of accuracy, rounded up
    assert verified.authority == sha256(tsa.root) == verified.certificates[-1].fingerprint
    assert timestamp.info.nonce == NONCE
    assert timestamp.info.imprint == sha256(MESSAGE)
    assert timestamp.info.policy == "1.2.3.4.1"
    assert tsa.accepts(timestamp.token, MESSAGE, at=verified.gen_time)


def test_openssl_and_we_refuse_the_same_tampered_tokens(small: Tsa) -> None:
    timestamp = stamp(small)
    token, size = timestamp.token, len(timestamp.token)
    statement, certificate = token.index(sha256(MESSAGE)) - 40, token.index(small.signer.der)
    places = [*range(statement, statement + 100, 7), *range(size - 60, size, 9)]
    for place in [*places, *range(certificate + 20, certificate + len(small.signer.der), 53)]:
        bent = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        assert not small.accepts(bent, MESSAGE, at=timestamp.gen_time)
        with pytest.raises((MalformedError, VerificationError, UnavailableError)):
            verify(small, parse_timestamp(bent))
    assert not small.accepts(timestamp.token, MESSAGE + b"x", at=timestamp.gen_time)
    assert code_of(small, timestamp, message=MESSAGE + b"x") == "timestamp.imprint"


def test_the_answer_must_be_to_our_request(small: Tsa) -> None:
    answer = small.reply(timestamp_request(MESSAGE, nonce=NONCE))
    for message, nonce, code in ((b"x", NONCE, "timestamp.imprint"), (MESSAGE, NONCE + 1, "timestamp.nonce")):
        with pytest.raises(VerificationError) as other:
            read_timestamp_response(answer, message=message, nonce=nonce)
        assert other.value.code == code
    for bent in (b"", answer[:-1], answer + b"\x00", b"<html>", b"\x30\x00", b"0" * 70_000):
        with pytest.raises(MalformedError):
            read_timestamp_response(bent, message=MESSAGE, nonce=NONCE)


def test_a_refusal_is_no_time_stamp(small: Tsa) -> None:
    sha256_oid, sha3_oid = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040208")
    refusal = small.reply(timestamp_request(MESSAGE, nonce=NONCE).replace(sha256_oid, sha3_oid))
    with pytest.raises(UnavailableError) as refused:
        read_timestamp_response(refusal, message=MESSAGE, nonce=NONCE)
    assert refused.value.code == "timestamp.refused"
    assert "status 2" in str(refused.value)


@pytest.mark.parametrize("nonce", [-1, 2**128])
def test_a_nonce_is_128_bits(nonce: int) -> None:
    with pytest.raises(MalformedError):
        timestamp_request(MESSAGE, nonce=nonce)


def test_fractions_and_all_options_are_read(tmp_path: Path) -> None:
    options = {"clock_precision_digits": "6", "ordering": "yes", "tsa_name": "yes", "accuracy": "microsecs:1"}
    tsa = Tsa.new(tmp_path, ess_cert_id_chain="yes", ess_cert_id_alg="sha1", signer_digest="sha512", **options)
    timestamp = stamp(tsa)
    assert verify(tsa, timestamp).proven_at == timestamp.gen_time + 1
    assert tsa.accepts(timestamp.token, MESSAGE, at=timestamp.gen_time)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_digests_of_the_message(small: Tsa, algorithm: str) -> None:
    (small.folder / "file").write_bytes(MESSAGE)
    query = small.run("-query", "-data", "file", f"-{algorithm}", "-cert", "-no_nonce")
    token = small.token_of(query)
    assert verify(small, parse_timestamp(token)).timestamp.info.nonce is None


def test_the_authority_must_be_trusted(small: Tsa, tmp_path: Path) -> None:
    timestamp = stamp(small)
    assert code_of(small, timestamp, root=Holder.root("Another Root").der) == "timestamp.authority"
    assert code_of(small, timestamp, root=Holder.root().der) == "timestamp.authority"  # its name, another key
    namesake = Holder.root(key_id=small.above[-1]).der  # its name and key identifier, another key
    assert code_of(small, timestamp, root=namesake) == "certificate.signature"
    with pytest.raises(UnavailableError):
        verify_timestamp(timestamp, MESSAGE, roots=[], crl_required=False, now=timestamp.gen_time)


def test_certificates_are_judged_when_the_token_was_made(small: Tsa) -> None:
    timestamp = stamp(small)
    assert verify(small, timestamp, now=timestamp.gen_time + 90 * YEAR).gen_time == timestamp.gen_time
    assert code_of(small, timestamp, now=timestamp.gen_time - 61) == "timestamp.future"
    assert verify(small, timestamp, now=timestamp.gen_time - 60)


@pytest.mark.parametrize("window", [{"not_before": utc(2085)}, {"not_after": utc(2021)}])
def test_a_certificate_not_in_force_then_dates_nothing(tmp_path: Path, window: dict[str, object]) -> None:
    root = Holder.root()
    tsa = Tsa(tmp_path, root.issue("Time Stamper", **window), (root,))
    timestamp = stamp(tsa)
    assert code_of(tsa, timestamp, now=timestamp.gen_time + 90 * YEAR) == "certificate.window"
    assert not tsa.accepts(timestamp.token, MESSAGE, at=timestamp.gen_time)


@pytest.fixture(scope="module")
def revoked() -> Iterator[tuple[Holder, Holder, Timestamp]]:
    root = Holder.root()
    signer = root.issue("Time Stamper")
    return root, signer, parse_timestamp(forge(signer, MESSAGE))


@pytest.mark.parametrize(
    ("reason", "month", "code"),
    [
        (x509.ReasonFlags.superseded, 7, None),  # revoked after the token of 1 June was made
        (x509.ReasonFlags.superseded, 5, "certificate.revoked"),
        (x509.ReasonFlags.cessation_of_operation, 7, None),
        (x509.ReasonFlags.key_compromise, 7, "certificate.compromised"),
        (x509.ReasonFlags.key_compromise, 5, "certificate."),
        (None, 7, "certificate.compromised"),
    ],
)
def test_revocation(
    revoked: tuple[Holder, Holder, Timestamp], reason: x509.ReasonFlags | None, month: int, code: str | None
) -> None:
    root, signer, timestamp = revoked
    crl = parse_crl(root.crl(utc(2026, 8), (signer, reason, utc(2026, month))))
    options = {"roots": [parse_certificate(root.der)], "crls": [crl], "now": int(utc(2026, 8, 15).timestamp())}
    if code is None:
        assert verify_timestamp(timestamp, MESSAGE, crl_required=True, **options).gen_time == GEN_SECONDS
        return
    with pytest.raises(VerificationError) as refused:
        verify_timestamp(timestamp, MESSAGE, crl_required=False, **options)
    assert refused.value.code.startswith(code)


def test_without_the_list_that_is_required_nothing_is_said(revoked: tuple[Holder, Holder, Timestamp]) -> None:
    root, _, timestamp = revoked
    roots = [parse_certificate(root.der)]
    with pytest.raises(UnavailableError) as undetermined:
        verify_timestamp(timestamp, MESSAGE, roots=roots, crl_required=True, now=GEN_SECONDS)
    assert undetermined.value.code == "certificate.revocation"
    fresh = parse_crl(root.crl(utc(2026, 5, 31)))
    assert verify_timestamp(timestamp, MESSAGE, roots=roots, crls=[fresh], crl_required=True, now=GEN_SECONDS)


def test_what_is_not_verified_shows_no_bytes_of_the_token(small: Tsa) -> None:
    timestamp = stamp(small)
    assert len(repr(timestamp)) < 500
