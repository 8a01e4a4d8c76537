"""Trust profiles as JSON."""

from copy import deepcopy

import pytest

from anchors import Grade, HandoffPolicy, SetSource, ValidatorSet, find_profile, parse_profile, profile_to_json
from signing import JsonValue, MalformedError, UnavailableError, dump_json, parse_json
from tests.support.anchor_forge import address, make_profile, validator_keys

KEYS = validator_keys(4)
ADDRESSES = tuple(address(key) for key in KEYS)
PROFILE = make_profile(
    KEYS,
    to_block=900,
    validator_sets=(
        ValidatorSet(0, 99, ADDRESSES[:3], SetSource.CONFIG),
        ValidatorSet(100, None, ADDRESSES, SetSource.HEADER),
    ),
    handoff=HandoffPolicy(True, 16, 4),
)


def test_round_trip() -> None:
    data = dump_json(profile_to_json(PROFILE))
    assert parse_profile(parse_json(data, what="profile", max_bytes=10_000)) == PROFILE


def test_sets_by_block() -> None:
    assert PROFILE.set_at(99) == PROFILE.validator_sets[0]
    assert PROFILE.set_at(100) == PROFILE.validator_sets[1]
    assert make_profile(KEYS, validator_sets=PROFILE.validator_sets[:1]).set_at(100) is None


def test_grades_are_capped() -> None:
    assert Grade.FINAL_BFT.capped(Grade.UNSEALED_DEV) is Grade.UNSEALED_DEV
    assert Grade.UNSEALED_DEV.capped(Grade.FINAL_BFT) is Grade.UNSEALED_DEV
    assert Grade.FINAL_BFT.capped(Grade.FINAL_BFT) is Grade.FINAL_BFT


def test_an_unknown_profile_is_undetermined() -> None:
    assert find_profile([PROFILE], PROFILE.profile_id) is PROFILE
    for profiles in ([], [PROFILE]):
        with pytest.raises(UnavailableError) as caught:
            find_profile(profiles, "another")
        assert caught.value.code == "anchor.profile-unknown"


BENT: list[tuple[list[str | int], JsonValue]] = [
    (["version"], "trust-profile/v2"),
    (["version"], 1),
    (["profileId"], None),
    (["chainId"], 0),
    (["chainId"], "20261"),
    (["genesisHash"], "0x00"),
    (["genesisHash"], "0x" + "AB" * 32),
    (["fromBlock"], -1),
    (["toBlock"], None),
    (["consensus"], "QBFT"),
    (["sealAlg"], "ed25519"),
    (["quorumRule"], "floor2n3"),
    (["quorumRule"], []),
    (["validatorSets"], []),
    (["validatorSets", 0, "addresses"], []),
    (["validatorSets", 0, "toBlock"], 100),
    (["validatorSets", 0, "source"], "vote"),
    (["validatorSets", 0, "x"], 1),
    (["contracts"], []),
    (["contracts", 0, "address"], "0x" + "00" * 19),
    (["contracts", 0, "fromBlock"], True),
    (["handoffPolicy", "minSet"], 3),
    (["handoffPolicy", "maxSteps"], 17),
    (["handoffPolicy", "allowed"], 1),
    (["maxGrade"], "final"),
    (["note"], ""),
]


@pytest.mark.parametrize(("path", "value"), BENT)
def test_bent_members_are_refused(path: list[str | int], value: JsonValue) -> None:
    bent: JsonValue = deepcopy(profile_to_json(PROFILE))
    target: JsonValue = bent
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(MalformedError):
        parse_profile(bent)


def test_sets_must_be_ordered_and_closed() -> None:
    for sets in (
        PROFILE.validator_sets[::-1],
        (PROFILE.validator_sets[1], PROFILE.validator_sets[1]),
        (ValidatorSet(0, None, ADDRESSES[::-1], SetSource.HEADER),),
        (ValidatorSet(0, None, ADDRESSES[:1] * 2, SetSource.HEADER),),
    ):
        with pytest.raises(MalformedError):
            parse_profile(profile_to_json(make_profile(KEYS, validator_sets=sets)))


def test_missing_members_and_other_types() -> None:
    value = profile_to_json(PROFILE)
    for member in value:
        if member != "toBlock":
            with pytest.raises(MalformedError):
                parse_profile({name: each for name, each in value.items() if name != member})
    for other in (None, [], "x", 1):
        with pytest.raises(MalformedError):
            parse_profile(other)
