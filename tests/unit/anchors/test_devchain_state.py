"""State at any block, and its proofs, checked with the trie library and nothing of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from anchors import contract
from tests.support.devchain_world import ANCHORER, GOVERNOR, STRANGER, World, address_of, open_chain, result

ABSENT = b"\xee" * 20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_chain(tmp_path_factory.mktemp("state") / "chain.sqlite3") as chain:
        world = World.create(chain)
        world.send(ANCHORER, world.anchor_call(0, 8, b"\x01" + bytes(31)))
        yield world


def _proof(world: World, address: bytes, slots: list[bytes], block: str = "latest") -> tuple[dict[str, Any], bytes]:
    proof = result(world.chain, "eth_getProof", "0x" + address.hex(), ["0x" + slot.hex() for slot in slots], block)
    root = result(world.chain, "eth_getBlockByNumber", block, False)["stateRoot"]
    return proof, bytes.fromhex(root[2:])


def _proved(root: bytes, key: bytes, nodes: list[str]) -> bytes:
    encoded = [bytes.fromhex(node[2:]) for node in nodes]
    assert not encoded or keccak(encoded[0]) == root
    assert all(len(node) >= 32 for node in encoded[1:])
    value: bytes = HexaryTrie.get_from_proof(root, keccak(key), [rlp.decode(node) for node in encoded])
    return value


def test_present_and_absent_words_are_proved(world: World) -> None:
    present = [
        contract.head_slot(world.origin),
        contract.anchor_root_slot(world.origin, 8),
        contract.anchor_meta_slot(world.origin, 8),
        contract.origin_slot(world.origin),
        contract.anchorer_slot(world.origin, address_of(ANCHORER)),
        contract.GOVERNOR_SLOT,
    ]
    absent = [
        contract.SUCCESSOR_SLOT,
        contract.anchor_root_slot(world.origin, 9),
        contract.anchorer_slot(world.origin, address_of(STRANGER)),
    ]
    proof, state_root = _proof(world, world.contract, present + absent)
    nonce, balance, storage_root, code_hash = rlp.decode(_proved(state_root, world.contract, proof["accountProof"]))
    assert (nonce, balance, code_hash) == (b"\x01", b"", contract.load_artifact().code_hash)
    assert proof["codeHash"] == "0x" + code_hash.hex()
    assert proof["storageHash"] == "0x" + storage_root.hex()
    for slot, entry in zip(present + absent, proof["storageProof"], strict=True):
        value = _proved(storage_root, slot, entry["proof"])
        word = rlp.decode(value) if value else b""
        assert bool(word) is (slot in present)
        assert word.rjust(32, b"\0") == world.storage(slot)
        assert int(entry["value"], 16) == int.from_bytes(word, "big")


def test_an_absent_account_is_proved_absent(world: World) -> None:
    proof, state_root = _proof(world, ABSENT, [contract.GOVERNOR_SLOT])
    assert _proved(state_root, ABSENT, proof["accountProof"]) == b""
    assert (proof["nonce"], proof["balance"], proof["codeHash"]) == ("0x0", "0x0", "0x" + keccak(b"").hex())
    assert proof["storageProof"][0]["value"] == "0x0"


def test_validators_leave_no_account_behind(world: World) -> None:
    for address in world.chain.validators():
        proof, state_root = _proof(world, address, [])
        assert _proved(state_root, address, proof["accountProof"]) == b""


def test_every_state_stays_readable(world: World) -> None:
    governor = "0x" + address_of(GOVERNOR).hex()
    head = int(result(world.chain, "eth_blockNumber"), 16)
    slot = contract.head_slot(world.origin)
    before, after = hex(head - 1), hex(head)
    assert world.storage(slot, before) == bytes(32)
    assert contract.decode_head_word(world.storage(slot, after)).size == 8
    ask = contract.encode_head(world.origin)
    assert contract.decode_head(world.call(ask, block=before)).size == 0
    assert contract.decode_head(world.call(ask, block=after)).size == 8
    counts = [int(result(world.chain, "eth_getTransactionCount", governor, hex(n)), 16) for n in range(head + 1)]
    assert counts == [0, 1, 2, 2, 2]
    address = "0x" + world.contract.hex()
    assert result(world.chain, "eth_getCode", address, "0x0") == "0x"
    assert result(world.chain, "eth_getCode", address, "0x1") == "0x" + contract.load_artifact().runtime.hex()
    assert result(world.chain, "eth_getBalance", governor, "latest") == "0x0"
    for number in range(head + 1):
        proof, state_root = _proof(world, world.contract, [slot], hex(number))
        assert bool(_proved(state_root, world.contract, proof["accountProof"])) is (number > 0)
    by_hash = {"blockHash": result(world.chain, "eth_getBlockByNumber", before, False)["hash"]}
    word = result(world.chain, "eth_getStorageAt", address, "0x" + slot.hex(), by_hash)
    assert word == "0x" + bytes(32).hex()
