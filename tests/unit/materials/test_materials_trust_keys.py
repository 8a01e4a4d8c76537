"""Which key counts for which signature: the table of old keys, and every constraint."""

from dataclasses import replace
from typing import Any

import pytest

from materials.trust.model import KeyRevocation, KeyStanding, TrustKey, check_key
from signing import VerificationError
from tests.support.materials_world import (
    DAY,
    ISSUE_KEY,
    ISSUER,
    LICENCE,
    NOW,
    OPERATOR,
    STATUS_KEY,
    STRANGER,
    entity,
    refuses,
    trust_list,
)

KEY = entity().keys[0]


def _check(key: TrustKey = KEY, **changes: Any) -> KeyStanding:
    asked: dict[str, Any] = {"entity": entity(keys=(key,)), "role": "issue", "at": NOW, "now": NOW} | changes
    return check_key(key, **asked)


def _revoked(reason: Any, at: int = NOW + DAY) -> TrustKey:
    return replace(KEY, revoked=KeyRevocation(at, reason))


def test_current_key() -> None:
    assert _check() is KeyStanding.CURRENT
    assert _check(vct=LICENCE.vct, region="310110") is KeyStanding.CURRENT


def test_edges_of_the_window() -> None:
    assert _check(at=KEY.nbf - 60) is KeyStanding.CURRENT
    assert _check(at=KEY.exp + 59) is KeyStanding.CURRENT
    for at in (KEY.nbf - 61, KEY.exp + 60):
        with refuses("key.window", VerificationError):
            _check(at=at)


def test_signature_inside_the_window_of_a_retired_key_stays_valid() -> None:
    assert _check(now=KEY.exp) is KeyStanding.RETIRED
    assert _check(now=KEY.exp + 3650 * DAY) is KeyStanding.RETIRED


def test_superseded_key() -> None:
    key = _revoked("superseded")
    assert _check(key, now=NOW + 2 * DAY) is KeyStanding.RETIRED
    with refuses("key.window", VerificationError):
        _check(key, at=NOW + DAY, now=NOW + 2 * DAY)


@pytest.mark.parametrize("reason", ["compromised", "unspecified"])
def test_compromised_key_needs_proof_of_time(reason: str) -> None:
    key, now = _revoked(reason), NOW + 2 * DAY
    assert _check(key, now=now, proven_at=NOW + DAY - 1) is KeyStanding.LATER_COMPROMISED
    for proven_at in (None, NOW + DAY, NOW + DAY + 1):
        with refuses("key.compromised", VerificationError):
            _check(key, now=now, proven_at=proven_at)
    with refuses("key.compromised", VerificationError):
        _check(key, at=NOW + DAY, now=now, proven_at=NOW)


def test_revocation_that_is_still_to_come() -> None:
    assert _check(_revoked("compromised"), now=NOW) is KeyStanding.CURRENT


def test_role_type_region_and_owner() -> None:
    with refuses("key.role", VerificationError):
        _check(role="status")
    with refuses("key.constraint", VerificationError):
        _check(vct="urn:ematerials:material:driving-licence:1")
    with refuses("key.constraint", VerificationError):
        _check(region="310117")
    with refuses("key.constraint", VerificationError):
        _check(region="310000")
    with refuses("key.unknown", VerificationError):
        check_key(KEY, entity=entity(keys=()), role="issue", at=NOW, now=NOW)


def test_look_ups() -> None:
    trust = trust_list()
    assert trust.find_entity(ISSUER) == entity()
    assert trust.find_key(ISSUER, ISSUE_KEY.public_key.key_id, "issue") == KEY
    with refuses("key.unknown", VerificationError):
        trust.find_entity(OPERATOR)
    with refuses("key.unknown", VerificationError):
        trust.find_key(ISSUER, STRANGER.public_key.key_id, "issue")
    with refuses("key.role", VerificationError):
        trust.find_key(ISSUER, STATUS_KEY.public_key.key_id, "issue")
    assert entity().purpose("loan-review").claims == ("holder_name",)
    with refuses("grant.purpose", VerificationError):
        entity().purpose("curiosity")
