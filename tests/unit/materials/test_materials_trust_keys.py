"""Which key counts for which signature: the whole table of old keys, and every constraint."""

from dataclasses import replace
from typing import Any

import pytest

from materials.trust.key_check import KeyStanding, check_key
from materials.trust.model import KeyRevocation, TrustKey
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
    trusted,
)

KEY = entity().keys[0]
TRUST = trusted()
END = NOW + DAY
"""When the key of the table below ends: it was listed 30 days before NOW and would have counted for another 30."""


def _check(key: TrustKey = KEY, **changes: Any) -> KeyStanding:
    asked = {"entity": entity(keys=(key,)), "trust": TRUST, "role": "issue", "at": NOW, "now": NOW} | changes
    return check_key(key, **asked)


def test_current_key() -> None:
    assert _check() is KeyStanding.CURRENT
    assert _check(vct=LICENCE.vct, region="310110") is KeyStanding.CURRENT


def test_edges_of_the_window() -> None:
    """With the one minute that clocks may differ."""
    for at in (KEY.nbf - 60, KEY.nbf, KEY.exp - 1):
        assert _check(at=at) is KeyStanding.CURRENT
    for at in (KEY.exp, KEY.exp + 59):
        assert _check(at=at, now=at) is KeyStanding.RETIRED
    for at in (KEY.nbf - 61, KEY.exp + 60):
        for now in (NOW, at, KEY.exp + 3650 * DAY):
            with refuses("key.window", VerificationError):
                _check(at=at, now=now, proven_at=NOW)


def test_signature_inside_the_window_of_a_retired_key_stays_valid() -> None:
    assert _check(now=KEY.exp - 1) is KeyStanding.CURRENT
    assert _check(now=KEY.exp) is KeyStanding.RETIRED
    assert _check(now=KEY.exp + 3650 * DAY) is KeyStanding.RETIRED


CURRENT, RETIRED, LATER = KeyStanding.CURRENT, KeyStanding.RETIRED, KeyStanding.LATER_COMPROMISED
WINDOW, COMPROMISED = "key.window", "key.compromised"
SUPERSEDED, STOLEN = ("superseded",), ("compromised", "unspecified")
TABLE = [
    # why it ended, signed at, judged at, proven by, and what follows
    (SUPERSEDED, NOW, END - 1, None, CURRENT),  # not ended yet at the time of the decision
    (SUPERSEDED, NOW, END, None, RETIRED),
    (SUPERSEDED, NOW, END + 3650 * DAY, None, RETIRED),  # proof of time is not asked for
    (SUPERSEDED, NOW, END, END + 5, RETIRED),
    (SUPERSEDED, END - 1, END, None, RETIRED),
    (SUPERSEDED, END, END, None, WINDOW),
    (SUPERSEDED, END, END, NOW, WINDOW),  # what it says of itself is later than its end, whatever is proven
    (SUPERSEDED, END, END - 1, None, WINDOW),  # dated after the decision: judged as of its own date
    (SUPERSEDED, END + 10, NOW, None, WINDOW),
    (STOLEN, NOW, END - 1, None, CURRENT),
    (STOLEN, END - 1, END - 1, END - 1, CURRENT),
    (STOLEN, NOW, END, None, COMPROMISED),  # whoever has the key can write any date
    (STOLEN, NOW, END + 3650 * DAY, None, COMPROMISED),
    (STOLEN, NOW, END, NOW, LATER),
    (STOLEN, NOW, END, END - 1, LATER),
    (STOLEN, NOW, END, END, COMPROMISED),  # proven to be no older than the end
    (STOLEN, NOW, END, END + 1, COMPROMISED),
    (STOLEN, NOW, END + 3650 * DAY, END - 1, LATER),
    (STOLEN, END - 1, END, END - 1, LATER),
    (STOLEN, END, END, END - 1, COMPROMISED),  # proven older than it says it is: still not believed
    (STOLEN, END, END - 1, None, COMPROMISED),
    (STOLEN, END + 10, NOW, NOW, COMPROMISED),
]


@pytest.mark.parametrize(
    ("reason", "at", "now", "proven_at", "expected"),
    [(reason, *row[1:]) for row in TABLE for reason in row[0]],
)
def test_the_table_of_ended_keys(
    reason: Any, at: int, now: int, proven_at: int | None, expected: KeyStanding | str
) -> None:
    """credentials reference §5.2. No skew anywhere here: the end of a key is the operator's word, not a clock's."""
    key = replace(KEY, revoked=KeyRevocation(END, reason))
    if isinstance(expected, KeyStanding):
        assert _check(key, at=at, now=now, proven_at=proven_at) is expected
        return
    with refuses(expected, VerificationError):
        _check(key, at=at, now=now, proven_at=proven_at)


@pytest.mark.parametrize("reason", ["superseded", "compromised", "unspecified"])
def test_a_key_that_ended_is_still_bound_to_its_window(reason: Any) -> None:
    """Outside the window it is invalid whatever is proven (last row of the table)."""
    key = replace(KEY, revoked=KeyRevocation(END, reason))
    for at in (KEY.nbf - 61, KEY.exp + 60):
        with refuses("key.window", VerificationError):
            _check(key, at=at, now=END, proven_at=NOW)


def test_a_key_revoked_before_it_began_never_counts() -> None:
    for reason in ("superseded", "compromised", "unspecified"):
        key = replace(KEY, revoked=KeyRevocation(KEY.nbf - 100, reason))
        with pytest.raises(VerificationError, match="key"):
            _check(key, proven_at=KEY.nbf)


def test_a_key_that_ended_after_its_window_is_retired_first() -> None:
    """Between its window and the day it was found stolen, it is a retired key like any other."""
    key = replace(KEY, revoked=KeyRevocation(KEY.exp + 10 * DAY, "compromised"))
    assert _check(key, now=KEY.exp + DAY) is RETIRED
    with refuses("key.compromised", VerificationError):
        _check(key, now=KEY.exp + 10 * DAY)
    assert _check(key, now=KEY.exp + 10 * DAY, proven_at=KEY.exp + DAY) is LATER


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
        _check(entity=entity(keys=()))


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
