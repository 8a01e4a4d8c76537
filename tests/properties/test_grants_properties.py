"""Narrowing holds for all grants and requests, not only for the examples."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from materials.grants.decision import check_link, decide
from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, GrantLink, parse_chain, parse_link
from materials.grants.narrowing import check_narrows
from materials.grants.requests import RetrievalRequest
from materials.grants.terms import GrantDetail, GrantPurpose, Location
from materials.grants.verify import verify_chain
from signing import LedgerError, MalformedError, b64url_encode
from tests.support import grants_world as w

OTHER = w.other_material()
CLAIM_PATHS = ("address", "address/street", "address_old", "files", "holder_name")
UNITS = ("", "/hall", "/hall/3", "/hall-3")

purposes = st.builds(
    GrantPurpose,
    st.sampled_from(["open-a-branch"] * 4 + ["other"]),
    st.just("0131001000"),
    st.sampled_from(["", "C-1", "C-1", "C-2"]),
)
locations = st.builds(
    Location,
    st.sampled_from(["100000", "320000", "320500", "320500", "320506"]),
    st.sampled_from(["city", "city", "city", "district"]),
    st.sampled_from([w.DEPARTMENT + unit for unit in UNITS]),
)


def some(values: st.SearchStrategy[Any], largest: int) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=1, max_size=largest, unique=True).map(tuple)


details = st.builds(
    GrantDetail,
    st.sampled_from([w.VCT, w.VCT, w.VCT, w.OTHER_VCT]),
    st.sampled_from([None, w.MATERIAL, w.MATERIAL, OTHER]),
    some(st.sampled_from(["retrieve", "retrieve/fields", "retrieve/files"]), 2),
    some(st.sampled_from(CLAIM_PATHS), 4),
    some(locations, 2),
)
terms = st.fixed_dictionaries(
    {"purpose": purposes, "details": some(details, 2), "max_uses": st.integers(1, 3), "exp": st.integers(1, 3)}
)
requests = st.builds(
    RetrievalRequest,
    purposes.filter(lambda purpose: purpose.biz_num),
    st.sampled_from(["retrieve/fields", "retrieve/fields", "retrieve/files"]),
    st.sampled_from([w.VCT, w.VCT, w.VCT, w.OTHER_VCT]),
    st.sampled_from([w.MATERIAL, w.MATERIAL, OTHER]),
    some(st.sampled_from(CLAIM_PATHS), 2),
    locations,
)
PARENT_TO = w.Party(w.DEPARTMENT, w.DEPARTMENT_GRANT)


def link_of(values: dict[str, Any], parent: GrantLink | None = None) -> GrantLink:
    """A link with these terms; below ``parent`` it is signed without the static check."""
    values = {**values, "exp": w.NOW + 1000 * int(str(values["exp"]))}
    if parent is None:
        return w.root(PARENT_TO, **values)
    model = w.root(w.CLERK_PARTY, **values, redelegate=False)
    prf = b64url_encode(parent.text_hash)
    return parse_link(w.forge(model, w.DEPARTMENT_GRANT, iss=w.DEPARTMENT, depth=1, max_depth=3, prf=prf))


def accepts(link: GrantLink, request: RetrievalRequest) -> bool:
    try:
        check_link(request, link, link.depth)
    except GrantRefusedError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(terms, terms, requests)
def test_what_passes_the_static_check_never_reaches_beyond_its_parent(
    above: dict[str, Any], below: dict[str, Any], request: RetrievalRequest
) -> None:
    parent = link_of(above)
    child = link_of(below, parent)
    try:
        check_narrows(child, parent)
    except GrantRefusedError:
        event("wider")
        return
    event("narrower")
    assert accepts(parent, request) or not accepts(child, request)


@st.composite
def narrowed(draw: st.DrawFn) -> tuple[GrantDetail, GrantDetail]:
    """A detail, and one made from it by narrowing only."""
    outer = draw(details)
    inner = replace(
        outer,
        material=outer.material or draw(st.sampled_from([None, w.MATERIAL])),
        actions=draw(some(st.sampled_from(outer.actions), 2)),
        claims=draw(some(st.sampled_from([c + tail for c in outer.claims for tail in ("", "/x")]), 3)),
        locations=draw(some(st.sampled_from(outer.locations), 2)),
    )
    return outer, inner


@settings(max_examples=150, deadline=None)
@given(narrowed(), requests)
def test_what_is_made_by_narrowing_passes_the_static_check(
    pair: tuple[GrantDetail, GrantDetail], request: RetrievalRequest
) -> None:
    outer, inner = pair
    parent = w.root(PARENT_TO, details=(outer,))
    child = w.below(parent, w.DEPARTMENT_GRANT, w.CLERK_PARTY, details=(inner,))
    assert accepts(parent, request) or not accepts(child, request)


def allowed(chain: GrantChain, request: RetrievalRequest) -> bool:
    try:
        verified = verify_chain(chain, trust=w.TRUST, status=w.always_valid, now=w.NOW)
        decide(request, verified, trust=w.TRUST, caller_key=chain.leaf.audience.key.key_id)
    except GrantRefusedError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(terms, terms, requests)
def test_adding_a_link_never_turns_a_refusal_into_an_acceptance(
    above: dict[str, Any], below: dict[str, Any], request: RetrievalRequest
) -> None:
    parent = link_of(above)
    child = link_of(below, parent)
    accepted = allowed(GrantChain((parent, child)), request)
    event(f"accepted: {accepted}")
    assert not accepted or (accepts(parent, request) and accepts(child, request))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")), st.data())
def test_no_bytes_put_anywhere_into_a_link_make_the_parser_fail_otherwise(noise: bytes, data: st.DataObject) -> None:
    text = w.usual_chain().leaf.text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    changed = text[:start] + noise.decode("utf-8", "replace") + text[end:]
    assume(changed != text)
    try:
        parse_chain([changed])
    except MalformedError:
        return
    except LedgerError as error:
        raise AssertionError(type(error)) from error
