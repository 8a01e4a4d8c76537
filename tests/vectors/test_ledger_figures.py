"""The ledger against worked figures: a log of eight leaves, Tessera's log of fifteen words, published notes."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from ledger import (
    Checkpoint,
    Frontier,
    Receipt,
    RootHash,
    decode_bundle,
    encode_bundle,
    format_checkpoint,
    format_receipt,
    leaf_hash,
    open_checkpoint,
    parse_receipt,
    prove_consistency,
    prove_inclusion,
    sign_checkpoint,
    verify_consistency,
    verify_inclusion,
    verify_receipt,
)
from signing import Ed25519Signer, NoteKey, open_note
from tests.support.ledger_reference import ListNodes

_HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """One vector file."""
    vectors: dict[str, Any] = json.loads((_HERE / name).read_text())
    return vectors


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


EIGHT = load("ledger_eight_leaves.json")
WORDS = load("ledger_fifteen_words.json")
NOTES = load("ledger_notes.json")
ENTRIES = [bytes.fromhex(entry) for entry in EIGHT["entries"]]
NODES = {name: bytes.fromhex(value) for name, value in EIGHT["nodes"].items()}
ROOTS = [RootHash(bytes.fromhex(root)) for root in EIGHT["roots"]]
LOG_KEY = NoteKey.parse(EIGHT["log_vkey"])
LOG_NOTE = (EIGHT["checkpoint_text"] + "\n" + EIGHT["log_line"]).encode()
COSIGNED_NOTE = LOG_NOTE + EIGHT["witness_line"].encode()


def test_leaf_hashes_and_roots() -> None:
    frontier = Frontier()
    for size, entry in enumerate(ENTRIES, 1):
        assert leaf_hash(entry) == NODES[f"L{size - 1}"]
        frontier = frontier.extend([leaf_hash(entry)]).frontier
        assert frontier.root() == ROOTS[size - 1]


@pytest.mark.parametrize("case", EIGHT["consistency"], ids=lambda case: f"{case['old']}-{case['new']}")
def test_consistency_proofs(case: dict[str, Any]) -> None:
    old, new = case["old"], case["new"]
    proof = prove_consistency(old, new, ListNodes(ENTRIES))
    assert proof == tuple(NODES[name] for name in case["proof"])
    verify_consistency(old_size=old, old_root=ROOTS[old - 1], new_size=new, new_root=ROOTS[new - 1], proof=proof)


@pytest.mark.parametrize("case", EIGHT["inclusion"], ids=lambda case: f"{case['index']}-in-{case['size']}")
def test_inclusion_proofs(case: dict[str, Any]) -> None:
    index, size = case["index"], case["size"]
    proof = prove_inclusion(index, size, ListNodes(ENTRIES))
    assert proof == tuple(NODES[name] for name in case["proof"])
    verify_inclusion(index=index, size=size, leaf=leaf_hash(ENTRIES[index]), proof=proof, root=ROOTS[size - 1])


def test_checkpoint_of_eight_leaves_byte_for_byte() -> None:
    signer = Ed25519Signer(bytes.fromhex(EIGHT["log_seed"]))
    assert NoteKey.ed25519(EIGHT["origin"], signer.public_key.raw).format() == EIGHT["log_vkey"]
    checkpoint = Checkpoint(EIGHT["origin"], 8, ROOTS[7])
    assert format_checkpoint(checkpoint) == EIGHT["checkpoint_text"].encode()
    assert sha256(format_checkpoint(checkpoint)) == EIGHT["checkpoint_text_sha256"]
    note = sign_checkpoint(checkpoint, signer)
    assert note == LOG_NOTE
    assert (len(note), sha256(note)) == (EIGHT["log_note_bytes"], EIGHT["log_note_sha256"])
    assert open_checkpoint(note, LOG_KEY) == checkpoint


def test_cosigned_checkpoint_opens_with_the_log_key_alone() -> None:
    assert len(COSIGNED_NOTE) == EIGHT["cosigned_note_bytes"]
    assert sha256(COSIGNED_NOTE) == EIGHT["cosigned_note_sha256"]
    assert open_checkpoint(COSIGNED_NOTE, LOG_KEY) == Checkpoint(EIGHT["origin"], 8, ROOTS[7])
    assert NoteKey.parse(EIGHT["witness_vkey"]).type == 4


def test_tile_and_bundle_of_eight_leaves() -> None:
    bundle = encode_bundle(ENTRIES)
    assert bundle.hex() == EIGHT["bundle"]
    assert (len(bundle), sha256(bundle)) == (EIGHT["bundle_bytes"], EIGHT["bundle_sha256"])
    assert decode_bundle(bundle, width=8) == ENTRIES
    assert sha256(b"".join(map(leaf_hash, ENTRIES))) == EIGHT["tile_sha256"]


def test_receipt_of_index_five() -> None:
    proof = prove_inclusion(EIGHT["receipt_index"], 8, ListNodes(ENTRIES))
    data = format_receipt(Receipt(EIGHT["receipt_index"], proof, COSIGNED_NOTE))
    assert data == "\n".join([*EIGHT["receipt_lines"], ""]).encode() + COSIGNED_NOTE
    assert (len(data), sha256(data)) == (EIGHT["receipt_bytes"], EIGHT["receipt_sha256"])
    assert verify_receipt(parse_receipt(data), ENTRIES[5], LOG_KEY).index == 5


def test_request_to_a_witness() -> None:
    proof = [base64.b64encode(value).decode() for value in prove_consistency(3, 8, ListNodes(ENTRIES))]
    assert proof == EIGHT["witness_proof_from_three"]
    request = "\n".join(["old 3", *proof, "", ""]).encode() + LOG_NOTE
    assert (len(request), sha256(request)) == (EIGHT["witness_request_bytes"], EIGHT["witness_request_sha256"])


def test_log_of_fifteen_words() -> None:
    name, _, encoded = WORDS["signer_key"].removeprefix("PRIVATE+KEY+").split("+", 2)
    signer = Ed25519Signer(base64.b64decode(encoded)[1:])
    key = NoteKey.parse(WORDS["vkey"])
    assert NoteKey.ed25519(name, signer.public_key.raw) == key
    words = [word.encode() for word in WORDS["words"].split()]
    frontier, notes, tiles = Frontier(), [], []
    for size in range(len(words) + 1):
        if size:
            frontier = frontier.extend([leaf_hash(words[size - 1])]).frontier
            tiles.append(b"".join(map(leaf_hash, words[:size])))
        notes.append(sign_checkpoint(Checkpoint(name, size, frontier.root()), signer))
        assert open_checkpoint(notes[-1], key).size == size
        assert len(notes[-1]) == (195 if size < 10 else 196)
        if str(size) in WORDS["roots"]:
            assert base64.b64encode(frontier.root()).decode() == WORDS["roots"][str(size)]
    assert notes[15].decode().split("\n")[4] == WORDS["checkpoint_15_line"]
    assert sha256(notes[0]) == WORDS["checkpoint_0_sha256"]
    assert sha256(notes[15]) == WORDS["checkpoint_15_sha256"]
    assert (len(b"".join(notes)), sha256(b"".join(notes))) == (
        WORDS["checkpoints_joined_bytes"],
        WORDS["checkpoints_joined_sha256"],
    )
    assert len(b"".join(tiles)) == WORDS["tiles_joined_bytes"]
    assert sha256(b"".join(tiles)) == WORDS["tiles_joined_sha256"]
    assert sha256(tiles[-1]) == WORDS["tile_15_sha256"]
    bundle = encode_bundle(words)
    assert (len(bundle), sha256(bundle)) == (WORDS["bundle_15_bytes"], WORDS["bundle_15_sha256"])


def test_published_notes() -> None:
    example = NOTES["signed_note_example"]
    opened = open_note(example["note"].encode(), [NoteKey.parse(example["vkey"])])
    assert opened.text == b"This is an example message.\n"
    cosigner = NOTES["cosigner"]
    assert NoteKey.parse(cosigner["vkey"]).type == cosigner["type"]


def test_published_sigsum_checkpoint() -> None:
    case = NOTES["sigsum_checkpoint"]
    signer = Ed25519Signer(bytes.fromhex(case["seed"]))
    assert signer.public_key.raw.hex() == case["public_key"]
    assert NoteKey.ed25519(case["origin"], signer.public_key.raw).key_id.hex() == case["key_id"]
    checkpoint = Checkpoint(case["origin"], case["size"], RootHash(base64.b64decode(case["root"])))
    assert sign_checkpoint(checkpoint, signer).decode().endswith(f"\n\n— {case['origin']} {case['blob']}\n")


def test_key_id_of_a_post_quantum_cosigner() -> None:
    case = NOTES["post_quantum_cosigner"]
    raw = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(case["seed"])).public_key().public_bytes_raw()
    assert sha256(raw) == case["public_key_sha256"]
    assert NoteKey(case["name"], case["type"], raw).key_id.hex() == case["key_id"]
