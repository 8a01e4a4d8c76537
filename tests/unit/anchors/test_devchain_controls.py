"""The controls that make a chain misbehave on purpose."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import rlp

from anchors.devchain.chain import DevChain
from signing import UnavailableError
from tests.support.devchain_world import STRANGER, address_of, error, open_chain, result, signed

NOBODY = bytes(20)
ACCOUNT = "0x" + address_of(STRANGER).hex()


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "chain.sqlite3") as opened:
        yield opened


def _send(chain: DevChain, **changes: object) -> str:
    raw = signed(chain, STRANGER, NOBODY, **changes)
    tx_hash: str = result(chain, "eth_sendRawTransaction", "0x" + raw.hex())
    return tx_hash


def _mined(chain: DevChain, tx_hash: str) -> bool:
    return result(chain, "eth_getTransactionReceipt", tx_hash) is not None


def _seals(chain: DevChain, number: int) -> int:
    items = rlp.decode(bytes.fromhex(result(chain, "debug_getRawHeader", hex(number))[2:]))
    return len(rlp.decode(items[12])[4])


def test_held_transactions_wait_and_go_into_one_block(chain: DevChain) -> None:
    chain.hold_mining()
    hashes = [_send(chain, nonce=n) for n in (1, 0, 2)]
    assert not any(_mined(chain, one) for one in hashes)
    waiting = result(chain, "eth_getTransactionByHash", hashes[0])
    assert (waiting["hash"], waiting["blockHash"], waiting["blockNumber"]) == (hashes[0], None, None)
    raw = signed(chain, STRANGER, NOBODY, nonce=1)
    assert error(chain, "eth_sendRawTransaction", "0x" + raw.hex())["message"] == "Known transaction"
    other = signed(chain, STRANGER, b"\x01" * 20, nonce=1)
    replacement = error(chain, "eth_sendRawTransaction", "0x" + other.hex())
    assert replacement["message"] == "Replacement transaction underpriced"
    chain.release_mining()
    block = result(chain, "eth_getBlockByNumber", "latest", False)
    assert (block["number"], block["transactions"]) == ("0x1", [hashes[1], hashes[0], hashes[2]])


def test_a_nonce_gap_holds_back_until_it_is_filled(chain: DevChain) -> None:
    late = _send(chain, nonce=1)
    assert not _mined(chain, late)
    assert result(chain, "eth_blockNumber") == "0x0"
    early = _send(chain, nonce=0)
    assert _mined(chain, early)
    assert _mined(chain, late)


def test_transactions_that_do_not_fit_one_block_take_two(chain: DevChain) -> None:
    chain.hold_mining()
    hashes = [_send(chain, nonce=n, gas=20_000_000) for n in (0, 1)]
    chain.release_mining()
    assert all(_mined(chain, one) for one in hashes)
    assert result(chain, "eth_blockNumber") == "0x2"


def test_dropped_transactions_are_unknown_again(chain: DevChain) -> None:
    chain.hold_mining()
    tx_hash = _send(chain)
    assert chain.drop_pending() == 1
    assert result(chain, "eth_getTransactionByHash", tx_hash) is None
    assert _send(chain) == tx_hash
    assert chain.mine() == 1
    assert _mined(chain, tx_hash)


def test_reorg_takes_blocks_back(chain: DevChain) -> None:
    kept = _send(chain)
    raw = "0x" + signed(chain, STRANGER, NOBODY).hex()
    lost = result(chain, "eth_sendRawTransaction", raw)
    chain.mine()
    before = [result(chain, "eth_getBlockByNumber", hex(n), False)["hash"] for n in range(4)]
    chain.reorg(2)
    after = [result(chain, "eth_getBlockByNumber", hex(n), False) for n in range(4)]
    assert [one["hash"] for one in after[:2]] == before[:2]
    assert not {one["hash"] for one in after[2:]} & set(before)
    assert all(one["parentHash"] == parent["hash"] for parent, one in pairwise(after))
    assert (_mined(chain, kept), _mined(chain, lost)) == (True, False)
    assert result(chain, "eth_getTransactionCount", ACCOUNT, "latest") == "0x1"
    assert result(chain, "eth_getBlockByHash", before[2], False) is None
    assert result(chain, "eth_sendRawTransaction", raw) == lost
    assert _mined(chain, lost)
    for depth in (0, 99):
        with pytest.raises(ValueError, match="depth"):
            chain.reorg(depth)


def test_stopped_validators_seal_nothing_and_below_the_quorum_nobody_does(chain: DevChain) -> None:
    first, second, *_ = chain.validators()
    chain.stop_validator(first)
    assert _mined(chain, _send(chain))
    assert _seals(chain, 1) == 3
    chain.stop_validator(second)
    waiting = _send(chain)
    assert not _mined(chain, waiting)
    with pytest.raises(UnavailableError) as caught:
        chain.mine()
    assert caught.value.code == "devchain.no-quorum"
    with pytest.raises(UnavailableError):
        chain.reorg(1)
    assert result(chain, "eth_blockNumber") == "0x1"
    chain.start_validator(first)
    assert _mined(chain, waiting)
    assert _seals(chain, 2) == 3


def test_the_validator_set_changes_from_the_next_block(chain: DevChain) -> None:
    old = chain.validators()
    newcomer = chain.new_validator()
    assert chain.validators() == old
    chain.set_validators([*old, newcomer])
    assert result(chain, "qbft_getValidatorsByBlockNumber", "latest") == ["0x" + one.hex() for one in old]
    number = chain.mine()
    listed = result(chain, "qbft_getValidatorsByBlockNumber", hex(number))
    assert listed == ["0x" + one.hex() for one in sorted([*old, newcomer])]
    assert _seals(chain, number) == 5
    chain.set_validators(old[1:])
    assert _seals(chain, chain.mine()) == 3
    for bad in ([], [NOBODY]):
        with pytest.raises(ValueError, match="validators"):
            chain.set_validators(bad)


@pytest.mark.parametrize(("when", "mined"), [("before", False), ("after", True)])
def test_one_call_fails_before_or_after_its_effect(chain: DevChain, when: str, mined: bool) -> None:
    raw = "0x" + signed(chain, STRANGER, NOBODY).hex()
    chain.fail_next("eth_sendRawTransaction", when=when)
    assert result(chain, "eth_chainId")
    with pytest.raises(UnavailableError) as caught:
        chain.dispatch("eth_sendRawTransaction", [raw])
    assert caught.value.code == "chain.unreachable"
    assert result(chain, "eth_blockNumber") == hex(mined)
    assert ("error" in chain.dispatch("eth_sendRawTransaction", [raw])) is mined
