"""Changes of the validator set, followed through sealed headers."""

from collections.abc import Sequence

import pytest
from eth_keys.datatypes import PrivateKey

from anchors import HandoffPolicy, SetSource, TrustProfile, ValidatorSet
from anchors.chain_state import verify_header
from signing import LedgerError, MalformedError, VerificationError
from tests.support.anchor_forge import HeaderPlan, address, make_profile, validator_keys

OLD = validator_keys(4)
GROWN = sorted([*OLD, *validator_keys(1, first=10)], key=address)
SHRUNK = sorted(GROWN[1:], key=address)
ATTACKERS = validator_keys(4, first=50)


def profile(**changes: object) -> TrustProfile:
    return make_profile(OLD, **{"handoff": HandoffPolicy(True, 16, 4), **changes})


def header(number: int, listed: Sequence[PrivateKey], sealers: Sequence[PrivateKey] | None = None) -> bytes:
    return HeaderPlan(number=number, sealers=sealers).seal(sorted(listed, key=address))


def test_four_to_five_to_four() -> None:
    steps = [header(30, GROWN), header(40, SHRUNK)]
    sealed = verify_header(profile(), header(50, SHRUNK), steps)
    assert sealed.header.number == 50


def test_without_steps_only_the_profiles_set_counts() -> None:
    verify_header(profile(), header(50, OLD))
    with pytest.raises(VerificationError) as caught:
        verify_header(profile(), header(50, GROWN))
    assert caught.value.code == "anchor.validator-set"


def refused(steps: Sequence[bytes], last: bytes, code: str, **changes: object) -> None:
    with pytest.raises(LedgerError) as caught:
        verify_header(profile(**changes), last, steps)
    assert caught.value.code == code


def test_attackers_cannot_hand_over_to_themselves() -> None:
    last = header(50, ATTACKERS)
    refused([header(30, ATTACKERS)], last, "anchor.handoff")
    one_traitor = sorted([*ATTACKERS, OLD[0]], key=address)
    refused([header(30, one_traitor)], header(50, one_traitor), "anchor.handoff")


def test_two_honest_members_can_vouch() -> None:
    mixed = sorted([*OLD[:2], *ATTACKERS[:2]], key=address)
    verify_header(profile(), header(50, mixed), [header(30, mixed)])
    refused([header(30, mixed, mixed[:2])], header(50, mixed), "anchor.quorum")


def test_retired_members_certify_nothing_later() -> None:
    steps = [header(30, GROWN), header(40, SHRUNK)]
    refused(steps, header(50, OLD), "anchor.validator-set")
    refused(steps, header(50, SHRUNK, [*SHRUNK[:2], GROWN[0]]), "anchor.seal")


def test_order_and_change() -> None:
    last = header(50, SHRUNK)
    refused([header(40, GROWN), header(40, SHRUNK)], last, "anchor.handoff")
    refused([header(30, GROWN), header(51, SHRUNK)], last, "anchor.handoff")
    refused([header(30, OLD)], header(50, OLD), "anchor.handoff")
    refused([header(30, GROWN), header(40, GROWN)], header(50, GROWN), "anchor.handoff")


def test_the_policy_decides() -> None:
    steps, last = [header(30, GROWN)], header(50, GROWN)
    refused(steps, last, "anchor.handoff", handoff=HandoffPolicy(False, 16, 4))
    refused(steps, last, "anchor.handoff", handoff=HandoffPolicy(True, 0, 4))
    refused(steps, last, "anchor.handoff", handoff=HandoffPolicy(True, 16, 5))
    from_config = (ValidatorSet(0, None, tuple(address(key) for key in OLD), SetSource.CONFIG),)
    refused(steps, last, "anchor.handoff", validator_sets=from_config)


def test_eras() -> None:
    refused([header(30, GROWN)], header(50, GROWN), "anchor.era", from_block=31)
    refused([header(30, GROWN)], header(50, GROWN), "anchor.era", to_block=49)
    members = tuple(address(key) for key in OLD)
    ended = (ValidatorSet(0, 20, members, SetSource.HEADER),)
    refused([], header(50, OLD), "anchor.era", validator_sets=ended)


def test_a_set_held_by_a_contract_is_not_in_the_header() -> None:
    members = tuple(address(key) for key in OLD)
    by_contract = (ValidatorSet(0, None, members, SetSource.CONTRACT),)
    empty_list = HeaderPlan(number=50, listed=[]).seal(OLD)
    assert verify_header(profile(validator_sets=by_contract), empty_list).header.validators == ()
    refused([], header(50, OLD), "anchor.validator-set", validator_sets=by_contract)
    refused([], empty_list, "anchor.validator-set")


def test_descending_lists_and_too_many_steps() -> None:
    backwards = HeaderPlan(number=50).seal(OLD[::-1])
    refused([], backwards, "anchor.validator-set")
    with pytest.raises(MalformedError):
        verify_header(profile(), header(50, OLD), [header(30, GROWN)] * 17)


def test_the_first_block_of_a_new_set_proves_itself() -> None:
    first = header(30, GROWN)
    assert verify_header(profile(), first, [first]).header.number == 30
    again = HeaderPlan(number=30, round=1).seal(GROWN)
    refused([again], first, "anchor.handoff")
    refused([first, first], first, "anchor.handoff")
    refused([header(40, GROWN)], first, "anchor.handoff")


def named(*sets: tuple[int, int | None, Sequence[PrivateKey]]) -> tuple[ValidatorSet, ...]:
    return tuple(
        ValidatorSet(first, last, tuple(sorted(map(address, keys))), SetSource.HEADER) for first, last, keys in sets
    )


def test_a_proof_outlives_the_version_of_the_profile_that_it_was_made_with() -> None:
    second = named((0, 29, OLD), (30, None, GROWN))
    third = named((0, 29, OLD), (30, 39, GROWN), (40, None, SHRUNK))
    trimmed = named((30, None, GROWN))
    grown, shrunk = header(30, GROWN), header(40, SHRUNK)
    for sets in (second, third, trimmed):
        assert verify_header(profile(validator_sets=sets), header(35, GROWN), [grown]).header.number == 35
        assert verify_header(profile(validator_sets=sets), grown, [grown]).header.number == 30
        assert verify_header(profile(validator_sets=sets), header(50, SHRUNK), [grown, shrunk]).header.number == 50
    refused([header(31, GROWN)], header(35, GROWN), "anchor.handoff", validator_sets=second)
    refused([header(30, GROWN, GROWN[:3])], header(35, GROWN), "anchor.quorum", validator_sets=second)


def test_members_known_to_be_retired_cannot_hand_over() -> None:
    forged = sorted([*OLD[:2], *ATTACKERS], key=address)
    verify_header(profile(), header(50, forged), [header(20, forged)])
    refused(
        [header(20, forged)],
        header(50, forged),
        "anchor.handoff",
        validator_sets=named((0, 29, OLD), (30, None, GROWN)),
    )
    refused([header(20, forged)], header(25, forged), "anchor.handoff", validator_sets=named((0, 29, OLD)))
    refused(
        [header(30, forged)], header(50, forged), "anchor.handoff", validator_sets=named((0, 29, OLD), (30, 60, GROWN))
    )
