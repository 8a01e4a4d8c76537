"""Trust profiles as JSON (``trust-profile/v1``, docs/formats.md): unknown members and words are refused."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeVar

from eth_hash.auto import keccak

from anchors.hexdata import address_from_hex, from_hex, hash_from_hex, to_hex
from anchors.profile import (
    QUORUM_RULES,
    AnswersPolicy,
    CliquePolicy,
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
_OPTIONAL: Final = ("toBlock", "profileVersion", "clique", "answers")
_WITHOUT_SETS: Final = (Consensus.FISCO, Consensus.UNSEALED)
_KEY_BYTES: Final = 64
_MAX_NODES: Final = 64
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
    members = json_object(
        value, what=what, required=("fromBlock", "addresses", "source"), optional=("toBlock", "publicKeys")
    )
    first = json_int(members["fromBlock"], what=f"{what} fromBlock")
    addresses = tuple(
        address_from_hex(item, what=f"{what} addresses")
        for item in json_list(members["addresses"], what=f"{what} addresses", max_items=_MAX_VALIDATORS)
    )
    if not addresses or list(addresses) != sorted(set(addresses)):
        raise MalformedError("anchor.profile", f"{what}: addresses are empty, repeated or not ascending")
    source = _word(members["source"], SetSource, what=f"{what} source")
    keys = _parse_keys(members["publicKeys"], addresses) if "publicKeys" in members else ()
    return ValidatorSet(first, _last_block(members, first, what), addresses, source, keys)


def _parse_keys(value: JsonValue, addresses: Sequence[bytes]) -> tuple[bytes, ...]:
    what = "trust profile validatorSets publicKeys"
    items = json_list(value, what=what, max_items=_MAX_VALIDATORS)
    keys = tuple(from_hex(item, what=what, max_bytes=_KEY_BYTES, length=_KEY_BYTES) for item in items)
    if [keccak(key)[-20:] for key in keys] != list(addresses):
        raise MalformedError("anchor.profile", f"{what}: not the keys of the addresses, in their order")
    return keys


def _parse_sets(value: JsonValue) -> tuple[ValidatorSet, ...]:
    sets = tuple(_parse_set(item) for item in json_list(value, what="validatorSets", max_items=_MAX_SETS))
    for earlier, later in pairwise(sets):
        if earlier.to_block is None or earlier.to_block >= later.from_block:
            raise MalformedError("anchor.profile", "trust profile validatorSets: the eras overlap or are not ascending")
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


def _parse_clique(value: JsonValue) -> CliquePolicy:
    what = "trust profile clique"
    members = json_object(value, what=what, required=("minDistinctSigners", "epoch"))
    least = json_int(
        members["minDistinctSigners"], what=f"{what} minDistinctSigners", minimum=1, maximum=_MAX_VALIDATORS
    )
    return CliquePolicy(least, json_int(members["epoch"], what=f"{what} epoch", minimum=1))


def _parse_answers(value: JsonValue) -> AnswersPolicy:
    what = "trust profile answers"
    members = json_object(value, what=what, required=("equal", "nodes"))
    nodes = json_int(members["nodes"], what=f"{what} nodes", minimum=1, maximum=_MAX_NODES)
    return AnswersPolicy(json_int(members["equal"], what=f"{what} equal", minimum=1, maximum=nodes), nodes)


def check_profile(profile: TrustProfile) -> TrustProfile:
    """Refuse a profile whose parts contradict each other (MalformedError ``anchor.profile``); return a good one."""
    engine, sets = profile.consensus, profile.validator_sets
    rules = (
        (bool(sets) != (engine in _WITHOUT_SETS), "validatorSets: needed, but not for fisco and none"),
        (
            engine is not Consensus.UNSEALED or profile.max_grade is Grade.UNSEALED_DEV,
            "maxGrade: unsealed-dev where nothing is sealed",
        ),
        ((profile.clique is not None) == (engine is Consensus.CLIQUE), "clique: for that engine, and no other"),
        ((profile.answers is not None) == (engine is Consensus.FISCO), "answers: for fisco, and for no other"),
        (
            profile.seal_algorithm is SealAlgorithm.SECP256R1 or not any(each.keys for each in sets),
            "publicKeys: for secp256r1 only",
        ),
        (
            profile.seal_algorithm is not SealAlgorithm.SECP256R1 or not profile.handoff.allowed,
            "handoffPolicy: headers hold no public keys, so none for secp256r1",
        ),
        (
            profile.clique is None
            or all(
                len(each.addresses) // 2 < profile.clique.min_distinct_signers <= len(each.addresses) for each in sets
            ),
            "clique minDistinctSigners: more than half of the signers, and no more than there are",
        ),
        (
            profile.clique is None or (not profile.handoff.allowed and _sets_in_headers(sets)),
            "clique: signers are listed in headers and never handed over",
        ),
        (
            profile.answers is None or 2 * profile.answers.equal > profile.answers.nodes,
            "answers equal: more than half of the nodes",
        ),
    )
    for holds, why in rules:
        if not holds:
            raise MalformedError("anchor.profile", f"trust profile {why}")
    return profile


def _sets_in_headers(sets: Sequence[ValidatorSet]) -> bool:
    return all(each.source is SetSource.HEADER for each in sets)


def parse_profile(value: JsonValue) -> TrustProfile:
    """Read one profile; raises MalformedError (``form.*``, ``anchor.profile``)."""
    members = json_object(value, what="trust profile", required=_REQUIRED, optional=_OPTIONAL)
    if members["version"] != PROFILE_VERSION:
        raise MalformedError("form.version", f"trust profile: version is not {PROFILE_VERSION}")
    if members["quorumRule"] not in QUORUM_RULES:
        raise MalformedError("form.word", "trust profile quorumRule: not a word of the format")
    first = json_int(members["fromBlock"], what="trust profile fromBlock")
    edition = "trust profile profileVersion"
    profile = TrustProfile(
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
        version=json_int(members["profileVersion"], what=edition, minimum=2) if "profileVersion" in members else 1,
        clique=_parse_clique(members["clique"]) if "clique" in members else None,
        answers=_parse_answers(members["answers"]) if "answers" in members else None,
    )
    return check_profile(profile)


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
    if profile.version != 1:
        value["profileVersion"] = profile.version
    if profile.clique is not None:
        value["clique"] = {"minDistinctSigners": profile.clique.min_distinct_signers, "epoch": profile.clique.epoch}
    if profile.answers is not None:
        value["answers"] = {"equal": profile.answers.equal, "nodes": profile.answers.nodes}
    return value


def _set_to_json(each: ValidatorSet) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "fromBlock": each.from_block,
        "addresses": [to_hex(address) for address in each.addresses],
        "source": each.source.value,
    }
    if each.to_block is not None:
        value["toBlock"] = each.to_block
    if each.keys:
        value["publicKeys"] = [to_hex(key) for key in each.keys]
    return value


def _pin_to_json(pin: ContractPin) -> dict[str, JsonValue]:
    return {
        "address": to_hex(pin.address),
        "codeHash": to_hex(pin.code_hash),
        "layout": pin.layout,
        "fromBlock": pin.from_block,
    }
