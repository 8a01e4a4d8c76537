"""Trust profiles as JSON (``trust-profile/v1``, docs/formats.md): unknown members and words are refused."""

from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeVar

from anchors.hexdata import address_from_hex, hash_from_hex, to_hex
from anchors.profile import (
    QUORUM_RULES,
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
)
from signing import JsonValue, MalformedError, json_bool, json_int, json_list, json_object, json_str

PROFILE_VERSION: Final = "trust-profile/v1"
_MAX_SETS: Final = 64
_MAX_VALIDATORS: Final = 256
_MAX_CONTRACTS: Final = 16
_MAX_HANDOFF_STEPS: Final = 16
_REQUIRED: Final = (
    "version",
    "profileId",
    "chainId",
    "genesisHash",
    "fromBlock",
    "consensus",
    "sealAlg",
    "quorumRule",
    "validatorSets",
    "contracts",
    "handoffPolicy",
    "maxGrade",
)
_Word = TypeVar("_Word", bound=StrEnum)


def _word(value: JsonValue, words: type[_Word], *, what: str) -> _Word:
    text = json_str(value, what=what, max_length=32)
    for word in words:
        if word.value == text:
            return word
    raise MalformedError("form.word", f"{what}: not a word of the format")


def _last_block(members: dict[str, JsonValue], first: int, what: str) -> int | None:
    if "toBlock" not in members:
        return None
    return json_int(members["toBlock"], what=f"{what} toBlock", minimum=first)


def _parse_set(value: JsonValue) -> ValidatorSet:
    what = "trust profile validatorSets"
    members = json_object(value, what=what, required=("fromBlock", "addresses", "source"), optional=("toBlock",))
    first = json_int(members["fromBlock"], what=f"{what} fromBlock")
    addresses = tuple(
        address_from_hex(item, what=f"{what} addresses")
        for item in json_list(members["addresses"], what=f"{what} addresses", max_items=_MAX_VALIDATORS)
    )
    if not addresses or list(addresses) != sorted(set(addresses)):
        raise MalformedError("anchor.profile", f"{what}: addresses are empty, repeated or not ascending")
    source = _word(members["source"], SetSource, what=f"{what} source")
    return ValidatorSet(first, _last_block(members, first, what), addresses, source)


def _parse_sets(value: JsonValue) -> tuple[ValidatorSet, ...]:
    sets = tuple(_parse_set(item) for item in json_list(value, what="validatorSets", max_items=_MAX_SETS))
    for earlier, later in pairwise(sets):
        if earlier.to_block is None or earlier.to_block >= later.from_block:
            raise MalformedError("anchor.profile", "trust profile validatorSets: the eras overlap or are not ascending")
    if not sets:
        raise MalformedError("anchor.profile", "trust profile validatorSets: empty")
    return sets


def _parse_pin(value: JsonValue) -> ContractPin:
    what = "trust profile contracts"
    members = json_object(value, what=what, required=("address", "codeHash", "layout", "fromBlock"))
    return ContractPin(
        address=address_from_hex(members["address"], what=f"{what} address"),
        code_hash=hash_from_hex(members["codeHash"], what=f"{what} codeHash"),
        layout=json_str(members["layout"], what=f"{what} layout", max_length=64),
        from_block=json_int(members["fromBlock"], what=f"{what} fromBlock"),
    )


def _parse_pins(value: JsonValue) -> tuple[ContractPin, ...]:
    pins = tuple(_parse_pin(item) for item in json_list(value, what="contracts", max_items=_MAX_CONTRACTS))
    if not pins or len({pin.address for pin in pins}) != len(pins):
        raise MalformedError("anchor.profile", "trust profile contracts: empty, or an address occurs twice")
    return pins


def _parse_handoff(value: JsonValue) -> HandoffPolicy:
    what = "trust profile handoffPolicy"
    members = json_object(value, what=what, required=("allowed", "maxSteps", "minSet"))
    return HandoffPolicy(
        allowed=json_bool(members["allowed"], what=f"{what} allowed"),
        max_steps=json_int(members["maxSteps"], what=f"{what} maxSteps", maximum=_MAX_HANDOFF_STEPS),
        min_set=json_int(members["minSet"], what=f"{what} minSet", minimum=4, maximum=_MAX_VALIDATORS),
    )


def parse_profile(value: JsonValue) -> TrustProfile:
    """Read one profile; raises MalformedError (``form.*``, ``anchor.profile``)."""
    members = json_object(value, what="trust profile", required=_REQUIRED, optional=("toBlock",))
    if members["version"] != PROFILE_VERSION:
        raise MalformedError("form.version", f"trust profile: version is not {PROFILE_VERSION}")
    if members["quorumRule"] not in QUORUM_RULES:
        raise MalformedError("form.word", "trust profile quorumRule: not a word of the format")
    first = json_int(members["fromBlock"], what="trust profile fromBlock")
    return TrustProfile(
        profile_id=json_str(members["profileId"], what="trust profile profileId", max_length=128),
        chain_id=json_int(members["chainId"], what="trust profile chainId", minimum=1),
        genesis_hash=hash_from_hex(members["genesisHash"], what="trust profile genesisHash"),
        from_block=first,
        to_block=_last_block(members, first, "trust profile"),
        consensus=_word(members["consensus"], Consensus, what="trust profile consensus"),
        seal_algorithm=_word(members["sealAlg"], SealAlgorithm, what="trust profile sealAlg"),
        quorum_rule=json_str(members["quorumRule"], what="trust profile quorumRule", max_length=32),
        validator_sets=_parse_sets(members["validatorSets"]),
        contracts=_parse_pins(members["contracts"]),
        handoff=_parse_handoff(members["handoffPolicy"]),
        max_grade=_word(members["maxGrade"], Grade, what="trust profile maxGrade"),
    )


def profile_to_json(profile: TrustProfile) -> dict[str, JsonValue]:
    """Write a profile in the form ``parse_profile`` reads."""
    value: dict[str, JsonValue] = {
        "version": PROFILE_VERSION,
        "profileId": profile.profile_id,
        "chainId": profile.chain_id,
        "genesisHash": to_hex(profile.genesis_hash),
        "fromBlock": profile.from_block,
        "consensus": profile.consensus.value,
        "sealAlg": profile.seal_algorithm.value,
        "quorumRule": profile.quorum_rule,
        "validatorSets": [_set_to_json(each) for each in profile.validator_sets],
        "contracts": [_pin_to_json(pin) for pin in profile.contracts],
        "handoffPolicy": {
            "allowed": profile.handoff.allowed,
            "maxSteps": profile.handoff.max_steps,
            "minSet": profile.handoff.min_set,
        },
        "maxGrade": profile.max_grade.value,
    }
    if profile.to_block is not None:
        value["toBlock"] = profile.to_block
    return value


def _set_to_json(each: ValidatorSet) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "fromBlock": each.from_block,
        "addresses": [to_hex(address) for address in each.addresses],
        "source": each.source.value,
    }
    if each.to_block is not None:
        value["toBlock"] = each.to_block
    return value


def _pin_to_json(pin: ContractPin) -> dict[str, JsonValue]:
    return {
        "address": to_hex(pin.address),
        "codeHash": to_hex(pin.code_hash),
        "layout": pin.layout,
        "fromBlock": pin.from_block,
    }
