"""The decision over a whole chain: what binds the links, and that every link is asked on its own."""

from dataclasses import replace
from typing import Any

import pytest

from materials.claims import StatusRef
from materials.grants.decision import Decision, decide
from materials.grants.errors import GrantRefusedError
from materials.grants.issue import issue_root, new_grant_id
from materials.grants.links import Delegate, GrantChain, parse_chain
from materials.grants.requests import RetrievalRequest
from materials.grants.verify import verify_chain
from materials.status import StatusValue
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import KeyRevocation, Purpose
from signing import Ed25519Signer, UnavailableError
from tests.support import grants_world as w

KEY = w.DEPARTMENT_API.public_key.key_id


def judge(
    chain: GrantChain, request: RetrievalRequest = w.REQUEST, trust: VerifiedTrustList = w.TRUST, now: int = w.NOW
) -> Decision:
    verified = verify_chain(parse_chain(chain.texts), trust=trust, status=w.always_valid, now=now)
    return decide(request, verified, trust=trust, caller_key=KEY)


def refusal(chain: GrantChain, request: RetrievalRequest = w.REQUEST, **context: Any) -> tuple[str, int]:
    with pytest.raises(GrantRefusedError) as caught:
        judge(chain, request, **context)
    error = caught.value
    assert error.code == f"grant.{error.rule}"
    text = str(error)
    assert str(error.link) in text
    assert error.rule in text
    for value in (w.OWNER, w.AGENT, w.MATERIAL, w.PURPOSE.biz_num, w.DEPARTMENT, "holder_name"):
        assert value not in text
    return error.rule, error.link


def test_three_links_allow_the_request_and_every_link_is_listed() -> None:
    chain = w.usual_chain()
    decision = judge(chain)
    assert decision.links == chain.ids
    assert (decision.requester, decision.organisation, decision.uses) == (w.DEPARTMENT, w.DEPARTMENT, "unchecked")


def test_a_clerk_acts_for_the_department_that_delegated() -> None:
    first = w.root(to=w.Party(w.DEPARTMENT, w.DEPARTMENT_GRANT))
    chain = GrantChain((first, w.below(first, w.DEPARTMENT_GRANT, w.CLERK_PARTY, redelegate=False)))
    verified = verify_chain(chain, trust=w.TRUST, status=w.always_valid, now=w.NOW)
    decision = decide(w.REQUEST, verified, trust=w.TRUST, caller_key=w.CLERK_KEY.public_key.key_id)
    assert (decision.requester, decision.organisation) == (w.CLERK, w.DEPARTMENT)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"purpose": replace(w.PURPOSE, code="close-a-branch")}, "purpose"),
        ({"purpose": replace(w.PURPOSE, item_code="0131001001")}, "purpose"),
        ({"purpose": replace(w.PURPOSE, biz_num="CASE-2026-0008")}, "purpose"),
        ({"purpose": replace(w.PURPOSE, biz_num="case-2026-0007")}, "purpose"),
        ({"material": w.other_material()}, "material"),
        ({"vct": w.OTHER_VCT}, "material"),
        ({"claims": ("holder_code",)}, "claims"),
        ({"claims": ("address", "holder_code")}, "claims"),
        ({"claims": ("address_old",)}, "claims"),
        ({"claims": ()}, "claims"),
        ({"location": replace(w.PLACE, region="320000")}, "place"),
        ({"location": replace(w.PLACE, region="320600")}, "place"),
        ({"location": replace(w.PLACE, level="district")}, "place"),
        ({"location": replace(w.PLACE, department=w.HOME)}, "place"),
    ],
)
def test_a_request_outside_the_grant_names_the_first_link_that_refuses(change: dict[str, Any], rule: str) -> None:
    assert refusal(w.usual_chain(), replace(w.REQUEST, **change)) == (rule, 0)


def test_the_link_that_narrowed_is_the_one_that_refuses() -> None:
    chain = w.usual_chain(details=(replace(w.DETAIL, claims=("address",)),))
    assert refusal(chain) == ("claims", 2)


def test_the_action_is_a_whole_segment() -> None:
    chain = w.usual_chain(details=(replace(w.DETAIL, actions=("retrieve/fields",)),))
    assert judge(chain)
    assert refusal(chain, replace(w.REQUEST, action="retrieve/files")) == ("action", 2)


def test_two_details_are_not_added_up() -> None:
    details = (replace(w.DETAIL, claims=("address",)), replace(w.DETAIL, claims=("holder_name",)))
    assert refusal(w.usual_chain(details=details)) == ("claims", 2)


def test_a_sub_unit_is_inside_its_department_and_a_longer_name_is_not() -> None:
    window = replace(w.PLACE, department=f"{w.DEPARTMENT}/window")
    chain = w.usual_chain(details=(replace(w.DETAIL, locations=(window,)),))
    assert judge(chain, replace(w.REQUEST, location=replace(window, department=f"{w.DEPARTMENT}/window/3")))
    other = replace(window, department=f"{w.DEPARTMENT}/window-3")
    assert refusal(chain, replace(w.REQUEST, location=other)) == ("place", 2)


def test_the_trust_list_says_where_the_organisation_is() -> None:
    moved = w.trust_list(w.HOME_ENTITY, replace(w.DEPARTMENT_ENTITY, region="330100"))
    assert refusal(w.usual_chain(), trust=moved) == ("place", 2)


def test_an_open_case_must_be_named_by_the_last_link() -> None:
    assert judge(w.usual_chain(case_at_leaf=True))
    open_leaf = w.usual_chain(case_at_leaf=True, purpose=replace(w.PURPOSE, biz_num=""))
    assert refusal(open_leaf) == ("purpose", 2)


@pytest.mark.parametrize(
    "purposes",
    [
        (),
        (Purpose("open-a-branch", "law", (w.OTHER_VCT,), w.CLAIMS),),
        (Purpose("open-a-branch", "law", (w.VCT,), ("address",)),),
    ],
)
def test_the_purpose_must_be_registered_for_type_and_claims(purposes: tuple[Purpose, ...]) -> None:
    trust = w.trust_list(w.HOME_ENTITY, replace(w.DEPARTMENT_ENTITY, purposes=purposes))
    assert refusal(w.usual_chain(), trust=trust) == ("purpose-registered", 2)


def test_an_organisation_outside_the_trust_list_gets_nothing() -> None:
    assert refusal(w.usual_chain(), trust=w.trust_list(w.HOME_ENTITY)) == ("purpose-registered", 2)


def test_the_right_entity_with_another_key_is_refused() -> None:
    verified = verify_chain(w.usual_chain(), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    stranger = Ed25519Signer.generate(w.RANDOM).public_key.key_id
    with pytest.raises(GrantRefusedError) as caught:
        decide(w.REQUEST, verified, trust=w.TRUST, caller_key=stranger)
    assert (caught.value.rule, caught.value.link) == ("key-binding", 2)


def test_a_department_key_that_the_trust_list_revoked_is_refused() -> None:
    api_key, grant_key = w.DEPARTMENT_ENTITY.keys
    revoked = replace(api_key, revoked=KeyRevocation(w.NOW - 10, "compromised"))
    trust = w.trust_list(w.HOME_ENTITY, replace(w.DEPARTMENT_ENTITY, keys=(revoked, grant_key)))
    assert refusal(w.usual_chain(), trust=trust) == ("key-compromised", 2)


def test_a_department_may_not_ask_with_a_key_of_another_role() -> None:
    first = w.root(to=w.Party(w.DEPARTMENT, w.DEPARTMENT_GRANT), redelegate=False)
    verified = verify_chain(GrantChain((first,)), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    with pytest.raises(GrantRefusedError) as caught:
        decide(w.REQUEST, verified, trust=w.TRUST, caller_key=w.DEPARTMENT_GRANT.public_key.key_id)
    assert caught.value.rule == "key-role"


def test_an_authority_cannot_use_its_own_function_grant() -> None:
    place = replace(w.PLACE, region="310110", level="district", department=w.HOME)
    detail = replace(w.DETAIL, locations=(place,))
    link = issue_root(
        w.HOME_GRANT, home=w.HOME, subject=w.OWNER, basis="function",
        delegate=Delegate(w.HOME, w.HOME_API.public_key),
        terms=w.terms(details=(detail,), redelegate=False), jti=new_grant_id(w.RANDOM), now=w.NOW,
    )  # fmt: skip
    verified = verify_chain(GrantChain((link,)), trust=w.TRUST, status=w.always_valid, now=w.NOW)
    request = replace(w.REQUEST, location=place)
    with pytest.raises(GrantRefusedError) as caught:
        decide(request, verified, trust=w.TRUST, caller_key=w.HOME_API.public_key.key_id)
    assert caught.value.rule == "basis"


@pytest.mark.parametrize(
    ("now", "rule"), [(w.NOW - 161, "time-not-yet"), (w.NOW + 3600 + 60, "time-expired"), (2**53, "time-expired")]
)
def test_outside_the_window_of_any_link(now: int, rule: str) -> None:
    with pytest.raises(GrantRefusedError) as caught:
        verify_chain(w.usual_chain(), trust=w.TRUST, status=w.always_valid, now=now)
    assert (caught.value.rule, caught.value.link) == (rule, 0)


def test_the_window_is_half_open_with_one_tolerance() -> None:
    chain = w.usual_chain(exp=w.NOW + 10)
    assert verify_chain(chain, trust=w.TRUST, status=w.always_valid, now=w.NOW + 69)
    with pytest.raises(GrantRefusedError):
        verify_chain(chain, trust=w.TRUST, status=w.always_valid, now=w.NOW + 70)


@pytest.mark.parametrize(("value", "rule"), [(StatusValue.INVALID, "revoked"), (StatusValue.SUSPENDED, "suspended")])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_status_of_every_link_counts(number: int, value: StatusValue, rule: str) -> None:
    chain = with_status()
    ref = chain.links[number].status
    with pytest.raises(GrantRefusedError) as caught:
        verify_chain(chain, trust=w.TRUST, status=lambda r: value if r == ref else StatusValue.VALID, now=w.NOW)
    assert (caught.value.rule, caught.value.link) == (rule, number)


def test_a_status_that_cannot_be_had_is_no_verdict() -> None:
    def unavailable(_: StatusRef) -> StatusValue:
        raise UnavailableError("status.expired", "out of date")

    with pytest.raises(UnavailableError) as caught:
        verify_chain(with_status(), trust=w.TRUST, status=unavailable, now=w.NOW)
    assert caught.value.code == "grant.status-unavailable"


def test_the_status_list_must_be_the_homes() -> None:
    chain = with_status(uri="https://agent.example/always-valid")
    with pytest.raises(GrantRefusedError) as caught:
        verify_chain(chain, trust=w.TRUST, status=w.always_valid, now=w.NOW)
    assert (caught.value.rule, caught.value.link) == ("status-list", 2)


def with_status(uri: str = w.GRANT_LIST) -> GrantChain:
    first = w.root(status=StatusRef(w.GRANT_LIST, 10), exp=w.NOW + 90 * w.DAY)
    second = w.below(first, w.OWNER_KEY, w.AGENT_PARTY, status=StatusRef(w.GRANT_LIST, 11), exp=w.NOW + 30 * w.DAY)
    leaf = w.below(second, w.AGENT_KEY, w.DEPARTMENT_PARTY, status=StatusRef(uri, 12), redelegate=False)
    return GrantChain((first, second, leaf))
