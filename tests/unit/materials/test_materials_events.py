"""Life-cycle events: form, signature, and what they do to the status."""

from dataclasses import replace
from typing import Any

import pytest

from materials.events import (
    EventCode,
    MaterialEvent,
    check_event_subject,
    issue_event,
    national_status_code,
    next_status,
    parse_event,
    status_from_events,
    verify_event,
)
from materials.ids import new_event_id, new_material_id, organisation_id
from materials.status import StatusValue
from signing import MalformedError, RefusedError, VerificationError, parse_jws, sign_jws
from tests.support.materials_world import ISSUER, NOW, STATUS_KEY, STRANGER, claims, refuses, seeded_bytes

SUCCESSOR = new_material_id(seeded_bytes(5))
EVENT = MaterialEvent(
    jti=new_event_id(seeded_bytes()),
    iss=ISSUER,
    sub=claims().jti,
    code=EventCode.SUSPENDED,
    reason="under-review",
    iat=NOW,
    effective=NOW,
)


def test_issue_and_verify() -> None:
    text = issue_event(STATUS_KEY, EVENT)
    verified = verify_event(parse_event(text), STATUS_KEY.public_key)
    assert verified.event == EVENT
    assert verified.entry == text.encode()
    assert verified.key_id == STATUS_KEY.public_key.key_id
    check_event_subject(verified.event, claims())


@pytest.mark.parametrize("code", list(EventCode))
def test_every_code_round_trips_with_its_national_code(code: EventCode) -> None:
    successor = SUCCESSOR if code is EventCode.SUPERSEDED else None
    event = replace(EVENT, code=code, successor=successor)
    assert parse_event(issue_event(STATUS_KEY, event)).event == event
    expected = {
        "reinstated": "01",
        "suspended": "02",
        "annulled": "03",
        "cancelled": "04",
        "lapsed": "05",
        "transferred-out": "06",
        "revoked": "07",
    }
    assert national_status_code(code) == expected.get(code.value, "99")


def test_any_changed_character_is_refused() -> None:
    text = issue_event(STATUS_KEY, EVENT)
    for place, old in enumerate(text):
        changed = text[:place] + ("A" if old != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_event(parse_event(changed), STATUS_KEY.public_key)


def test_another_key() -> None:
    with refuses("signature.key", VerificationError):
        verify_event(parse_event(issue_event(STATUS_KEY, EVENT)), STRANGER.public_key)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"event": "destroyed"}, "form.code"),
        ({"event": 2}, "form.type"),
        ({"reason": "because Mr Zhang asked"}, "form.code"),
        ({"sub": "1.2.156.3005.2.1"}, "form.id"),
        ({"jti": SUCCESSOR}, "form.id"),
        ({"iss": "holder:" + "a" * 26}, "form.id"),
        ({"iat": True}, "form.type"),
        ({"effective": -1}, "form.range"),
        ({"note": "x"}, "form.member"),
        ({"successor": SUCCESSOR}, "event.successor"),
        ({"event": "superseded"}, "event.successor"),
        ({"event": "superseded", "successor": EVENT.sub}, "event.successor"),
        ({"event": "superseded", "successor": None}, "form.type"),
    ],
)
def test_events_of_a_wrong_form(change: dict[str, Any], code: str) -> None:
    good = parse_jws(issue_event(STATUS_KEY, EVENT), typ="material-event+jwt", max_bytes=8192).claims()
    with refuses(code, MalformedError):
        parse_event(sign_jws(STATUS_KEY, typ="material-event+jwt", claims={**good, **change}))


def test_other_kinds_and_sizes() -> None:
    with refuses("form.typ", MalformedError):
        parse_event(sign_jws(STATUS_KEY, typ="grant+jwt", claims={}))
    with refuses("form.size", MalformedError):
        parse_event("x" * 8193)


def test_event_about_another_material_or_from_another_issuer() -> None:
    with refuses("event.subject", VerificationError):
        check_event_subject(EVENT, claims(jti=SUCCESSOR))
    with refuses("event.issuer", VerificationError):
        check_event_subject(replace(EVENT, iss=organisation_id("11330106MB9F000439")), claims())


def test_status_after_each_event() -> None:
    for code in EventCode:
        after = next_status(StatusValue.VALID, code)
        reversible = code in {EventCode.SUSPENDED, EventCode.RESTRICTED}
        assert after is (
            StatusValue.SUSPENDED
            if reversible
            else StatusValue.VALID
            if code is EventCode.REINSTATED
            else StatusValue.INVALID
        )
    assert next_status(StatusValue.SUSPENDED, EventCode.REINSTATED) is StatusValue.VALID


@pytest.mark.parametrize("code", list(EventCode))
def test_nothing_follows_the_end(code: EventCode) -> None:
    with refuses("status.final", RefusedError):
        next_status(StatusValue.INVALID, code)


def test_status_on_a_day() -> None:
    events = [
        replace(EVENT, effective=NOW + 10),
        replace(EVENT, code=EventCode.REINSTATED, effective=NOW + 20),
        replace(EVENT, code=EventCode.CANCELLED, effective=NOW + 30),
        replace(EVENT, code=EventCode.REINSTATED, effective=NOW + 40),
    ]
    expected = {0: 0, 9: 0, 10: 2, 19: 2, 20: 0, 29: 0, 30: 1, 40: 1, 99: 1}
    for offset, value in expected.items():
        assert status_from_events(events, NOW + offset) == value
    assert status_from_events([], NOW) is StatusValue.VALID
    assert status_from_events(list(reversed(events)), NOW + 15) is StatusValue.SUSPENDED
