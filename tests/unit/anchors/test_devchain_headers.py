"""Sealed headers, hashes, roots and blooms, recomputed here from the formulas of Besu's QBFT and the Yellow Paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_bloom import BloomFilter
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature
from trie.hexary import HexaryTrie

from anchors.devchain.chain import DevChain
from anchors.devchain.sealing import quorum
from tests.support.devchain_world import ANCHORER, START, World, open_chain, result, signed

QBFT_MIX_HASH = "63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "chain.sqlite3") as opened:
        yield opened


def _header(chain: DevChain, number: int) -> list[bytes]:
    items: list[bytes] = rlp.decode(bytes.fromhex(result(chain, "debug_getRawHeader", hex(number))[2:]))
    return items


def _hash_with(items: list[bytes], round_item: bytes | None) -> bytes:
    """keccak of the header with the seals emptied and, if given, the round replaced."""
    extra = rlp.decode(items[12])
    extra[4] = []
    if round_item is not None:
        extra[3] = round_item
    return bytes(keccak(rlp.encode([*items[:12], rlp.encode(extra), *items[13:]])))


def _signers(items: list[bytes]) -> list[bytes]:
    digest = _hash_with(items, None)
    seals = rlp.decode(items[12])[4]
    assert all(len(seal) == 65 and seal[64] in (0, 1) for seal in seals)
    return [
        Signature(signature_bytes=seal).recover_public_key_from_msg_hash(digest).to_canonical_address()
        for seal in seals
    ]


def _block(chain: DevChain, number: int) -> dict[str, Any]:
    block: dict[str, Any] = result(chain, "eth_getBlockByNumber", hex(number), True)
    return block


def test_genesis_has_validators_and_no_seals(chain: DevChain) -> None:
    items = _header(chain, 0)
    vanity, validators, vote, round_number, seals = rlp.decode(items[12])
    assert (len(vanity), vote, round_number, seals) == (32, [], b"", [])
    assert len(validators) == 4
    assert validators == sorted(set(validators)) == list(chain.validators())
    assert chain.genesis_hash == keccak(rlp.encode(items)) == bytes.fromhex(_block(chain, 0)["hash"][2:])
    assert int.from_bytes(items[8], "big") == 0


def test_blocks_are_linked_and_sealed(chain: DevChain) -> None:
    World.create(chain)
    chain.mine(round_number=2)
    head = int(result(chain, "eth_blockNumber"), 16)
    parent = chain.genesis_hash
    for number in range(1, head + 1):
        items = _header(chain, number)
        assert len(items) == 15
        assert items[0] == parent
        assert (items[7], items[13].hex(), items[14]) == (b"\x01", QBFT_MIX_HASH, bytes(8))
        parent = _hash_with(items, b"")
        assert _block(chain, number)["hash"] == "0x" + parent.hex()
        validators = rlp.decode(items[12])[1]
        assert sorted(_signers(items)) == validators == list(chain.validators())
        assert items[2] in validators
    assert rlp.decode(_header(chain, head)[12])[3] == b"\x02"


def test_roots_and_bloom_commit_to_transactions_and_receipts(chain: DevChain) -> None:
    world = World.create(chain)
    chain.hold_mining()
    raws = [
        signed(chain, ANCHORER, world.contract, world.anchor_call(0, n, bytes([n]) * 32), nonce=n - 1)
        for n in (1, 2, 3)
    ]
    hashes = [result(chain, "eth_sendRawTransaction", "0x" + raw.hex()) for raw in raws]
    number = chain.mine()
    items = _header(chain, number)
    receipts = [result(chain, "eth_getTransactionReceipt", one) for one in hashes]
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x0", "0x0"]
    transactions, encoded, bloom, gas = HexaryTrie({}), HexaryTrie({}), BloomFilter(), 0
    for index, (raw, receipt) in enumerate(zip(raws, receipts, strict=True)):
        logs = [
            [bytes.fromhex(part[2:]) for part in (log["address"], log["data"])]
            + [[bytes.fromhex(topic[2:]) for topic in log["topics"]]]
            for log in receipt["logs"]
        ]
        own = BloomFilter()
        for address, _, topics in logs:
            own.extend([address, *topics])
        bloom |= own
        gas += int(receipt["gasUsed"], 16)
        assert receipt["cumulativeGasUsed"] == hex(gas)
        assert int(receipt["logsBloom"], 16) == int(own)
        transactions[rlp.encode(index)] = raw
        encoded[rlp.encode(index)] = rlp.encode(
            [
                int(receipt["status"], 16),
                gas,
                int(own).to_bytes(256, "big"),
                [[address, topics, data] for address, data, topics in logs],
            ]
        )
        assert receipt["blockHash"] == _block(chain, number)["hash"]
        assert all(log["blockHash"] == receipt["blockHash"] for log in receipt["logs"])
    assert (items[4], items[5]) == (transactions.root_hash, encoded.root_hash)
    assert int.from_bytes(items[6], "big") == int(bloom)
    assert int.from_bytes(items[10], "big") == gas
    assert [one["hash"] for one in _block(chain, number)["transactions"]] == hashes


def test_block_times_follow_the_clock_but_always_grow(chain: DevChain) -> None:
    assert int(_block(chain, chain.mine())["timestamp"], 16) == START
    chain.set_clock(lambda: 5)
    assert int(_block(chain, chain.mine())["timestamp"], 16) == START + 1
    chain.set_clock(lambda: START + 500)
    assert int(_block(chain, chain.mine())["timestamp"], 16) == START + 500


def test_quorum_is_two_thirds_rounded_up() -> None:
    sizes = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 10: 7}
    assert {n: quorum(n) for n in sizes} == sizes
