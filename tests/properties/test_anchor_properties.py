"""Random tries, bytes and JSON: proofs hold for what is there and what is not, and no input breaks a parser."""

import contextlib

import rlp
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from anchors import anchor_proof_to_json, parse_anchor_proof, parse_profile, profile_to_json, read_anchor_proof
from anchors.header import Bft, parse_header
from anchors.stateproof import path_nodes, verify_account, verify_storage
from signing import JsonValue, LedgerError, MalformedError, dump_json
from tests.support.anchor_forge import HeaderPlan, forge_proof, validator_keys

SLOTS = st.binary(min_size=32, max_size=32)
WORDS = st.integers(min_value=1, max_value=2**256 - 1)
FORGED = forge_proof()
PROOF = anchor_proof_to_json(FORGED.proof)
PROFILE = profile_to_json(FORGED.profile)
DATA = dump_json(PROOF)
HEADER = HeaderPlan().seal(validator_keys(4))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def encoded(word: int) -> bytes:
    return rlp.encode(word.to_bytes((word.bit_length() + 7) // 8, "big"))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(SLOTS, WORDS, max_size=30), st.lists(SLOTS, max_size=10))
def test_storage_is_proved_as_it_is(words: dict[bytes, int], others: list[bytes]) -> None:
    trie = HexaryTrie({})
    for slot, word in words.items():
        trie[keccak(slot)] = encoded(word)
    pool: list[bytes] = []
    for slot in [*words, *others]:
        nodes = [rlp.encode(node) for node in trie.get_proof(keccak(slot))] if words else []
        pool += nodes
        assert verify_storage(trie.root_hash, slot, nodes) == words.get(slot, 0).to_bytes(32, "big")
        assert list(path_nodes(trie.root_hash, slot, pool[-64:])) == nodes


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6), SLOTS)
def test_random_nodes_never_break_the_verifier(nodes: list[bytes], root: bytes) -> None:
    for check in (lambda: verify_storage(root, bytes(32), nodes), lambda: verify_account(root, bytes(20), nodes)):
        try:
            check()
        except LedgerError:
            continue
        raise AssertionError("random nodes proved something")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_no_header(data: bytes) -> None:
    for engine in Bft:
        try:
            parse_header(data, engine)
        except MalformedError:
            continue
        raise AssertionError("random bytes parsed")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(HEADER) - 1), st.integers(0, 255), st.integers(0, 3))
def test_bent_headers_parse_or_are_malformed(position: int, byte: int, removed: int) -> None:
    with contextlib.suppress(MalformedError):
        parse_header(HEADER[:position] + bytes([byte]) + HEADER[position + removed :], Bft.QBFT)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(sorted(PROOF)), st.sampled_from(sorted(PROFILE)))
def test_any_json_in_any_member_is_parsed_or_malformed(
    value: JsonValue, proof_member: str, profile_member: str
) -> None:
    for parse, document in (
        (parse_anchor_proof, value),
        (parse_profile, value),
        (parse_anchor_proof, {**PROOF, proof_member: value}),
        (parse_profile, {**PROFILE, profile_member: value}),
    ):
        try:
            parse(document)
        except MalformedError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_spliced_documents_parse_or_are_malformed(position: int, inserted: bytes, removed: int) -> None:
    with contextlib.suppress(MalformedError):
        read_anchor_proof(DATA[:position] + inserted + DATA[position + removed :])
