"""Finding hand-over headers: whatever the history of the validators, what is found is what the verifier accepts."""

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors import HandoffPolicy
from anchors.handoff import follow_handoff
from anchors.handoff_search import find_handoff
from anchors.header import Bft, BftHeader, parse_header
from signing import UnavailableError
from tests.support.anchor_forge import HeaderPlan, address, make_profile, validator_keys

KEYS = validator_keys(7)
BLOCKS = 5000


def history(changes: Sequence[tuple[int, int]]) -> Callable[[int], list[PrivateKey]]:
    """Who seals a block: four at first, then each change drops or adds the key of that number."""

    def members(number: int) -> list[PrivateKey]:
        held = set(KEYS[:4])
        for block, which in changes:
            if block <= number and (held - {KEYS[which]} or len(held) > 4):
                held = held - {KEYS[which]} if KEYS[which] in held and len(held) > 4 else held | {KEYS[which]}
        return sorted(held, key=address)

    return members


def headers(changes: Sequence[tuple[int, int]]) -> tuple[Callable[[int], BftHeader], list[int]]:
    asked: list[int] = []
    members = history(changes)

    @cache
    def fetch(number: int) -> BftHeader:
        asked.append(number)
        return parse_header(HeaderPlan(number=number).seal(members(number)), Bft.QBFT)

    return fetch, asked


CHANGES = st.lists(
    st.tuples(st.integers(min_value=2, max_value=BLOCKS), st.integers(min_value=0, max_value=6)), max_size=6
).map(sorted)


@given(changes=CHANGES, last=st.integers(min_value=1, max_value=BLOCKS))
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_accepted(changes: list[tuple[int, int]], last: int) -> None:
    fetch, asked = headers(changes)
    profile = make_profile(KEYS[:4], handoff=HandoffPolicy(allowed=True, max_steps=16, min_set=4))
    target = fetch(last)
    steps = find_handoff(tuple(map(address, KEYS[:4])), 0, target, fetch, max_steps=16)
    assert follow_handoff(profile, steps, target).addresses == target.validators
    assert len(steps) <= len(changes)
    assert len(asked) <= 1 + 14 * max(1, len(steps))


def test_more_changes_than_the_profile_follows() -> None:
    fetch, _ = headers([(10, 4), (20, 5), (30, 6)])
    trusted = tuple(map(address, KEYS[:4]))
    assert [step.number for step in find_handoff(trusted, 0, fetch(40), fetch, max_steps=3)] == [10, 20, 30]
    assert [step.number for step in find_handoff(trusted, 0, fetch(30), fetch, max_steps=3)] == [10, 20, 30]
    with pytest.raises(UnavailableError) as caught:
        find_handoff(trusted, 0, fetch(40), fetch, max_steps=2)
    assert caught.value.code == "chain.handoff"
