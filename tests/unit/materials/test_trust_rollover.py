"""Trust lists that follow one another to another list key, and every way in which one must not."""

from dataclasses import replace
from typing import Any

import pytest

from materials.trust.json_form import trust_list_to_json
from materials.trust.lists import TRUST_LIST_TYP, issue_trust_list, verify_trust_list
from materials.trust.model import KeyRevocation, TrustKey, TrustList
from materials.trust.rollover import (
    HISTORY_VERSION,
    HeldList,
    follow_list,
    follow_lists,
    format_history,
    list_keys,
    parse_history,
)
from signing import (
    Ed25519Signer,
    LedgerError,
    MalformedError,
    Secret,
    Signer,
    UnavailableError,
    VerificationError,
    b64url_encode,
    sha256,
    sign_jws,
)
from tests.support.materials_world import DAY, ISSUE_KEY, LIST_KEY, NOW, OPERATOR, entity, refuses, trust_list

NEXT_KEY = Ed25519Signer(Secret(b"\x21" * 32))
THIRD_KEY = Ed25519Signer(Secret(b"\x22" * 32))


def key(signer: Signer, **changes: Any) -> TrustKey:
    return replace(TrustKey(signer.public_key, "list", nbf=NOW - 9 * DAY, exp=NOW + 900 * DAY), **changes)


def content(*keys: TrustKey, **changes: Any) -> TrustList:
    """A list of the operator, which names ``keys`` as its own."""
    operator = entity(id=OPERATOR, keys=keys)
    return trust_list(entities=(entity(), operator), **changes)


def after(text: str, signer: Signer, *keys: TrustKey, **changes: Any) -> str:
    """The next list after ``text``, an hour younger unless told otherwise."""
    before = held(text).verified.list
    times = {"iat": before.iat + 3600, "next_update": before.next_update + 3600, "exp": before.exp + 3600}
    linked = {"seq": before.seq + 1, "prev": b64url_encode(sha256(text.encode()))}
    return issue_trust_list(signer, content(*keys, **{**times, **linked, **changes}))


def held(text: str) -> HeldList:
    """``text``, verified with whatever key signed it."""
    for signer in (LIST_KEY, NEXT_KEY, THIRD_KEY):
        try:
            verified = verify_trust_list(text, signer.public_key, NOW)
        except VerificationError:
            continue
        return HeldList(verified, signer.public_key)
    raise AssertionError("a list of nobody")


SUPERSEDED = KeyRevocation(NOW, "superseded")
FIRST = issue_trust_list(LIST_KEY, content())
ANNOUNCED = after(FIRST, LIST_KEY, key(LIST_KEY), key(NEXT_KEY))
START = held(FIRST)


def test_a_new_key_is_followed_once_it_is_announced() -> None:
    announced = follow_list(START, ANNOUNCED, now=NOW)
    assert announced.key == LIST_KEY.public_key
    second = after(ANNOUNCED, NEXT_KEY, key(LIST_KEY, revoked=SUPERSEDED), key(NEXT_KEY))
    switched = follow_list(announced, second, now=NOW)
    assert switched.key == NEXT_KEY.public_key
    third = after(second, NEXT_KEY, key(NEXT_KEY), key(THIRD_KEY))
    last = after(third, THIRD_KEY, key(THIRD_KEY))
    texts = [FIRST, ANNOUNCED, second, third, last]
    newest = follow_lists(START, texts, now=NOW)
    assert (newest.key, newest.verified.text) == (THIRD_KEY.public_key, last)
    assert follow_lists(START, texts[1:], now=NOW) == newest
    assert follow_lists(newest, texts, now=NOW) == newest
    assert [each.public_key for each in list_keys(switched.verified.list)] == [LIST_KEY.public_key, NEXT_KEY.public_key]


def test_the_old_key_may_go_on_until_it_ends() -> None:
    announced = follow_list(START, ANNOUNCED, now=NOW)
    more = after(ANNOUNCED, LIST_KEY, key(LIST_KEY), key(NEXT_KEY))
    assert follow_list(announced, more, now=NOW).key == LIST_KEY.public_key


@pytest.mark.parametrize(
    ("base", "signer", "keys", "code"),
    [
        pytest.param(FIRST, NEXT_KEY, (key(NEXT_KEY),), "trust.list-key", id="never announced"),
        pytest.param(FIRST, ISSUE_KEY, (key(LIST_KEY),), "trust.list-key", id="an issuing key of another entity"),
        pytest.param(
            issue_trust_list(LIST_KEY, content(key(NEXT_KEY, role="issue"))),
            NEXT_KEY,
            (),
            "trust.list-key",
            id="announced in another role",
        ),
        pytest.param(
            issue_trust_list(LIST_KEY, content(key(NEXT_KEY, nbf=NOW + DAY))),
            NEXT_KEY,
            (key(NEXT_KEY),),
            "key.window",
            id="announced for later",
        ),
        pytest.param(
            issue_trust_list(LIST_KEY, content(key(NEXT_KEY, exp=NOW - 5 * DAY))),
            NEXT_KEY,
            (key(NEXT_KEY),),
            "key.window",
            id="announced and expired",
        ),
        pytest.param(
            issue_trust_list(LIST_KEY, content(key(NEXT_KEY, revoked=KeyRevocation(NOW - 2 * DAY, "compromised")))),
            NEXT_KEY,
            (key(NEXT_KEY),),
            "key.compromised",
            id="announced and compromised",
        ),
        pytest.param(
            issue_trust_list(LIST_KEY, replace(content(), entities=(entity(keys=(key(NEXT_KEY),)),))),
            NEXT_KEY,
            (key(NEXT_KEY),),
            "trust.list-key",
            id="a list key of somebody else",
        ),
    ],
)
def test_keys_that_may_not_take_over(base: str, signer: Signer, keys: tuple[TrustKey, ...], code: str) -> None:
    with refuses(code, VerificationError):
        follow_list(held(base), after(base, signer, *keys), now=NOW)


@pytest.mark.parametrize("reason", ["superseded", "compromised", "unspecified"])
@pytest.mark.parametrize("iat", [NOW - DAY + 2 * 3600 + 1, NOW - 8 * DAY])
def test_a_key_that_ended_does_not_return_however_its_list_is_dated(reason: Any, iat: int) -> None:
    end = KeyRevocation(NOW - DAY + 2 * 3600, reason)
    second = after(ANNOUNCED, NEXT_KEY, key(LIST_KEY, revoked=end), key(NEXT_KEY))
    switched = follow_lists(START, [ANNOUNCED, second], now=NOW)
    back = after(second, LIST_KEY, key(NEXT_KEY), iat=iat)
    with refuses("key.window" if reason == "superseded" else "key.compromised", VerificationError):
        follow_list(switched, back, now=NOW)


def test_gaps_rollbacks_and_split_views() -> None:
    second = after(ANNOUNCED, NEXT_KEY, key(NEXT_KEY))
    with refuses("trust.list-key", VerificationError):
        follow_lists(START, [second], now=NOW)
    same_key = after(ANNOUNCED, LIST_KEY, key(LIST_KEY))
    with refuses("trust.gap", VerificationError):
        follow_lists(START, [same_key], now=NOW)
    other = issue_trust_list(LIST_KEY, content(iat=NOW - DAY + 1))
    with refuses("trust.split-view", VerificationError):
        follow_lists(START, [other, after(other, LIST_KEY)], now=NOW)
    for texts in ([FIRST], []):
        with refuses("trust.rollback", VerificationError):
            follow_lists(follow_list(START, ANNOUNCED, now=NOW), texts, now=NOW)


def test_the_last_list_must_be_good_now_those_before_were_good_then() -> None:
    last = after(ANNOUNCED, NEXT_KEY, key(NEXT_KEY), next_update=NOW + 90 * DAY, exp=NOW + 90 * DAY)
    assert follow_lists(START, [ANNOUNCED, last], now=NOW + 80 * DAY).verified.text == last
    with refuses("trust.expired", UnavailableError):
        follow_lists(START, [ANNOUNCED, last], now=NOW + 91 * DAY)
    with refuses("time.not-yet", VerificationError):
        follow_lists(START, [ANNOUNCED, last], now=NOW - 3 * DAY)


def test_a_changed_byte_anywhere() -> None:
    second = after(ANNOUNCED, NEXT_KEY, key(NEXT_KEY))
    for number in range(0, len(second), 37):
        changed = second[:number] + ("A" if second[number] != "A" else "B") + second[number + 1 :]
        with pytest.raises(LedgerError):
            follow_lists(START, [ANNOUNCED, changed], now=NOW)


def test_a_kid_that_lies() -> None:
    """The header may name any key: the signature has to be that key's."""
    claims = trust_list_to_json(content(key(NEXT_KEY), seq=3, prev="x" * 43, iat=NOW, next_update=NOW + DAY))

    class Liar:
        public_key = NEXT_KEY.public_key

        def sign(self, message: bytes) -> bytes:
            return THIRD_KEY.sign(message)

    with refuses("signature.invalid", VerificationError):
        follow_list(
            follow_list(START, ANNOUNCED, now=NOW), sign_jws(Liar(), typ=TRUST_LIST_TYP, claims=claims), now=NOW
        )


def test_history_file() -> None:
    data = format_history([FIRST, ANNOUNCED])
    assert data == f"{HISTORY_VERSION}\n{FIRST}\n{ANNOUNCED}\n".encode()
    assert parse_history(data) == (FIRST, ANNOUNCED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"ematerials/trust-history/v2\nx\n",
        f"{HISTORY_VERSION}\n".encode(),
        f"{HISTORY_VERSION}\nx".encode(),
        f"{HISTORY_VERSION}\r\nx\r\n".encode(),
        f"{HISTORY_VERSION}\n\xff\n".encode("latin-1"),
        f" {HISTORY_VERSION}\nx\n".encode(),
    ],
)
def test_what_is_no_history(data: bytes) -> None:
    with pytest.raises(MalformedError) as raised:
        parse_history(data)
    assert raised.value.code == "form.version"


def test_lines_that_are_no_lists() -> None:
    for line in ("", "x", "a.b.c", "ä", FIRST + "=", "\x00"):
        with pytest.raises(LedgerError):
            follow_lists(START, [line], now=NOW)
