"""The trust list and the trust file: form, signature, dates, succession."""

from dataclasses import replace
from typing import Any

import pytest

from materials.trust.json_form import read_trust_list, trust_list_to_json
from materials.trust.lists import (
    TrustFile,
    check_trust_update,
    format_trust_file,
    issue_trust_list,
    parse_trust_file,
    verify_trust_list,
)
from materials.trust.model import KeyRevocation, TrustKey
from signing import MalformedError, UnavailableError, VerificationError, dump_json, parse_json, parse_jws, sign_jws
from tests.support.materials_world import (
    DAY,
    ISSUE_KEY,
    LIST_KEY,
    LOG_KEY,
    NOW,
    OPERATOR,
    ORIGIN,
    STRANGER,
    entity,
    refuses,
    trust_list,
    trusted,
)


def test_issue_and_verify() -> None:
    text = issue_trust_list(LIST_KEY, trust_list())
    verified = verify_trust_list(text, LIST_KEY.public_key, NOW)
    assert verified.list == trust_list()
    assert verified.list_key_id == LIST_KEY.public_key.key_id
    assert verified.list.find_log(ORIGIN).public_key == LOG_KEY.public_key.raw
    with refuses("log.unknown", VerificationError):
        verified.list.find_log("log.example/other")


def test_revoked_keys_and_later_lists_round_trip() -> None:
    old = replace(entity().keys[0], revoked=KeyRevocation(NOW, "compromised"))
    value = trust_list(seq=2, prev="x" * 43, entities=(entity(keys=(old,)),))
    assert read_trust_list(trust_list_to_json(value)) == value


def test_dates() -> None:
    text = issue_trust_list(LIST_KEY, trust_list())
    assert not trusted().stale(NOW)
    assert trusted().stale(NOW + 60)
    verify_trust_list(text, LIST_KEY.public_key, NOW + 6 * DAY + 59)
    with refuses("trust.expired", UnavailableError):
        verify_trust_list(text, LIST_KEY.public_key, NOW + 6 * DAY + 60)
    with refuses("time.not-yet", VerificationError):
        verify_trust_list(text, LIST_KEY.public_key, NOW - DAY - 61)


def test_another_list_key() -> None:
    text = issue_trust_list(LIST_KEY, trust_list())
    with refuses("signature.key", VerificationError):
        verify_trust_list(text, STRANGER.public_key, NOW)
    forged = issue_trust_list(STRANGER, trust_list())
    with refuses("signature.key", VerificationError):
        verify_trust_list(forged, LIST_KEY.public_key, NOW)


def test_any_changed_character_is_refused() -> None:
    text = issue_trust_list(LIST_KEY, trust_list())
    for place in range(0, len(text), 7):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_trust_list(changed, LIST_KEY.public_key, NOW)


def _twice(members: dict[str, Any], name: str) -> None:
    members[name].append(members[name][0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: p.pop("chains"), "form.member"),
        (lambda p: p.update(extra=1), "form.member"),
        (lambda p: p.update(seq=0), "form.range"),
        (lambda p: p.update(seq=2), "trust.prev"),
        (lambda p: p.update(prev="x" * 43), "trust.prev"),
        (lambda p: p.update(prev=None), "form.type"),
        (lambda p: p.update(exp=p["next_update"] - 1), "time.order"),
        (lambda p: p.update(iat=p["next_update"]), "time.order"),
        (lambda p: p.update(chains=[{}]), "form.member"),
        (lambda p: _twice(p, "entities"), "trust.repeated"),
        (lambda p: _twice(p, "logs"), "trust.repeated"),
        (lambda p: _twice(p["entities"][0], "keys"), "trust.repeated"),
        (lambda p: _twice(p["entities"][0], "purposes"), "trust.repeated"),
        (lambda p: p["entities"][0].pop("bases"), "form.member"),
        (lambda p: p["entities"][0].update(level="empire"), "form.code"),
        (lambda p: p["entities"][0].update(region="31"), "form.region"),
        (lambda p: p["entities"][0].update(bases=["all"]), "form.code"),
        (lambda p: p["entities"][0].update(types="all"), "form.type"),
        (lambda p: p["entities"][0].update(status_uris=["file:///x"]), "form.uri"),
        (lambda p: p["entities"][0]["keys"][0].update(role="root"), "form.code"),
        (lambda p: p["entities"][0]["keys"][0].update(exp=1), "time.order"),
        (lambda p: p["entities"][0]["keys"][0].update(revoked={"at": 1}), "form.member"),
        (lambda p: p["entities"][0]["keys"][0].update(revoked={"at": 1, "reason": "bored"}), "form.code"),
        (lambda p: p["entities"][0]["keys"][0]["jwk"].update(d="x"), "form.member"),
        (lambda p: p["logs"][0].update(origin="log.example/other"), "trust.log"),
        (lambda p: p["logs"][0].update(vkey="x"), "note.vkey"),
    ],
)
def test_lists_of_a_wrong_form(change: Any, code: str) -> None:
    claims: Any = parse_json(dump_json(trust_list_to_json(trust_list())), what="x", max_bytes=10**6)
    change(claims)
    text = sign_jws(LIST_KEY, typ="trust-list+jwt", claims=claims)
    with refuses(code, MalformedError):
        verify_trust_list(text, LIST_KEY.public_key, NOW)


def test_one_key_has_one_role() -> None:
    window = {"nbf": NOW - DAY, "exp": NOW + DAY}
    keys = tuple(TrustKey(ISSUE_KEY.public_key, role, **window) for role in ("issue", "status"))
    with refuses("trust.repeated", MalformedError):
        issue_trust_list(LIST_KEY, trust_list(entities=(entity(keys=keys),)))


def test_succession() -> None:
    held = trusted()
    following = trusted(seq=2, prev=held.digest)
    check_trust_update(held, held)
    check_trust_update(held, following)
    with refuses("trust.rollback", VerificationError):
        check_trust_update(following, held)
    with refuses("trust.split-view", VerificationError):
        check_trust_update(held, trusted(next_update=NOW + 1))
    with refuses("trust.gap", VerificationError):
        check_trust_update(held, trusted(seq=2, prev="x" * 43))
    with refuses("trust.gap", VerificationError):
        check_trust_update(held, trusted(seq=3, prev=held.digest))
    with refuses("trust.issuer", VerificationError):
        check_trust_update(held, trusted(seq=2, prev=held.digest, iss=entity().id))


def test_trust_file() -> None:
    file = TrustFile(LIST_KEY.public_key, issue_trust_list(LIST_KEY, trust_list()))
    data = format_trust_file(file)
    assert parse_trust_file(data) == file
    assert trust_list().iss == OPERATOR
    value: Any = parse_json(data, what="x", max_bytes=10**6)
    for change, code in (
        ({"version": "ematerials/trust/v2"}, "form.version"),
        ({"list_key": {}}, "form.member"),
        ({"trust_list": 5}, "form.type"),
        ({"more": 5}, "form.member"),
    ):
        with refuses(code, MalformedError):
            parse_trust_file(dump_json({**value, **change}))
    for garbage in (b"", b"[]", b"\xff", b'{"version":1,"version":1}', b"[" * 10_000, data[:-1]):
        with pytest.raises(MalformedError):
            parse_trust_file(garbage)
    with refuses("form.size", MalformedError):
        parse_trust_file(b" " * (5 * 1024 * 1024))


def test_list_of_another_kind() -> None:
    text = sign_jws(LIST_KEY, typ="jwk-set+jwt", claims=trust_list_to_json(trust_list()))
    with refuses("form.typ", MalformedError):
        verify_trust_list(text, LIST_KEY.public_key, NOW)
    assert parse_jws(text, typ="jwk-set+jwt", max_bytes=10**6).kid == LIST_KEY.public_key.key_id
