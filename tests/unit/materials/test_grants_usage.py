"""Usage records: form, signature, chain."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from materials.grants.links import LinkId
from materials.grants.usage import (
    MAX_USAGE_BYTES,
    VerifiedUsage,
    issue_usage,
    parse_usage,
    verify_usage,
    verify_usage_chain,
)
from materials.grants.usage_record import UsageRecord, UsageResult, UsageUser, UseCount
from materials.ids import new_id
from signing import LedgerError, MalformedError, VerificationError, sign_jws
from tests.support import grants_world as w

RECORD = UsageRecord(
    jti=new_id("us", w.RANDOM),
    home=w.HOME,
    subject=w.OWNER,
    time=w.NOW,
    seq=0,
    prev=None,
    user=UsageUser(w.CLERK, w.DEPARTMENT, w.PLACE, (w.AGENT,)),
    links=(LinkId(w.HOME, new_id("gr", w.RANDOM)), LinkId(w.OWNER, new_id("gr", w.RANDOM))),
    basis="holder",
    purpose=w.PURPOSE,
    vct=w.VCT,
    material=w.MATERIAL,
    requested=("address", "holder_name"),
    disclosed=("address",),
    result=UsageResult("released"),
    request_digest=b"\x07" * 32,
    uses=(UseCount(0, 1, 3), UseCount(1, 1, 1)),
)
REFUSED = replace(RECORD, disclosed=(), uses=(), result=UsageResult("refused", "grant.uses", 1))


def verified(record: UsageRecord) -> VerifiedUsage:
    return verify_usage(parse_usage(issue_usage(w.HOME_GRANT, record)), w.HOME_GRANT.public_key)


def chain_of(*records: UsageRecord) -> list[VerifiedUsage]:
    """The records, linked."""
    usages: list[VerifiedUsage] = []
    for seq, record in enumerate(records):
        prev = usages[-1].text_hash if usages else None
        usages.append(verified(replace(record, jti=new_id("us", w.RANDOM), seq=seq, prev=prev)))
    return usages


@pytest.mark.parametrize("record", [RECORD, REFUSED, replace(RECORD, seq=1, prev=b"\x01" * 32)])
def test_a_record_is_read_back_as_written(record: UsageRecord) -> None:
    assert verified(record).record == record


def test_another_key_did_not_sign_it() -> None:
    with pytest.raises(VerificationError):
        verify_usage(parse_usage(issue_usage(w.HOME_GRANT, RECORD)), w.HOME_API.public_key)


def test_a_whole_chain() -> None:
    assert len(verify_usage_chain(chain_of(RECORD, REFUSED, RECORD))) == 3
    assert verify_usage_chain([]) == ()


def test_a_record_taken_out_swapped_or_changed_shows() -> None:
    one, two, three = chain_of(RECORD, REFUSED, RECORD)
    changed = verified(replace(two.record, result=UsageResult("refused", "grant.place", 1)))
    for broken, code in (
        ([one, three], "usage.gap"),
        ([two, three], "usage.gap"),
        ([one, three, two], "usage.gap"),
        ([one, changed, three], "usage.prev"),
        ([one, chain_of(replace(RECORD, subject=w.AGENT), RECORD)[0]], "usage.subject"),
    ):
        with pytest.raises(VerificationError) as caught:
            verify_usage_chain(broken)
        assert caught.value.code == code


def claims(**changes: Any) -> str:
    value = {**parse_usage(issue_usage(w.HOME_GRANT, RECORD)).jws.claims(), **changes}
    present = {name: item for name, item in value.items() if item is not None}
    return sign_jws(w.HOME_GRANT, typ="usage-record+jwt", claims=present)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "somebody"},
        {"seq": 1},
        {"seq": True},
        {"prev": "A" * 43},
        {"seq": 1, "prev": "A" * 42},
        {"jti": "gr-" + "a" * 26},
        {"request_digest": ""},
        {"result": {"outcome": "released", "code": "grant.uses", "link": 0}},
        {"result": {"outcome": "lost", "code": "grant.uses", "link": 0}},
        {"result": {"outcome": "refused"}},
        {"result": {"outcome": "refused", "code": "Free text about somebody", "link": 0}},
        {"uses": [{"link": 10, "n": 1, "max": 1}]},
        {"uses": [{"link": 0, "n": 0, "max": 1}]},
        {"claims": {"requested": ["a b"], "disclosed": []}},
        {"claims": {"requested": []}},
        {"grant": {"links": [], "basis": "any", "purpose": w.PURPOSE.to_json()}},
        {"value": "an attribute"},
    ],
)
def test_a_record_that_is_not_of_the_form(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_usage(claims(**changes))


def test_text_that_is_no_record() -> None:
    for text in ("", "a.b.c", "A" * (MAX_USAGE_BYTES + 1), w.root().text):
        with pytest.raises(MalformedError):
            parse_usage(text)


def test_any_changed_character_is_noticed() -> None:
    text = issue_usage(w.HOME_GRANT, RECORD)
    for position in range(0, len(text), 5):
        changed = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]
        with pytest.raises(LedgerError):
            verify_usage(parse_usage(changed), w.HOME_GRANT.public_key)


def test_the_largest_record_fits() -> None:
    paths = tuple(f"{'p' * 120}/{number:03}" for number in range(64))
    links = tuple(LinkId(w.HOME, new_id("gr", w.RANDOM)) for _ in range(10))
    big = replace(RECORD, requested=paths, disclosed=paths, links=links, uses=(UseCount(1, 1, 1),) * 10)
    assert verified(big).record == big


def test_no_payload_is_shown_by_repr() -> None:
    shown = repr(verified(RECORD)) + repr(parse_usage(issue_usage(w.HOME_GRANT, RECORD)))
    payload = issue_usage(w.HOME_GRANT, RECORD).split(".")[1]
    assert base64.urlsafe_b64decode(payload + "==").decode() not in shown
