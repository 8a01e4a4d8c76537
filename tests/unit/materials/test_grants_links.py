"""The form of a link and what binds a chain: forged and mutated links."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from materials.grants.errors import GrantRefusedError
from materials.grants.links import MAX_LINK_BYTES, GrantChain, parse_chain, parse_link
from materials.grants.narrowing import check_narrows
from materials.grants.terms import Location
from materials.grants.verify import verify_chain
from materials.trust.model import KeyRevocation
from signing import Ed25519Signer, LedgerError, MalformedError, b64url_encode, sign_jws
from tests.support import grants_world as w


def refused(*texts: str) -> tuple[str, int]:
    with pytest.raises(GrantRefusedError) as caught:
        verify_chain(parse_chain(texts), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    return caught.value.rule, caught.value.link


def malformed(text: str) -> str:
    with pytest.raises(MalformedError) as caught:
        parse_link(text)
    return caught.value.code


def test_a_link_says_what_was_put_into_it() -> None:
    link = w.root()
    assert parse_link(link.text) == link
    assert (link.id.iss, link.subject, link.basis, link.depth, link.parent_hash) == (w.HOME, w.OWNER, "holder", 0, None)
    assert link.audience == w.OWNER_PARTY.delegate
    assert (link.details, link.purpose) == ((w.DETAIL,), w.PURPOSE)


@pytest.mark.parametrize(
    ("claim", "value", "rule"),
    [
        ("exp", w.NOW + 3601, "outlives-parent"),
        ("sub", w.CLERK, "subject"),
        ("basis", "entrust", "basis"),
        ("uses", {"max": 1, "scope": "subtree", "home": w.DEPARTMENT}, "home"),
        ("depth", 2, "depth"),
        ("max_depth", 4, "depth"),
        ("max_depth", 0, "depth"),
        ("iss", w.CLERK, "audience"),
        ("prf", "A" * 43, "parent-hash"),
        ("purpose", {"code": "other", "item_code": "0131001000", "biz_num": "CASE-2026-0007"}, "purpose"),
        ("purpose", {"code": "open-a-branch", "item_code": "0131001000", "biz_num": "CASE-9"}, "purpose"),
    ],
)
def test_a_child_that_changes_what_it_may_not(claim: str, value: object, rule: str) -> None:
    first = w.root()
    second = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    assert refused(first.text, w.forge(second, w.OWNER_KEY, **{claim: value})) == (rule, 1)


def test_a_child_of_a_link_that_may_not_be_passed_on() -> None:
    first = w.root()
    second = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    closed = w.forge(first, w.HOME_GRANT, redelegate=None)
    prf = b64url_encode(parse_link(closed).text_hash)
    assert refused(closed, w.forge(second, w.OWNER_KEY, prf=prf)) == ("redelegate", 0)


def test_a_child_bound_to_another_parent_of_the_same_delegate() -> None:
    first, twin = w.root(), w.root(max_uses=1)
    child = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    assert refused(twin.text, child.text) == ("parent-hash", 1)


def test_the_right_entity_with_a_key_that_its_parent_did_not_name() -> None:
    first = w.root()
    child = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    assert refused(first.text, w.forge(child, w.AGENT_KEY)) == ("key-binding", 1)


def test_a_signature_that_is_not_of_the_named_key() -> None:
    first = w.root()
    child = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    other = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    grafted = f"{child.text.rpartition('.')[0]}.{other.text.rpartition('.')[2]}"
    assert refused(first.text, grafted) == ("signature", 1)


def test_links_out_of_order_left_out_or_repeated() -> None:
    one, two, three = w.usual_chain().texts
    assert refused(two) == ("depth", 0)
    assert refused(one, three) == ("depth", 1)
    assert refused(two, one, three) == ("depth", 0)
    with pytest.raises(MalformedError) as caught:
        parse_chain((one, two, two))
    assert caught.value.code == "form.repeated"


@pytest.mark.parametrize("number", [0, 11])
def test_a_chain_has_one_to_ten_links(number: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_chain([w.root().text] * number)
    assert caught.value.code == "form.size"


def test_only_a_listed_home_with_its_grant_key_roots_a_grant() -> None:
    first = w.root()
    assert refused(w.forge(first, w.HOME_API)) == ("key-role", 0)
    assert refused(w.forge(first, w.AGENT_KEY)) == ("key-unknown", 0)
    uses = {"max": 1, "home": w.AGENCY}
    assert refused(w.forge(first, w.AGENT_KEY, iss=w.AGENCY, uses=uses)) == ("key-unknown", 0)
    uses = {"max": 1, "home": w.DEPARTMENT}
    assert refused(w.forge(first, w.DEPARTMENT_GRANT, iss=w.DEPARTMENT, uses=uses)) == ("basis", 0)
    assert refused(w.forge(first, w.HOME_GRANT, iss=w.DEPARTMENT)) == ("home", 0)


def test_a_root_signed_with_a_key_that_was_compromised_later_needs_proof_of_time() -> None:
    keys = [replace(key, revoked=KeyRevocation(w.NOW - 5, "compromised")) for key in w.HOME_ENTITY.keys]
    trust = w.trust_list(replace(w.HOME_ENTITY, keys=tuple(keys)), w.DEPARTMENT_ENTITY)
    with pytest.raises(GrantRefusedError) as caught:
        verify_chain(w.usual_chain(), trust=trust, status=w.always_valid, now=w.NOW)
    assert (caught.value.rule, caught.value.link) == ("key-compromised", 0)


def test_another_signature_over_the_same_link_keeps_its_identity() -> None:
    first = w.root()
    child = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    text = w.malleate(child.text)
    assert text != child.text
    assert parse_link(text).id == child.id
    assert verify_chain(parse_chain((first.text, text)), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    with pytest.raises(MalformedError):
        parse_chain((first.text, child.text, text))


def detail(**changes: Any) -> list[dict[str, Any]]:
    whole = {**w.DETAIL.to_json(), **changes}
    return [{name: value for name, value in whole.items() if value is not None}]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"sub": None},
        {"exp": None},
        {"exp": True},
        {"exp": "1"},
        {"nbf": w.NOW + 3600},
        {"exp": w.NOW + 90 * w.DAY},
        {"redelegate": 1},
        {"depth": -1},
        {"depth": 1},
        {"max_depth": 10},
        {"basis": "Holder"},
        {"basis": ["holder"]},
        {"sub": "holder:ABC"},
        {"aud": "did:key:z6Mk"},
        {"jti": "gr-1"},
        {"extra": 1},
        {"meta": 1},
        {"prf": "A" * 43},
        {"cnf": {"jkt": "A" * 43, "jwk": w.AGENT_KEY.public_key.to_jwk()}},
        {"cnf": {"jkt": w.AGENT_KEY.public_key.key_id}},
        {"uses": {"max": 0, "home": w.HOME}},
        {"uses": {"max": 1, "scope": "all", "home": w.HOME}},
        {"uses": {"max": 1, "scope": "grant", "home": w.HOME}},
        {"uses": {"max": 1}},
        {"purpose": {"code": "open-a-branch", "item_code": "0131001000"}},
        {"purpose": {"code": "", "item_code": "0131001000", "biz_num": ""}},
        {"purpose": {"code": "open-a-branch", "item_code": "", "biz_num": ""}},
        {"purpose": {"code": "Open-a-branch", "item_code": "1", "biz_num": ""}},
        {"purpose": {"code": "open-a-branch", "item_code": "１", "biz_num": ""}},
        {"authorization_details": []},
        {"authorization_details": detail(type="anything")},
        {"authorization_details": detail(type=None)},
        {"authorization_details": detail(type="material-type")},
        {"authorization_details": detail(identifier=None)},
        {"authorization_details": detail(actions=[])},
        {"authorization_details": detail(actions=["*"])},
        {"authorization_details": detail(actions=["Retrieve"])},
        {"authorization_details": detail(actions=None)},
        {"authorization_details": detail(datatypes=[])},
        {"authorization_details": detail(datatypes=["*"])},
        {"authorization_details": detail(datatypes=["address/"])},
        {"authorization_details": detail(datatypes=["/address"])},
        {"authorization_details": detail(datatypes=["a//b"])},
        {"authorization_details": detail(datatypes=["Address"])},
        {"authorization_details": detail(datatypes=["ａddress"])},
        {"authorization_details": detail(datatypes=["address\n"])},
        {"authorization_details": detail(datatypes=["address", "address"])},
        {"authorization_details": detail(datatypes=None)},
        {"authorization_details": detail(locations=[])},
        {"authorization_details": detail(locations=[{"region": "320500", "level": "city"}])},
        {"authorization_details": detail(locations=[{"region": "", "level": "city", "department": w.DEPARTMENT}])},
        {"authorization_details": detail(locations=[{"region": "3205", "level": "city", "department": w.DEPARTMENT}])},
        {"authorization_details": detail(extra=1)},
        {"status": {"status_list": {"idx": "3", "uri": w.GRANT_LIST}}},
        {"status": {"status_list": {"idx": True, "uri": w.GRANT_LIST}}},
    ],
)
def test_a_claim_that_is_missing_empty_unknown_or_not_normal_refuses_the_link(changes: dict[str, Any]) -> None:
    assert malformed(w.forge(w.root(), w.HOME_GRANT, **changes)).startswith("form.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "ä.b.c",
        "\ud800.b.c",
        "A" * (MAX_LINK_BYTES + 1),
        "~" * 10_000,
    ],
)
def test_text_that_is_no_link(text: str) -> None:
    assert malformed(text).startswith("form.")


def raw_link(payload: bytes) -> str:
    """A link with this payload, whatever it holds; the signature does not matter for its form."""
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    header, _, signature = w.root().text.split(".")
    return f"{header}.{body}.{signature}"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.replace(b'"depth":0', b'"depth":0,"depth":0'),
        lambda p: p.replace(b'"depth":0', b'"depth":0.0'),
        lambda p: p.replace(b'"depth":0', b'"depth":NaN'),
        lambda p: p.replace(b'"depth":0', b'"depth":1e0'),
        lambda p: p.replace(b'"depth":0', b'"depth":' + b"9" * 30),
        lambda p: p.replace(b'"depth":0', b'"depth":' + b"[" * 500 + b"]" * 500),
        lambda p: p.replace(b'"basis":"holder"', b'"basis":"\\ud800"'),
        lambda p: b"[" + p + b"]",
        lambda p: b"\xff" + p,
        lambda p: p + b" {}",
        lambda p: b"",
    ],
)
def test_json_traps(change: Callable[[bytes], bytes]) -> None:
    assert malformed(raw_link(change(w.root().jws.payload))).startswith("form.")


def test_another_kind_of_token_is_no_link() -> None:
    claims = json.loads(w.root().jws.payload)
    assert malformed(sign_jws(w.HOME_GRANT, typ="usage-record+jwt", claims=claims)) == "form.typ"


def test_any_changed_character_is_noticed() -> None:
    texts = w.usual_chain().texts
    for number in range(3):
        for position in range(0, len(texts[number]), 7):
            old = texts[number][position]
            changed = texts[number][:position] + ("A" if old != "A" else "B") + texts[number][position + 1 :]
            with pytest.raises(LedgerError):
                verify_chain(
                    parse_chain([*texts[:number], changed, *texts[number + 1 :]]),
                    trust=w.TRUST,
                    status=w.always_valid,
                    now=w.NOW,
                )


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"exp": w.NOW + 3601}, "outlives-parent"),
        ({"nbf": w.NOW - 101}, "outlives-parent"),
        ({"max_uses": 4}, "uses"),
        ({"max_depth": 4}, "depth"),
        ({"purpose": replace(w.PURPOSE, biz_num="")}, "purpose"),
        ({"details": (replace(w.DETAIL, claims=("address", "holder_code")),)}, "detail"),
        ({"details": (replace(w.DETAIL, material=None),)}, "detail"),
        ({"details": (replace(w.DETAIL, locations=(replace(w.PLACE, region="320000"),)),)}, "detail"),
        ({"details": (w.DETAIL, replace(w.DETAIL, vct=w.OTHER_VCT))}, "detail"),
    ],
)
def test_a_wider_child_is_refused_when_it_is_made(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(GrantRefusedError) as caught:
        w.below(w.root(), w.OWNER_KEY, w.AGENT_PARTY, **changes)
    assert (caught.value.rule, caught.value.link) == (rule, 1)


def test_only_the_delegates_key_can_pass_on() -> None:
    with pytest.raises(GrantRefusedError) as caught:
        w.below(w.root(), Ed25519Signer.generate(w.RANDOM), w.AGENT_PARTY)
    assert caught.value.rule == "key-binding"


def test_ten_links_and_no_more() -> None:
    links = [w.root(max_depth=9)]
    signer = w.OWNER_KEY
    for depth in range(1, 10):
        links.append(w.below(links[-1], signer, w.AGENT_PARTY, max_depth=9, redelegate=True))
        signer = w.AGENT_KEY
        assert links[-1].depth == depth
    assert verify_chain(GrantChain(tuple(links)), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    with pytest.raises(GrantRefusedError):
        w.below(links[-1], signer, w.AGENT_PARTY, max_depth=9)


def test_a_case_that_is_not_named_may_be_filled_once() -> None:
    first = w.root(purpose=replace(w.PURPOSE, biz_num=""))
    child = w.below(first, w.OWNER_KEY, w.AGENT_PARTY)
    check_narrows(child, first)
    with pytest.raises(GrantRefusedError):
        w.below(child, w.AGENT_KEY, w.DEPARTMENT_PARTY, purpose=replace(w.PURPOSE, biz_num="OTHER"))


def test_locations_are_read_back_as_written() -> None:
    place = Location("310110", "district", f"{w.HOME}/hall/window-3")
    assert Location.from_json(place.to_json(), what="test") == place
    assert place.organisation == w.HOME
