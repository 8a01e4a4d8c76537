"""Random changes of anchor proofs of each consensus: valid only if nothing changed, never an undocumented error."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors import (
    AnyAnchorProof,
    Consensus,
    HandoffPolicy,
    TrustProfile,
    anchor_proof_to_json,
    read_anchor_proof,
    verify_anchor_proof,
)
from signing import LedgerError, dump_json
from tests.support import anchor_forge as forge
from tests.support.clique_forge import forge_clique_proof

LONDON = [b"\x07"]
SHANGHAI = [b"\x07", bytes(32), b"", b"", bytes(32), bytes(32)]


def sealed(engine: str, tail: list[bytes]) -> tuple[AnyAnchorProof, TrustProfile]:
    forged = forge.forge_proof(engine=engine)
    plan = replace(forged.plan, tail=tail, round=3, sealers=forged.validators[:3])
    return replace(forged.proof, header=plan.seal(forged.validators)), forged.profile


def handed_over() -> tuple[AnyAnchorProof, TrustProfile]:
    forged = forge.forge_proof()
    grown = sorted([*forged.validators, *forge.validator_keys(1, first=10)], key=forge.address)
    step = forge.HeaderPlan(number=18).seal(grown)
    proof = replace(forged.proof, header=replace(forged.plan, number=20).seal(grown), handoff=(step,))
    return proof, replace(forged.profile, handoff=HandoffPolicy(True, 4, 4))


def clique(tail: list[bytes]) -> tuple[AnyAnchorProof, TrustProfile]:
    forged = forge_clique_proof(signers=4, tail=tail)
    return forged.proof, forged.profile


MAKERS: dict[str, Callable[[], tuple[AnyAnchorProof, TrustProfile]]] = {
    "qbft": lambda: sealed("qbft", []),
    "qbft with a withdrawals tail": lambda: sealed("qbft", SHANGHAI),
    "ibft2": lambda: sealed("ibft2", []),
    "ibft2 with a base fee": lambda: sealed("ibft2", LONDON),
    "handed over": handed_over,
    "clique": lambda: clique([]),
    "clique with a base fee": lambda: clique(LONDON),
}
CASES = {
    name: (dump_json(anchor_proof_to_json(proof)), profile)
    for name, (proof, profile) in ((name, make()) for name, make in MAKERS.items())
}
NAMES = st.sampled_from(sorted(CASES))


def outcome(data: bytes, profile: TrustProfile) -> object:
    """The anchor, or the code of a documented error; anything else that is raised fails the test."""
    try:
        return verify_anchor_proof(read_anchor_proof(data), [profile], log_key=forge.LOG_KEY)
    except LedgerError as error:
        return error.code


GOOD = {name: outcome(*case) for name, case in CASES.items()}


def test_unchanged_they_hold() -> None:
    assert not [name for name, anchor in GOOD.items() if isinstance(anchor, str)]
    assert CASES["ibft2"][1].consensus is Consensus.IBFT2


@settings(max_examples=400, deadline=None)
@given(NAMES, st.data())
def test_any_byte_of_the_text(name: str, data: st.DataObject) -> None:
    text, profile = CASES[name]
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + bytes([data.draw(st.integers(0, 255))]) + text[position + 1 :]
    found = outcome(changed, profile)
    assert isinstance(found, str) or same(changed, text)


@settings(max_examples=300, deadline=None)
@given(NAMES, st.data())
def test_cut_and_spliced_texts(name: str, data: st.DataObject) -> None:
    text, profile = CASES[name]
    position, removed = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 200))
    changed = text[:position] + data.draw(st.binary(max_size=6)) + text[position + removed :]
    found = outcome(changed, profile)
    assert isinstance(found, str) or same(changed, text)


def same(changed: bytes, text: bytes) -> bool:
    """Whether the two spell the same JSON."""
    return bool(json.loads(changed) == json.loads(text))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all hex strings."""
    if isinstance(value, dict):
        return [found for name in value for found in leaves(value[name], (*path, name))]
    if isinstance(value, list):
        return [found for at, each in enumerate(value) for found in leaves(each, (*path, at))]
    return [path] if isinstance(value, str) and value.startswith("0x") else []


@settings(max_examples=400, deadline=None)
@given(NAMES, st.data())
def test_any_byte_of_a_decoded_member(name: str, data: st.DataObject) -> None:
    text, profile = CASES[name]
    document = deepcopy(json.loads(text))
    *parents, last = data.draw(st.sampled_from(leaves(document)))
    place = document
    for step in parents:
        place = place[step]
    raw = bytearray.fromhex(place[last][2:])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    place[last] = "0x" + raw.hex()
    assert isinstance(outcome(dump_json(document), profile), str)


@settings(max_examples=200, deadline=None)
@given(NAMES, st.data())
def test_members_left_out_repeated_or_exchanged(name: str, data: st.DataObject) -> None:
    text, profile = CASES[name]
    document = json.loads(text)
    member = data.draw(st.sampled_from(["headers", "handoff", "accountProof", "storage"]))
    items = document[member]
    changed = data.draw(st.lists(st.sampled_from(items), max_size=len(items) + 1) if items else st.just([]))
    document[member] = changed
    found = outcome(dump_json(document), profile)
    assert isinstance(found, str) or changed == items or (member, changed) == ("storage", items[:2])


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("other", sorted(CASES))
def test_headers_of_another_network(name: str, other: str) -> None:
    """They hold the same state, and are refused all the same, unless it is the same network under another fork."""
    document, foreign = json.loads(CASES[name][0]), json.loads(CASES[other][0])
    document["headers"], document["handoff"] = foreign["headers"], foreign["handoff"]
    found = outcome(dump_json(document), CASES[name][1])
    kin = name.split()[0] == other.split()[0] or (name == "handed over" and other.startswith("qbft"))
    assert isinstance(found, str) or kin, (name, other)
    assert not isinstance(found, str) or not kin, (name, other, found)


def test_every_bit_of_one_header_of_each() -> None:
    for name, (text, profile) in CASES.items():
        proof = read_anchor_proof(text)
        header = bytes.fromhex(json.loads(text)["headers"][0][2:])
        for position in range(0, len(header), 5):
            bent = header[:position] + bytes([header[position] ^ (1 << position % 8)]) + header[position + 1 :]
            with pytest.raises(LedgerError):
                verify_anchor_proof(replace(proof, header=bent), [profile], log_key=forge.LOG_KEY)
        assert not isinstance(GOOD[name], str)
