"""Keys listed by certificate (x5c): the chain, the organisation in it, and revocation lists."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_crl

from materials.bundle import Bundle
from materials.evidence.status import verify_bundled_list
from materials.status import issue_status_list, pack_statuses
from materials.trust.key_check import KeyStanding, check_key
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import KeyRevocation, TrustedAuthority, TrustKey
from signing import CryptoProfile, MalformedError, UnavailableError, VerificationError
from signing.x509.revocation import RevocationList
from tests.support.evidence_world import WINDOW, World, hide_gm, said, time_authority
from tests.support.materials_world import DAY, ISSUER, NOW, STATUS_URI, entity, issued, refuses, trusted
from tests.support.pki import NOT_BEFORE, OTHER_USCC, Organisation, make_root, organisation
from tests.support.sm2_pki import sm2_organisation
from tests.support.tsa import needs_openssl

pytestmark = needs_openssl

OURS = organisation()
KEY = TrustKey.of_chain(OURS.chain, "issue", **WINDOW)
FRESH = {"this_update": NOW - DAY, "next_update": NOW + DAY}


def _authority(of: Organisation = OURS, **changes: Any) -> TrustedAuthority:
    return replace(TrustedAuthority(of.roots[0], "organisation", "crl"), **changes)


def _crls(of: Organisation = OURS, **revoked: Any) -> tuple[RevocationList, ...]:
    """Fresh lists of both authorities; ``since`` and ``reason``: the leaf is on the lower one."""
    assert of.middle is not None
    entries = {of.chain[0].serial: (revoked["since"], revoked["reason"])} if revoked else {}
    return (of.crls[0], of.middle.crl(entries, **FRESH))


def _trust(*authorities: TrustedAuthority, crls: tuple[RevocationList, ...] = ()) -> VerifiedTrustList:
    return trusted(authorities=authorities).with_crls(crls)


def _check(key: TrustKey = KEY, trust: VerifiedTrustList | None = None, **changes: Any) -> KeyStanding:
    asked: dict[str, Any] = {"entity": entity(keys=(key,)), "role": "issue", "at": NOW, "now": NOW}
    return check_key(key, trust=trust or _trust(_authority(), crls=_crls()), **(asked | changes))


def test_a_good_chain() -> None:
    assert _check() is KeyStanding.CURRENT
    assert _check(trust=_trust(_authority(revocation="none"))) is KeyStanding.CURRENT
    both = _trust(_authority(organisation(OTHER_USCC)), _authority(), crls=_crls())
    assert _check(trust=both) is KeyStanding.CURRENT


def test_no_authority_of_the_list_issued_it() -> None:
    for trust in (
        _trust(),
        _trust(_authority(use="timestamp")),
        _trust(_authority(sm2_organisation())),
        _trust(time_authority()),
    ):
        with refuses("certificate.issuer", VerificationError):
            _check(trust=trust)


def test_another_organisations_certificate() -> None:
    other = organisation(OTHER_USCC)
    key = TrustKey.of_chain(other.chain, "issue", **WINDOW)
    trust = _trust(_authority(other, revocation="none"))
    with refuses("certificate.subject", VerificationError):
        _check(key, trust)


def test_a_certificate_that_names_nobody() -> None:
    nobody = organisation(uscc="")
    key = TrustKey.of_chain(nobody.chain, "issue", **WINDOW)
    with refuses("certificate.subject", VerificationError):
        _check(key, _trust(_authority(nobody, revocation="none")))


def test_the_list_may_say_less_than_the_certificate_never_more() -> None:
    """Role, window and type of the trust list apply as to every key; then the chain."""
    with refuses("key.role", VerificationError):
        _check(role="status")
    with refuses("key.window", VerificationError):
        _check(at=KEY.exp + 60)
    with refuses("key.constraint", VerificationError):
        _check(region="330106")
    short = organisation(not_before=NOW, not_after=NOW + 100)
    key, trust = TrustKey.of_chain(short.chain, "issue", **WINDOW), _trust(_authority(short, revocation="none"))
    assert _check(key, trust, at=NOW + 100, now=NOW + 100) is KeyStanding.CURRENT
    assert _check(key, trust, now=NOW + 101) is KeyStanding.RETIRED
    for at in (NOW - 1, NOW + 101):
        with refuses("certificate.window", VerificationError):
            _check(key, trust, at=at, now=NOW + DAY)


def test_a_missing_or_old_list_is_undetermined() -> None:
    for crls in ((), _crls()[:1], _crls()[1:]):
        with refuses("certificate.revocation", UnavailableError):
            _check(trust=_trust(_authority(), crls=crls))
    with refuses("certificate.revocation", UnavailableError):
        _check(now=NOW + 2 * DAY)
    assert (
        _check(trust=_trust(_authority(), crls=_crls()), now=NOW + 2 * DAY, proven_at=NOW - DAY) is KeyStanding.CURRENT
    )


ROWS = [
    ("superseded", NOW + 5, None, KeyStanding.RETIRED),
    ("cessationOfOperation", NOW + 5, None, KeyStanding.RETIRED),
    ("superseded", NOW, None, "certificate.revoked"),
    ("keyCompromise", NOW + 5, None, "certificate.compromised"),
    ("keyCompromise", NOW + 5, NOW + 5, "certificate.compromised"),
    ("keyCompromise", NOW + 5, NOW + 4, KeyStanding.LATER_COMPROMISED),
    (None, NOW + 5, None, "certificate.compromised"),
    (None, NOW + 5, NOW + 4, KeyStanding.LATER_COMPROMISED),
]


@pytest.mark.parametrize(("reason", "since", "proven_at", "expected"), ROWS)
def test_a_revoked_certificate(reason: str | None, since: int, proven_at: int | None, expected: Any) -> None:
    """The same table as for bare keys."""
    trust = _trust(_authority(), crls=_crls(since=since, reason=reason))
    asked = {"now": NOW + 10, "proven_at": proven_at}
    if isinstance(expected, KeyStanding):
        assert _check(trust=trust, **asked) is expected
        return
    with refuses(expected, VerificationError):
        _check(trust=trust, **asked)


def test_the_worse_of_list_and_certificate_decides() -> None:
    trust = _trust(_authority(), crls=_crls(since=NOW + 5, reason="superseded"))
    stolen = replace(KEY, revoked=KeyRevocation(NOW + 5, "compromised"))
    assert _check(stolen, trust, now=NOW + 10, proven_at=NOW + 1) is KeyStanding.LATER_COMPROMISED
    with refuses("key.compromised", VerificationError):
        _check(stolen, trust, now=NOW + 10)
    compromised = _trust(_authority(), crls=_crls(since=NOW + 5, reason="keyCompromise"))
    retired = replace(KEY, revoked=KeyRevocation(NOW + 5, "superseded"))
    assert _check(retired, compromised, now=NOW + 10, proven_at=NOW + 1) is KeyStanding.LATER_COMPROMISED


def test_of_two_roots_of_one_name_the_stricter_rule_holds() -> None:
    """A renewed root has the name of the old one; who may leave revocation lists out must be plain."""
    again = organisation()
    trust = _trust(_authority(revocation="none"), _authority(again))
    with refuses("certificate.revocation", UnavailableError):
        _check(trust=trust)


def test_the_key_is_that_of_the_leaf() -> None:
    with refuses("key.chain", MalformedError):
        TrustKey(entity().keys[0].public_key, "issue", **WINDOW, chain=OURS.chain)
    with refuses("key.chain", MalformedError):
        TrustKey.of_chain((), "issue", **WINDOW)
    rsa = OURS.middle.issue("rsa", algorithm="RSA") if OURS.middle else None
    assert rsa is not None
    with refuses("key.chain", MalformedError):
        TrustKey.of_chain((rsa.certificate,), "issue", **WINDOW)


# --- in a bundle --------------------------------------------------------------------------------------------------


def _world(of: Organisation = OURS, **changes: Any) -> World:
    key = TrustKey.of_chain(of.chain, "issue", **WINDOW)
    return World(issued(of.signer), keys=(key,), authorities=(_authority(of, **changes),))


def _with(world: World, crls: tuple[RevocationList, ...]) -> Bundle:
    return replace(world.bundle, crls=_ders(crls))


VALID = {"signature": "valid: ok", "issuer": "valid: ok"}


@pytest.mark.parametrize("make", [organisation, sm2_organisation])
def test_a_statement_by_a_certified_key(make: Any) -> None:
    of = make()
    world = _world(of)
    assert said(world.judge(), *VALID) == VALID | {"issuer": "undetermined: certificate.revocation"}
    assert said(world.judge(_with(world, of.crls)), *VALID) == VALID
    assert said(world.judge(crls=of.crls), *VALID) == VALID
    assert said(_world(of, revocation="none").judge(), *VALID) == VALID
    one_each = world.judge(_with(world, of.crls[:1]), crls=of.crls[1:])
    assert said(one_each, *VALID) == VALID


def test_what_revocation_says_shows_in_the_facet_issuer() -> None:
    world = _world()
    for reason, code in (("superseded", "valid: key.retired"), ("keyCompromise", "invalid: certificate.compromised")):
        crls = _crls(since=NOW + 5, reason=reason)
        assert said(world.judge(_with(world, crls)), *VALID) == VALID | {"issuer": code}
    stolen = _with(world, _crls(since=NOW + 100, reason="keyCompromise"))
    stamped = replace(stolen, timestamps=world.stamps(NOW + 50))
    trusting = replace(world, authorities=(*world.authorities, time_authority()))
    assert said(trusting.judge(stamped), *VALID) == VALID | {"issuer": "valid: key.later-compromised"}
    late = replace(stolen, timestamps=world.stamps(NOW + 100))
    assert said(trusting.judge(late), *VALID) == VALID | {"issuer": "invalid: certificate.compromised"}


def test_revocation_lists_that_nobody_known_signed() -> None:
    """Nothing rides along unproved, even where no list is asked for."""
    world, namesake = _world(revocation="none"), make_root("Ed25519", name="middle")
    genuine = OURS.crls[1].der
    for crl, code in (
        (_armoured(genuine), "invalid: form.canonical"),
        (b"\x30\x00", "invalid: certificate.form"),
        (genuine[:-1] + bytes([genuine[-1] ^ 1]), "invalid: certificate.signature"),
        (namesake.crl().der, "invalid: certificate.algorithm"),
        (sm2_organisation().crls[0].der, "undetermined: certificate.crl-issuer"),
    ):
        report = world.judge(replace(world.bundle, crls=(*_ders(OURS.crls), crl)))
        assert said(report, *VALID) == VALID | {"issuer": code}
    assert said(world.judge(_with(world, OURS.crls)), *VALID) == VALID


def _armoured(crl: bytes) -> bytes:
    """PEM, with text that nobody signed."""
    pem: bytes = load_der_x509_crl(crl).public_bytes(Encoding.PEM)
    return b"said by whoever hands this on\n" + pem


def _ders(crls: tuple[RevocationList, ...]) -> tuple[bytes, ...]:
    return tuple(crl.der for crl in crls)


def test_a_dual_statement_with_two_certified_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    gm = sm2_organisation()
    ours, theirs = KEY, TrustKey.of_chain(gm.chain, "issue", **WINDOW)
    world = World(issued(OURS.signer), keys=(ours, theirs), authorities=(_authority(), _authority(gm)))
    crls = (*OURS.crls, *gm.crls)
    bundle = replace(_with(world, crls), signatures=(world.second(gm.signer),))
    both = [CryptoProfile.INTL, CryptoProfile.GM]
    assert said(world.judge(bundle, profiles=both), *VALID) == VALID
    without = replace(bundle, crls=_ders(OURS.crls))
    partly = VALID | {"issuer": "valid: signature.partly-checked"}
    assert said(world.judge(without), *VALID) == partly
    assert said(world.judge(without, profiles=both), *VALID) == VALID | {
        "issuer": "undetermined: certificate.revocation"
    }
    hide_gm(monkeypatch)
    for profiles in ((), (CryptoProfile.INTL,)):
        expected = dict.fromkeys(VALID, "valid: signature.partly-checked")
        assert said(world.judge(bundle, profiles=profiles), *VALID) == expected
    expected = dict.fromkeys(VALID, "undetermined: extra.gm")
    assert said(world.judge(bundle, profiles=both), *VALID) == expected


def test_a_status_list_by_a_certified_key() -> None:
    token = issue_status_list(
        OURS.signer, iss=ISSUER, uri=STATUS_URI, packed=pack_statuses({}), iat=NOW, exp=NOW + DAY, ttl=60
    )
    listed = entity(keys=(TrustKey.of_chain(OURS.chain, "status", **WINDOW),))
    trust = trusted(entities=(listed,), authorities=(_authority(),))
    with refuses("certificate.revocation", UnavailableError):
        verify_bundled_list(token, trust, NOW)
    assert verify_bundled_list(token, trust.with_crls(_crls()), NOW) is not None
    revoked = _crls(since=NOT_BEFORE, reason="superseded")
    with refuses("certificate.revoked", VerificationError):
        verify_bundled_list(token, trust.with_crls(revoked), NOW)
