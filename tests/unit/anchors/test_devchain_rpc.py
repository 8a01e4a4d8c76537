"""JSON-RPC of the development chain: answers, Besu's error codes, filters, batches."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from anchors import contract
from anchors.devchain.chain import DevChain
from anchors.devchain.rpc import MAX_BATCH, READS
from tests.support.devchain_world import ANCHORER, STRANGER, World, address_of, error, open_chain, result, signed

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "cd" * 20


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "chain.sqlite3") as opened:
        yield opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_chain(tmp_path_factory.mktemp("rpc") / "chain.sqlite3") as opened:
        world = World.create(opened)
        for size in (1, 2):
            world.send(ANCHORER, world.anchor_call(0, size, bytes([size]) * 32))
        yield world


def test_identity(chain: DevChain) -> None:
    assert result(chain, "eth_chainId") == "0x4f25"
    assert result(chain, "net_version") == "20261"
    assert result(chain, "eth_syncing") is False
    assert result(chain, "eth_blockNumber") == "0x0"
    assert result(chain, "eth_gasPrice") == "0x0"
    assert "devchain" in result(chain, "web3_clientVersion")
    validators = result(chain, "qbft_getValidatorsByBlockNumber", "latest")
    assert validators == ["0x" + one.hex() for one in chain.validators()]


def test_what_a_node_refuses_to_take(chain: DevChain) -> None:
    def refused(raw: bytes) -> tuple[int, str]:
        failure = error(chain, "eth_sendRawTransaction", "0x" + raw.hex())
        return failure["code"], failure["message"]

    good = signed(chain, STRANGER, bytes(20))
    result(chain, "eth_sendRawTransaction", "0x" + good.hex())
    assert refused(good) == (-32000, "Known transaction")
    assert refused(signed(chain, STRANGER, bytes(20), nonce=0, gas=40_000)) == (-32001, "Nonce too low")
    assert refused(signed(chain, STRANGER, bytes(20), nonce=300))[0] == -32000
    assert refused(signed(chain, STRANGER, bytes(20), chainId=1)) == (-32000, "Wrong chainId")
    assert refused(signed(chain, STRANGER, bytes(20), gas=20_999)) == (-32003, "Intrinsic gas exceeds gas limit")
    assert refused(signed(chain, STRANGER, bytes(20), gas=30_000_001))[0] == -32005
    assert refused(signed(chain, STRANGER, bytes(20), value=1)) == (-32004, "Upfront cost exceeds account balance")
    assert refused(signed(chain, STRANGER, bytes(20), gasPrice=1))[0] == -32004
    unprotected = {"nonce": 1, "gas": 21_000, "gasPrice": 0, "value": 0, "data": b"", "to": bytes(20)}
    assert refused(bytes(Account.sign_transaction(unprotected, STRANGER).raw_transaction))[1] == "ChainId is required"
    typed = {**unprotected, "chainId": chain.chain_id, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "type": 2}
    del typed["gasPrice"]
    assert refused(bytes(Account.sign_transaction(typed, STRANGER).raw_transaction)) == (
        -32602,
        "Invalid transaction type",
    )
    for raw in (b"", b"\xc0", good + b"\0", good[:-1], b"\xf8" * 40, b"\xff" * (200 * 1024)):
        assert refused(raw)[0] == -32602
    zero_s = good[:-33] + b"\xa0" + bytes(32)
    assert refused(zero_s)[0] in (-32602, -32002)
    high_s = good[:-32] + b"\xff" * 32
    assert refused(high_s) == (-32002, "Invalid signature")
    assert result(chain, "eth_blockNumber") == "0x1"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", ["0x12", "latest"]),
        ("eth_getBalance", [ADDRESS, "newest"]),
        ("eth_getBalance", [ADDRESS, "0x01"]),
        ("eth_getBalance", [ADDRESS, 5]),
        ("eth_getBalance", [ADDRESS, {"blockHash": "0x12"}]),
        ("eth_getStorageAt", [ADDRESS, "0x" + "1" * 65, "latest"]),
        ("eth_getProof", [ADDRESS, "0x0", "latest"]),
        ("eth_getProof", [ADDRESS, ["0x0"] * 101, "latest"]),
        ("eth_call", ["latest"]),
        ("eth_call", [{"to": "0x0"}, "latest"]),
        ("eth_sendRawTransaction", ["0xabc"]),
        ("eth_sendRawTransaction", []),
        ("eth_getTransactionByHash", ["0x00"]),
        ("eth_getLogs", [{"address": "0x00"}]),
        ("eth_getLogs", [{"topics": [HASH] * 5}]),
        ("eth_getLogs", [{"blockHash": HASH, "fromBlock": "0x0"}]),
    ],
)
def test_invalid_params(chain: DevChain, method: str, params: list[Any]) -> None:
    assert error(chain, method, *params) == {"code": -32602, "message": "Invalid params"}


def test_what_does_not_exist(chain: DevChain) -> None:
    assert error(chain, "eth_sign", ADDRESS, "0x")["code"] == -32601
    assert error(chain, "eth_getBalance", ADDRESS, "0x99")["message"] == "Block not found"
    assert error(chain, "eth_getBalance", ADDRESS, {"blockHash": HASH})["message"] == "Block not found"
    assert error(chain, "eth_getBalance", ADDRESS, "0x" + "f" * 20)["message"] == "Block not found"
    assert error(chain, "eth_getBlockByNumber", "finalized", False)["code"] == -39001
    assert error(chain, "debug_getRawHeader", "0x99")["message"] == "Block not found"
    assert result(chain, "eth_getBlockByNumber", "0x99", False) is None
    assert result(chain, "eth_getBlockByHash", HASH, False) is None
    assert result(chain, "eth_getTransactionByHash", HASH) is None
    assert result(chain, "eth_getTransactionReceipt", HASH) is None


def test_calls_that_fail(world: World) -> None:
    out_of_gas = world.call_object(ANCHORER, world.anchor_call(0, 1, bytes(32))) | {"gas": "0x6000"}
    assert error(world.chain, "eth_call", out_of_gas, "latest")["code"] == -32000
    assert error(world.chain, "eth_call", out_of_gas | {"gas": "0x1"}, "latest")["code"] == -32003
    assert error(world.chain, "eth_call", out_of_gas | {"value": "0x1"}, "latest")["code"] == -32004
    failure = error(world.chain, "eth_estimateGas", world.call_object(STRANGER, world.anchor_call(0, 1, bytes(32))))
    assert (failure["code"], failure["data"]) == (-32000, "0xd46c4215")


def test_blocks_by_hash_and_transactions(world: World) -> None:
    block = result(world.chain, "eth_getBlockByNumber", "latest", True)
    assert result(world.chain, "eth_getBlockByHash", block["hash"], True) == block
    transaction = block["transactions"][0]
    assert result(world.chain, "eth_getTransactionByHash", transaction["hash"]) == transaction
    assert transaction["from"] == "0x" + address_of(ANCHORER).hex()
    assert transaction["to"] == "0x" + world.contract.hex()
    without = result(world.chain, "eth_getBlockByHash", block["hash"], False)
    assert without["transactions"] == [transaction["hash"]]


def test_log_filters(world: World) -> None:
    everything: dict[str, Any] = {"fromBlock": "earliest", "toBlock": "latest"}
    topic = "0x" + contract.ANCHORED_TOPIC.hex()

    def logs(**wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = result(world.chain, "eth_getLogs", everything | wanted)
        return found

    address = "0x" + world.contract.hex()
    assert len(logs()) == 3
    assert logs(address=address) == logs(address=[address, ADDRESS, address]) == logs()
    assert logs(address=ADDRESS) == []
    anchored = logs(topics=[topic])
    assert [log["topics"][2][-2:] for log in anchored] == ["01"]
    assert logs(topics=[None, "0x" + world.origin.hex()]) == logs(topics=[[], [HASH, "0x" + world.origin.hex()]])
    assert logs(topics=[topic, None, None, None]) == []
    receipt = result(world.chain, "eth_getTransactionReceipt", anchored[0]["transactionHash"])
    assert receipt["logs"] == anchored
    assert result(world.chain, "eth_getLogs", {"blockHash": anchored[0]["blockHash"]}) == anchored
    assert logs(fromBlock=anchored[0]["blockNumber"]) == anchored
    assert logs(fromBlock="0x98", toBlock="0x99") == []
    assert error(world.chain, "eth_getLogs", {"blockHash": HASH})["message"] == "Block not found"


def test_a_long_range_of_logs_is_refused_not_cut(chain: DevChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anchors.devchain.rpc_logs._MAX_BLOCKS", 2)
    for _ in range(2):
        chain.mine()
    assert error(chain, "eth_getLogs", {"fromBlock": "0x0"})["code"] == -32005
    assert result(chain, "eth_getLogs", {"fromBlock": "0x1"}) == []


def test_http_bodies(chain: DevChain) -> None:
    def handle(body: Any) -> Any:
        answer = chain.handle(body if isinstance(body, bytes) else json.dumps(body).encode())
        return json.loads(answer) if answer else None

    ask = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId", "params": []}
    assert handle(ask) == {"jsonrpc": "2.0", "id": "a", "result": "0x4f25"}
    assert handle([ask, ask | {"id": 2, "method": "no"}, 5])[1]["error"]["code"] == -32601
    assert [one["id"] for one in handle([ask, ask | {"id": 2}, 5])] == ["a", 2, None]
    notification = {"jsonrpc": "2.0", "method": "eth_chainId"}
    assert handle(notification) is None
    assert handle([notification]) is None
    assert handle(ask | {"params": {}})["error"]["code"] == -32602
    assert handle([ask] * (MAX_BATCH + 1))["error"]["code"] == -32005
    for body in (b"", b"{", b"\xff", b"[" * 100, b'{"a":1,"a":2}'):
        assert handle(body)["error"]["code"] == -32700
    for odd in ([], {}, 5, None, {"method": 5, "id": 1}, ask | {"id": [1]}, ask | {"id": True}):
        assert handle(odd)["error"]["code"] == -32600


def test_no_method_lets_another_error_escape(chain: DevChain) -> None:
    junk: list[Any] = [None, True, 5, -1, "", "0x", "latest", "0xzz", [], ["0x"], {}, {"to": 5}, {"topics": 5}, HASH]
    for method in [*READS, "eth_sendRawTransaction"]:
        for first in junk:
            for second in junk:
                response = chain.dispatch(method, [first, second])
                assert ("error" in response) != ("result" in response)


class _InProcess(JSONBaseProvider):
    """web3 on top of ``dispatch``."""

    def __init__(self, chain: DevChain) -> None:
        super().__init__()
        self._chain = chain

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._chain.dispatch(method, json.loads(json.dumps(params)))


def test_web3_understands_the_answers(world: World) -> None:
    w3 = Web3(_InProcess(world.chain))
    assert w3.is_connected()
    bound = w3.eth.contract(address=Web3.to_checksum_address(world.contract), abi=contract.load_artifact().abi)
    assert bound.functions.head(world.origin).call()[:2] == [1, b"\x01" * 32]
    events = bound.events.Anchored().get_logs(from_block=0)
    assert [event["args"]["size"] for event in events] == [1]
    receipt = w3.eth.get_transaction_receipt(events[0]["transactionHash"])
    assert receipt["status"] == 1
    proof = w3.eth.get_proof(Web3.to_checksum_address(world.contract), [contract.GOVERNOR_SLOT.hex()], "latest")
    assert len(proof["accountProof"]) >= 1
