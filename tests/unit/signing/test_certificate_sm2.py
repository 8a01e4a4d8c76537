"""SM2 certificates and revocation lists made by the openssl command, verified with gmssl."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from signing import CryptoProfile, LedgerError, UnavailableError, VerificationError
from signing.dss import raw_to_der
from signing.rfc3161.der_values import der
from signing.sm2 import DEFAULT_SIGNER_ID, verifies
from signing.x509.certificates import Certificate, parse_certificate
from signing.x509.der import read_elements, read_sequence
from signing.x509.path import CertificateStanding, VerifiedChain, verify_chain
from signing.x509.revocation import RevocationList, parse_crl
from signing.x509.signature import check_certificate, check_signature
from signing.x509.status import check_crl
from tests.support.pki import DAY, NOT_AFTER, NOT_BEFORE, OTHER_USCC, USCC, Organisation
from tests.support.sm2_pki import sm2_organisation

AT = NOT_BEFORE + 100 * DAY
SM2_SM3 = bytes.fromhex("300a06082a811ccf55018375")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


def verify(world: Organisation, chain: Sequence[Certificate] | None = None, **options: Any) -> VerifiedChain:
    given = {"roots": world.roots, "crls": world.crls, "crl_required": True, "at": AT, "now": AT} | options
    return verify_chain(chain or world.chain, **given)


def refused(world: Organisation, chain: Sequence[Certificate] | None = None, **options: Any) -> str:
    with pytest.raises(VerificationError) as caught:
        verify(world, chain, **options)
    return caught.value.code


def test_openssl_s_chain_verifies() -> None:
    world = sm2_organisation(OTHER_USCC)
    chain = verify(world)
    assert (chain.uscc, chain.public_key) == (OTHER_USCC, world.signer.public_key)
    assert chain.public_key.profile == CryptoProfile.GM
    assert all(each.signed.algorithm == SM2_SM3 for each in chain.chain)
    chain.public_key.verify(world.signer.sign(b"statement"), b"statement")


def test_the_same_chain_signed_with_an_empty_id_is_refused() -> None:
    """openssl's default (china.md T1): such a signature verifies nowhere else."""
    assert refused(sm2_organisation(USCC, signer_id=""), crls=(), crl_required=False) == "certificate.signature"


def test_another_id_is_refused() -> None:
    assert refused(sm2_organisation(USCC, signer_id="8765432112345678"), crl_required=False) == "certificate.signature"


def test_a_list_signed_with_an_empty_id_counts_for_nothing() -> None:
    world = sm2_organisation(USCC, signer_id="")
    with pytest.raises(VerificationError) as caught:
        check_crl(world.crls[0], world.roots[0])
    assert caught.value.code == "certificate.signature"


def test_openssl_s_lists_tell() -> None:
    safe = sm2_organisation(revoked=("250101000000Z", "superseded"))
    since = 1_735_689_600
    assert verify(safe, now=since + DAY).standing == CertificateStanding.RETIRED
    assert refused(safe, at=since, now=since) == "certificate.revoked"
    doubt = sm2_organisation(revoked=("250101000000Z", "keyCompromise"))
    assert refused(doubt, now=since) == "certificate.compromised"
    assert verify(doubt, now=since, proven_at=since - 1).standing == CertificateStanding.LATER_COMPROMISED
    with pytest.raises(UnavailableError):
        verify(sm2_organisation(), now=NOT_AFTER)


def resigned(certificate: Certificate, world: Organisation, algorithm: bytes) -> bytes:
    """``certificate`` under the leaf's key instead of its issuer's, with another algorithm inside and outside."""
    tbs, _, _ = read_sequence(certificate.der, what="")
    fields = [each.whole for each in read_elements(tbs.content, what="")]
    content = der(0x30, *(algorithm if field == SM2_SM3 else field for field in fields))
    return der(0x30, content, algorithm, der(0x03, b"\x00", raw_to_der(world.signer.sign(content))))


def test_the_algorithm_must_be_that_of_the_key() -> None:
    world = sm2_organisation()
    for algorithm, code in ((ECDSA_SHA256, "certificate.algorithm"), (SM2_SM3, "certificate.signature")):
        forged = parse_certificate(resigned(world.chain[0], world, algorithm))
        assert refused(world, [forged, world.chain[1]]) == code


def test_an_algorithm_with_the_null_that_some_authorities_write() -> None:
    world = sm2_organisation()
    issued = parse_certificate(resigned(world.chain[1], world, bytes.fromhex("300c06082a811ccf550183750500")))
    check_signature(issued.signed, world.chain[0].spki, what="certificate")


def test_no_byte_of_an_sm2_certificate_may_change() -> None:
    world = sm2_organisation()
    good = world.chain[0].der
    for place in range(0, len(good), 3):
        data = bytearray(good)
        data[place] ^= 0x01
        with pytest.raises(LedgerError):
            verify(world, [parse_certificate(bytes(data)), world.chain[1]])


def test_signatures_of_zero_and_of_other_spellings() -> None:
    world = sm2_organisation()
    tbs, algorithm, signature = read_sequence(world.chain[0].der, what="")
    r, s = read_sequence(signature.content[1:], what="")
    zero = der(0x02, b"\x00")
    for forged in (
        der(0x30, zero, s.whole),
        der(0x30, r.whole, zero),
        der(0x30, r.whole, s.whole, zero),
        der(0x30, der(0x02, b"\x00" + r.content), s.whole),
        der(0x30, r.whole, s.whole) + b"\x00",
        r.content[-32:] + s.content[-32:],
        b"",
    ):
        leaf = parse_certificate(der(0x30, tbs.whole, algorithm.whole, der(0x03, b"\x00", forged)))
        assert refused(world, [leaf, world.chain[1]]) == "certificate.signature"


def test_without_the_extra_an_sm2_chain_is_read_but_undetermined(monkeypatch: pytest.MonkeyPatch) -> None:
    world = sm2_organisation()
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    check_certificate.cache_clear()
    assert parse_certificate(world.chain[0].der) == world.chain[0]
    assert isinstance(parse_crl(world.crls[0].der), RevocationList)
    with pytest.raises(UnavailableError) as caught:
        verify(world)
    assert caught.value.code == "extra.gm"
    assert "ematerials[gm]" in str(caught.value)


def test_gmssl_alone_agrees() -> None:
    """The certificate's signed bytes and signature, taken out by hand, under gmssl with the default ID."""
    leaf, middle = sm2_organisation().chain
    assert middle.public_key is not None
    r, s = (int.from_bytes(each.content) for each in read_sequence(leaf.signed.signature, what=""))
    raw = r.to_bytes(32) + s.to_bytes(32)
    assert verifies(middle.public_key.raw, raw, leaf.signed.tbs, signer_id=DEFAULT_SIGNER_ID)
    assert not verifies(middle.public_key.raw, raw, leaf.signed.tbs, signer_id=b"1")
