"""Revocation lists: which of them count, and what a revoked certificate's signatures are worth."""

import sys
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import MalformedError, UnavailableError, VerificationError
from signing.rfc3161.der_values import der
from signing.x509.der import read_elements, read_sequence
from signing.x509.path import verify_path
from signing.x509.revocation import CRL_MAX_BYTES, RevocationList, parse_crl
from signing.x509.status import CertificateStanding, check_crl
from tests.support.pki import DAY, NOT_BEFORE, Authority, make_root

ROOT = make_root()
MIDDLE = ROOT.issue("middle", ca=True)
LEAF = MIDDLE.issue("leaf")
SERIAL = LEAF.certificate.serial
AT = NOT_BEFORE + 100 * DAY
REVOKED = AT + 10 * DAY
NOW = AT + 50 * DAY
FRESH = {"this_update": NOW - DAY, "next_update": NOW + DAY}
STALE = {"this_update": NOW - 3 * DAY, "next_update": NOW}
OF_ROOT = ROOT.crl(**FRESH)


def standing(
    *crls: RevocationList,
    at: int = AT,
    now: int = NOW,
    proven_at: int | None = None,
    required: bool = True,
    leaf: Authority = LEAF,
) -> str:
    """How the leaf stands, or the code of what was raised; the root's list of the intermediate is always there."""
    options: dict[str, Any] = {"usage": "signature", "roots": [ROOT.certificate], "crls": (OF_ROOT, *crls)}
    options |= {"crl_required": required, "at": at, "now": now, "proven_at": proven_at}
    try:
        return verify_path([leaf.certificate, MIDDLE.certificate], **options).standing
    except UnavailableError as error:
        return f"undetermined {error.code}"
    except VerificationError as error:
        return error.code


def revoked(reason: str | None, since: int = REVOKED, **options: Any) -> RevocationList:
    return MIDDLE.crl({SERIAL: (since, reason)}, **FRESH | options)


GOOD, RETIRED, LATER = CertificateStanding


# Which lists tell


def test_fresh_lists_tell() -> None:
    assert standing(MIDDLE.crl(**FRESH)) == GOOD
    assert standing(MIDDLE.crl(this_update=NOW, next_update=NOW + 1)) == GOOD
    assert standing(MIDDLE.crl({SERIAL + 1: (AT, "keyCompromise")}, **FRESH)) == GOOD


def test_without_a_list_that_tells_it_is_undetermined_if_one_is_required() -> None:
    for crls in ((), (MIDDLE.crl(**STALE),), (MIDDLE.crl(this_update=NOW + 1, next_update=NOW + DAY),)):
        assert standing(*crls) == "undetermined certificate.revocation"
        assert standing(*crls, required=False) == GOOD


def test_each_certificate_below_the_root_needs_one() -> None:
    options: dict[str, Any] = {"usage": "signature", "roots": [ROOT.certificate], "at": AT, "now": NOW}
    chain = [LEAF.certificate, MIDDLE.certificate]
    with pytest.raises(UnavailableError) as caught:
        verify_path(chain, crls=[MIDDLE.crl(**FRESH)], crl_required=True, **options)
    assert caught.value.code == "certificate.revocation"
    of_root = ROOT.crl({MIDDLE.certificate.serial: (AT, "cACompromise")}, **FRESH)
    with pytest.raises(VerificationError) as refused:
        verify_path(chain, crls=[MIDDLE.crl(**FRESH), of_root], crl_required=False, **options)
    assert refused.value.code == "certificate.revoked"
    with pytest.raises(VerificationError):  # though nothing is known of the leaf
        verify_path(chain, crls=[of_root], crl_required=True, **options)


def test_an_old_list_tells_if_it_is_younger_than_the_proof() -> None:
    stale = MIDDLE.crl(**STALE)
    assert standing(stale, proven_at=stale.this_update) == GOOD
    assert standing(stale, proven_at=stale.this_update + 1) == "undetermined certificate.revocation"


def test_a_list_of_after_the_expiry_does_not_tell() -> None:
    """Authorities drop expired certificates from their lists (RFC 5280 §3.3): not named means nothing then."""
    leaf = MIDDLE.issue("leaf", not_after=NOW - 2 * DAY)
    before = MIDDLE.crl(this_update=NOW - 2 * DAY, next_update=NOW - DAY)
    assert standing(MIDDLE.crl(**FRESH), leaf=leaf) == "undetermined certificate.revocation"
    assert standing(before, leaf=leaf) == "undetermined certificate.revocation"
    assert standing(before, leaf=leaf, proven_at=before.this_update) == RETIRED
    of_leaf = MIDDLE.crl({leaf.certificate.serial: (AT - 1, "superseded")}, **FRESH)
    assert standing(of_leaf, leaf=leaf) == "certificate.revoked"


DELTA = (x509.DeltaCRLIndicator(1), True)
PARTITION = (
    x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://crl.example/1")],
        relative_name=None, only_contains_user_certs=False, only_contains_ca_certs=False,
        only_some_reasons=None, indirect_crl=False, only_contains_attribute_certs=False,
    ),
    True,
)  # fmt: skip
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
OTHER = ROOT.issue("middle", ca=True, algorithm="ES384")
NOT_FOR_LISTS = Authority(
    ROOT.issue("middle", ca=True, usages=["key_cert_sign"]).certificate, MIDDLE.key, MIDDLE.algorithm
)


@pytest.mark.parametrize(
    "crl",
    [
        MIDDLE.crl(**FRESH, extensions=[DELTA]),
        MIDDLE.crl(**FRESH, extensions=[PARTITION]),
        MIDDLE.crl(**FRESH, extensions=[(PARTITION[0], False)]),
        MIDDLE.crl(**FRESH, extensions=[(UNKNOWN, True)]),
        MIDDLE.crl({5: (AT, None)}, **FRESH, entry_extensions=[(UNKNOWN, True)]),
        MIDDLE.crl({5: (AT, None)}, **FRESH, entry_extensions=[(x509.CertificateIssuer([x509.DNSName("x")]), True)]),
        ROOT.crl(**FRESH),
        OTHER.crl(**FRESH),
        Authority(MIDDLE.certificate, OTHER.key, "ES384").crl(**FRESH),
    ],
    ids=["delta", "partition", "not critical", "unknown", "entry", "indirect", "issuer's", "other key", "forged"],
)  # fmt: skip
def test_lists_that_are_as_if_absent(crl: RevocationList) -> None:
    assert standing(crl) == "undetermined certificate.revocation"
    assert standing(crl, MIDDLE.crl(**FRESH)) == GOOD


def test_a_changed_list_is_as_if_absent() -> None:
    data = bytearray(revoked("superseded").der)
    data[-1] ^= 1
    assert standing(parse_crl(bytes(data))) == "undetermined certificate.revocation"


def test_no_list_is_kept_in_memory_for_having_been_verified() -> None:
    """One may have 4 MiB, and anybody can sign lists of his own."""
    crl = ROOT.crl()
    before = sys.getrefcount(crl.signed), sys.getrefcount(crl.signed.tbs)
    check_crl(crl, ROOT.certificate)
    assert (sys.getrefcount(crl.signed), sys.getrefcount(crl.signed.tbs)) == before


def test_an_authority_that_may_not_sign_lists() -> None:
    leaf = NOT_FOR_LISTS.issue("leaf")
    with pytest.raises(UnavailableError):
        verify_path(
            [leaf.certificate, NOT_FOR_LISTS.certificate], usage="signature", roots=[ROOT.certificate],
            crls=[OF_ROOT, NOT_FOR_LISTS.crl(**FRESH)], crl_required=True, at=AT, now=NOW,
        )  # fmt: skip


def test_whose_list_it_is() -> None:
    crl = MIDDLE.crl(**FRESH)
    check_crl(crl, MIDDLE.certificate)
    forged = Authority(MIDDLE.certificate, OTHER.key, "ES384").crl(**FRESH)
    nameless = MIDDLE.crl(**FRESH, key_identifier=False)
    for each, issuer, code in (
        (crl, ROOT.certificate, "certificate.issuer"),
        (crl, OTHER.certificate, "certificate.issuer"),
        (forged, MIDDLE.certificate, "certificate.issuer"),
        (nameless, OTHER.certificate, "certificate.signature"),
        (crl, NOT_FOR_LISTS.certificate, "certificate.usage"),
    ):
        with pytest.raises(VerificationError) as caught:
            check_crl(each, issuer)
        assert caught.value.code == code
    check_crl(nameless, MIDDLE.certificate)


def test_the_newest_list_that_tells_decides() -> None:
    older = {"this_update": NOW - 2 * DAY, "next_update": NOW + 2 * DAY}
    for order in (1, -1):
        assert standing(*[MIDDLE.crl(**older), revoked("keyCompromise", AT)][::order]) == "certificate.revoked"
        assert standing(*[MIDDLE.crl(**FRESH), revoked("certificateHold", **older)][::order]) == GOOD
        assert standing(*[revoked("superseded"), revoked("keyCompromise", **older)][::order]) == RETIRED


def test_a_stale_list_that_names_the_certificate_counts_against_it_only() -> None:
    for required in (True, False):
        assert standing(revoked("keyCompromise", **STALE), required=required) == "certificate.compromised"
        assert standing(revoked("superseded", AT, **STALE), required=required) == "certificate.revoked"
    assert standing(revoked("superseded", **STALE), required=False) == RETIRED
    assert standing(revoked("superseded", **STALE)) == "undetermined certificate.revocation"  # or for worse by now
    staler = STALE | {"this_update": NOW - 4 * DAY}
    assert standing(revoked("superseded", **STALE), revoked("keyCompromise", **staler), required=False) == RETIRED


# What follows from a revocation (credentials: the table of keys)

KEY_STAYED_SAFE = ["superseded", "cessationOfOperation", "affiliationChanged"]
KEY_IN_DOUBT = [None, "unspecified", "keyCompromise", "cACompromise", "aACompromise", "privilegeWithdrawn"]


@pytest.mark.parametrize("reason", KEY_STAYED_SAFE)
def test_the_key_stayed_safe(reason: str) -> None:
    for proven_at in (None, AT, REVOKED, NOW):
        assert standing(revoked(reason), proven_at=proven_at) == RETIRED
        assert standing(revoked(reason), at=REVOKED - 1, proven_at=proven_at) == RETIRED
        assert standing(revoked(reason), at=REVOKED, proven_at=proven_at) == "certificate.revoked"
    assert standing(revoked(reason), at=REVOKED + 1, proven_at=AT) == "certificate.revoked"


@pytest.mark.parametrize("reason", KEY_IN_DOUBT)
def test_the_key_is_in_doubt(reason: str | None) -> None:
    crl = revoked(reason)
    assert standing(crl) == "certificate.compromised"
    assert standing(crl, proven_at=REVOKED) == "certificate.compromised"
    assert standing(crl, proven_at=REVOKED - 1) == LATER
    assert standing(crl, at=REVOKED) == "certificate.revoked"
    assert standing(crl, at=REVOKED, proven_at=REVOKED - 1) == "certificate.revoked"
    assert standing(crl, required=False) == "certificate.compromised"


def test_the_invalidity_date_counts_where_it_is_earlier() -> None:
    earlier = revoked("keyCompromise", invalid_since=AT + DAY)
    assert standing(earlier, proven_at=AT + DAY - 1) == LATER
    assert standing(earlier, proven_at=AT + DAY) == "certificate.compromised"
    assert standing(revoked("superseded", invalid_since=AT)) == "certificate.revoked"
    assert standing(revoked("superseded", invalid_since=NOW)) == RETIRED


def test_hold_is_undetermined_unless_proven_to_be_older() -> None:
    crl = revoked("certificateHold")
    assert standing(crl) == "undetermined certificate.hold"
    assert standing(crl, required=False) == "undetermined certificate.hold"
    assert standing(crl, at=REVOKED + 1) == "undetermined certificate.hold"
    assert standing(crl, proven_at=REVOKED) == "undetermined certificate.hold"
    assert standing(crl, proven_at=REVOKED - 1) == RETIRED


# Reading


def test_what_a_list_says() -> None:
    crl = revoked("keyCompromise", invalid_since=AT)
    assert (crl.this_update, crl.next_update, crl.complete) == (*FRESH.values(), True)
    assert (crl.entries[SERIAL].since, crl.entries[SERIAL].reason) == (AT, "keyCompromise")
    assert crl.issuer == MIDDLE.certificate.subject
    assert str(SERIAL) not in repr(crl)
    pem = x509.load_der_x509_crl(crl.der).public_bytes(Encoding.PEM)
    assert parse_crl(b"text\r\n" + pem.replace(b"\n", b"\r\n")) == crl


def changed(old: bytes, new: bytes) -> bytes:
    good = revoked("superseded").der
    assert good.count(old) == 1
    return good.replace(old, new)


SUPERSEDED = bytes.fromhex("0603551d1504030a0104")
PEM = x509.load_der_x509_crl(OF_ROOT.der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "form.der"),
        (OF_ROOT.der + b"\x00", "form.der"),
        (OF_ROOT.der[:-1], "form.der"),
        (LEAF.certificate.der, "certificate.form"),
        (b"0" * (CRL_MAX_BYTES + 1), "form.size"),
        (PEM * 2, "certificate.crl"),
        (PEM + LEAF.key_pem, "certificate.private-key"),
        (LEAF.pem, "certificate.form"),
        (changed(SUPERSEDED, SUPERSEDED[:-1] + b"\x08"), "certificate.crl"),  # removeFromCRL
        (changed(SUPERSEDED, SUPERSEDED[:-1] + b"\x07"), "certificate.crl"),  # never assigned
        (MIDDLE.crl({5: (AT, None), 6: (AT, None)}).der.replace(b"\x02\x01\x06", b"\x02\x01\x05"), "certificate.crl"),
    ],
    ids=["nothing", "after it", "cut", "certificate", "size", "two", "key", "label", "remove", "reason", "twice"],
)  # fmt: skip
def test_lists_that_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_crl(data)
    assert caught.value.code == code


def test_a_list_without_next_update_is_refused() -> None:
    tbs, algorithm, signature = read_sequence(OF_ROOT.der, what="")
    fields = [each.whole for each in read_elements(tbs.content, what="")]
    shorter = der(0x30, der(0x30, *fields[:4], *fields[5:]), algorithm.whole, signature.whole)
    assert parse_crl(der(0x30, der(0x30, *fields), algorithm.whole, signature.whole)) == OF_ROOT
    with pytest.raises(MalformedError) as caught:
        parse_crl(shorter)
    assert caught.value.code == "certificate.crl"


def test_no_byte_of_a_list_may_change() -> None:
    """Whatever byte changes: refused, or a list that nobody signed."""
    good = revoked("superseded").der
    for place in range(len(good)):
        for mask in (0x01, 0x80, 0xFF):
            data = bytearray(good)
            data[place] ^= mask
            try:
                crl = parse_crl(bytes(data))
            except MalformedError:
                continue
            with pytest.raises(VerificationError):
                check_crl(crl, MIDDLE.certificate)
