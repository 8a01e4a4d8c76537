"""When a proof is captured anew: after the validators changed, never twice for the same change."""

from dataclasses import replace

import pytest

from anchors import AnchorProof, Consensus, SetSource, TrustProfile, ValidatorSet
from anchors.chain_state import verify_header
from anchors.profile import HandoffPolicy
from anchors.recapture import Recapture, needs_recapture
from signing import MalformedError
from tests.support.anchor_forge import HeaderPlan, address, forge_proof, make_profile, validator_keys
from tests.support.clique_forge import CliquePlan, clique_chain, clique_profile, forge_clique_proof

OLD = validator_keys(4)
NEW = sorted([*OLD, *validator_keys(1, first=10)], key=address)
MEMBERS, NEW_MEMBERS = (tuple(address(key) for key in keys) for keys in (OLD, NEW))
FORGED = forge_proof()
FOLLOWING = replace(FORGED.profile, handoff=HandoffPolicy(True, 4, 4))
CHANGE, AFTER = HeaderPlan(number=30).seal(NEW), HeaderPlan(number=40).seal(NEW)
RENEWED = replace(
    FOLLOWING,
    version=2,
    validator_sets=(
        ValidatorSet(0, 29, MEMBERS, SetSource.HEADER),
        ValidatorSet(30, None, NEW_MEMBERS, SetSource.HEADER),
    ),
)


def proof_at(header: bytes, *handoff: bytes) -> AnchorProof:
    return replace(FORGED.proof, header=header, handoff=handoff)


def test_as_long_as_the_same_validators_seal() -> None:
    for number in (20, 25, 29):
        assert (
            needs_recapture(FORGED.proof, FOLLOWING, verify_header(FOLLOWING, HeaderPlan(number=number).seal(OLD)))
            is None
        )


@pytest.mark.parametrize("profile", [FOLLOWING, RENEWED])
def test_once_others_seal(profile: TrustProfile) -> None:
    handoff = [] if profile is RENEWED else [CHANGE]
    head = verify_header(profile, AFTER, handoff)
    assert needs_recapture(FORGED.proof, profile, head) is Recapture.VALIDATORS
    assert needs_recapture(proof_at(AFTER, *handoff), profile, head) is None
    assert needs_recapture(proof_at(HeaderPlan(number=35).seal(NEW), *handoff), profile, head) is None


def test_a_hand_over_that_the_profile_has_caught_up_with() -> None:
    later = verify_header(RENEWED, HeaderPlan(number=41).seal(NEW))
    assert needs_recapture(proof_at(AFTER, CHANGE), RENEWED, later) is Recapture.HANDOFF
    assert needs_recapture(proof_at(later.header.raw), RENEWED, later) is None


def test_a_profile_that_names_the_old_validators_no_more() -> None:
    shorter = replace(RENEWED, validator_sets=RENEWED.validator_sets[1:])
    head = verify_header(shorter, AFTER)
    assert needs_recapture(FORGED.proof, shorter, head) is Recapture.PROFILE
    assert needs_recapture(proof_at(AFTER), replace(shorter, from_block=41), head) is Recapture.PROFILE
    assert needs_recapture(FORGED.proof, replace(FOLLOWING, profile_id="test-chain/2"), head) is Recapture.PROFILE


def test_sets_that_headers_do_not_list() -> None:
    by_contract = (
        ValidatorSet(0, 29, MEMBERS, SetSource.CONTRACT),
        ValidatorSet(30, None, NEW_MEMBERS, SetSource.CONTRACT),
    )
    profile = make_profile([], validator_sets=by_contract)
    early, late = HeaderPlan(number=20, listed=[]).seal(OLD), HeaderPlan(number=40, listed=[]).seal(NEW)
    head = verify_header(profile, late)
    assert needs_recapture(proof_at(early), profile, head) is Recapture.VALIDATORS
    assert needs_recapture(proof_at(late), profile, head) is None


def test_clique() -> None:
    forged, keys = forge_clique_proof(), validator_keys(4)
    two = (
        *(replace(each, to_block=29) for each in forged.profile.validator_sets),
        replace(clique_profile(keys).validator_sets[0], from_block=30),
    )
    profile = replace(clique_profile(keys), validator_sets=two)
    headers = clique_chain(CliquePlan(number=40), [keys[0], keys[1], keys[2]], keys)
    head = verify_header(profile, headers[0], (), headers[1:])
    assert needs_recapture(forged.proof, profile, head) is Recapture.VALIDATORS
    with pytest.raises(MalformedError):
        needs_recapture(FORGED.proof, profile, head)


def test_where_nobody_seals() -> None:
    profile = replace(FORGED.profile, consensus=Consensus.UNSEALED, validator_sets=())
    assert needs_recapture(FORGED.proof, profile, verify_header(profile, AFTER)) is None
