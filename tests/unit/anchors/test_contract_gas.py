"""What the contract costs. Gas is part of its behaviour: three machines must agree to the unit, and limits are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchors import contract
from anchors.deploy import deploy_contract
from tests.support.anvil import anvils
from tests.support.contract_gas import DEAREST, LAST_ENTRY, LONGEST, gas_of, step_call
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, World, account_of, address_of, open_chain, result
from tests.support.invented_trees import invented_step

__all__ = ["anvils"]

LIMIT = 120_000  # for any step to ten million entries
HASHES = {LAST_ENTRY: 15, LONGEST: 25, DEAREST: 25}


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[World]:
    with open_chain(tmp_path / "chain.sqlite3") as chain:
        yield World.create(chain)


@pytest.fixture(params=["embedded", "berlin", "paris"])
def world(request: pytest.FixtureRequest) -> World:
    """A fresh contract, so that addresses, names and with them the bytes that are paid for are always the same."""
    if request.param == "embedded":
        made: World = request.getfixturevalue("embedded")
        return made
    return World.create(request.getfixturevalue("anvils")(request.param))


@pytest.mark.parametrize(
    ("step", "gas", "repeat"),
    [(LAST_ENTRY, 106_158, 40_779), (LONGEST, 118_343, 45_863), (DEAREST, 119_558, 45_875)],
    ids=["one entry", "longest proof", "most hashing"],
)
def test_a_step_to_ten_million_entries(world: World, step: tuple[int, int], gas: int, repeat: int) -> None:
    assert len(invented_step(*step)[2]) == HASHES[step]
    calldata = step_call(world, *step)
    estimate = int(result(world.chain, "eth_estimateGas", world.call_object(ANCHORER, calldata)), 16)
    assert gas_of(world.send(ANCHORER, calldata)) == gas <= min(LIMIT, estimate)
    assert estimate <= gas * 1.1
    assert gas_of(world.send(ANCHORER, calldata)) == repeat, "an exact repeat writes nothing"


def test_a_proof_that_does_not_hold_costs_no_more_than_one_that_does(world: World) -> None:
    calldata = step_call(world, *DEAREST)
    wrong = world.send(ANCHORER, calldata[:-1] + bytes([calldata[-1] ^ 1]))
    assert wrong["status"] == "0x0"
    assert int(wrong["gasUsed"], 16) == 69_006


def test_administration_and_the_first_anchor(world: World) -> None:
    steps = {
        "registerOrigin": (GOVERNOR, contract.encode_register_origin("log.example/other/name", address_of(ADMIN))),
        "setAnchorer": (ADMIN, contract.encode_set_anchorer(world.origin, b"\x55" * 20, allowed=True)),
        "first anchor": (ANCHORER, world.anchor_call(0, 1000, b"\x77" * 32)),
        "setOriginStatus": (GOVERNOR, contract.encode_set_origin_status(world.origin, contract.ORIGIN_FROZEN)),
        "setSuccessor": (GOVERNOR, contract.encode_set_successor(b"\x55" * 20)),
    }
    assert {name: gas_of(world.send(*step)) for name, step in steps.items()} == {
        "registerOrigin": 49_985,
        "setAnchorer": 48_814,
        "first anchor": 98_656,
        "setOriginStatus": 30_984,
        "setSuccessor": 47_279,
    }
    again = deploy_contract(world.network, governor=account_of(GOVERNOR))
    assert gas_of(result(world.chain, "eth_getTransactionReceipt", "0x" + again.tx_hash.hex())) == 973_995
