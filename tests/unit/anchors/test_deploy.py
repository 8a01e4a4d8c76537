"""Setting the contract up: repeatable steps, honest refusals, nodes that fail or lie."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anchors import contract
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.devchain.chain import DevChain
from signing import LedgerError, RefusedError, UnavailableError
from tests.support.devchain_world import (
    ADMIN,
    ANCHORER,
    GOVERNOR,
    ORIGIN_NAME,
    STRANGER,
    World,
    account_of,
    address_of,
    open_chain,
    result,
)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[DevChain]:
    with open_chain(tmp_path / "chain.sqlite3") as opened:
        yield opened


def _code(caught: pytest.ExceptionInfo[LedgerError]) -> str:
    return caught.value.code


def test_deployment_is_what_the_artifact_says(chain: DevChain) -> None:
    done = deploy_contract(Network(chain.dispatch, chain.chain_id), governor=account_of(GOVERNOR))
    assert result(chain, "eth_getCode", "0x" + done.address.hex(), "latest") == (
        "0x" + contract.load_artifact().runtime.hex()
    )
    receipt = result(chain, "eth_getTransactionReceipt", "0x" + done.tx_hash.hex())
    assert (int(receipt["blockNumber"], 16), done.code_hash) == (done.block_number, contract.load_artifact().code_hash)
    assert int(receipt["gasUsed"], 16) == pytest.approx(1_031_047, rel=0.07)


def test_steps_may_be_repeated(chain: DevChain) -> None:
    world = World.create(chain)
    head = result(chain, "eth_blockNumber")
    common: dict[str, Any] = {"contract": world.contract}
    admin = address_of(ADMIN)
    assert (
        register_origin(world.network, **common, governor=account_of(GOVERNOR), name=ORIGIN_NAME, admin=admin)
        == world.origin
    )
    anchorer: dict[str, Any] = {"origin": world.origin, "anchorer": address_of(ANCHORER)}
    set_anchorer(world.network, **common, admin=account_of(ADMIN), **anchorer)
    assert result(chain, "eth_blockNumber") == head
    set_anchorer(world.network, **common, admin=account_of(ADMIN), **anchorer, allowed=False)
    asked = world.call(contract.encode_is_anchorer(world.origin, address_of(ANCHORER)))
    assert contract.decode_bool(asked) is False


def test_the_contract_refuses_the_wrong_key(chain: DevChain) -> None:
    world = World.create(chain)
    head = result(chain, "eth_blockNumber")
    stranger = address_of(STRANGER)
    with pytest.raises(RefusedError, match="NotGovernor") as refused:
        register_origin(
            world.network, contract=world.contract, governor=account_of(STRANGER), name="other", admin=stranger
        )
    assert _code(refused) == "chain.refused"
    with pytest.raises(RefusedError, match="NotAdmin"):
        set_anchorer(
            world.network, contract=world.contract, admin=account_of(STRANGER), origin=world.origin, anchorer=stranger
        )
    with pytest.raises(RefusedError, match="another admin"):
        register_origin(
            world.network, contract=world.contract, governor=account_of(GOVERNOR), name=ORIGIN_NAME, admin=stranger
        )
    assert result(chain, "eth_blockNumber") == head


def test_a_transaction_that_stays_out_of_blocks_is_unavailable(chain: DevChain) -> None:
    chain.hold_mining()
    waits: list[int] = []
    network = Network(chain.dispatch, chain.chain_id, wait=lambda: waits.append(1), attempts=3)
    with pytest.raises(UnavailableError) as caught:
        deploy_contract(network, governor=account_of(GOVERNOR))
    assert (_code(caught), len(waits)) == ("chain.no-receipt", 3)


def test_it_waits_for_the_block(chain: DevChain) -> None:
    chain.hold_mining()
    network = Network(chain.dispatch, chain.chain_id, wait=lambda: chain.release_mining())
    assert deploy_contract(network, governor=account_of(GOVERNOR)).block_number == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "method",
    ["eth_estimateGas", "eth_getTransactionCount", "eth_sendRawTransaction", "eth_getTransactionReceipt", "eth_call"],
)
def test_every_call_may_fail_and_the_step_be_repeated(chain: DevChain, method: str, when: Any) -> None:
    world = World.create(chain)
    step: dict[str, Any] = {
        "contract": world.contract,
        "governor": account_of(GOVERNOR),
        "name": "log.example/second",
        "admin": address_of(ADMIN),
    }
    chain.fail_next(method, when=when)
    with pytest.raises(UnavailableError):
        register_origin(world.network, **step)
    origin = register_origin(world.network, **step)
    assert contract.decode_origin_info(world.call(contract.encode_origin_info(origin))).status == 1


@pytest.mark.parametrize(
    ("method", "answer", "code"),
    [
        ("eth_getCode", {"result": "0x6001"}, "chain.code-differs"),
        ("eth_getCode", {"result": "6001"}, "chain.bad-answer"),
        ("eth_estimateGas", {"error": {"code": -32603, "message": "Internal error"}}, "chain.node-error"),
        ("eth_estimateGas", {"error": {"code": -32000, "message": "x", "data": "0x"}}, "chain.refused"),
        ("eth_estimateGas", {"result": None}, "chain.bad-answer"),
        ("eth_getTransactionReceipt", {"result": []}, "chain.bad-answer"),
        ("eth_getTransactionReceipt", {"result": {"status": "0x0"}}, "chain.refused"),
        ("eth_getTransactionReceipt", {"result": {"status": "0x1"}}, "chain.bad-answer"),
        ("eth_getTransactionReceipt", {"result": {"status": "0x1", "transactionHash": "0x01"}}, "chain.receipt"),
        ("eth_sendRawTransaction", {}, "chain.bad-answer"),
        ("eth_sendRawTransaction", {"result": "0x" + "00" * 32}, "chain.bad-answer"),
        ("eth_sendRawTransaction", {"error": {"code": -32000, "message": "already known"}}, "chain.node-error"),
    ],
)
def test_nodes_that_lie(chain: DevChain, method: str, answer: dict[str, Any], code: str) -> None:
    def rpc(asked: str, params: Sequence[Any]) -> Any:
        return answer if asked == method else chain.dispatch(asked, params)

    with pytest.raises(LedgerError) as caught:
        deploy_contract(Network(rpc, chain.chain_id), governor=account_of(GOVERNOR))
    assert _code(caught) == code
