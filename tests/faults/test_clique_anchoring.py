"""The whole way on three geth nodes that seal in turn: signers die, the chain forks, a transaction pays too little."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchors import Grade
from anchors.outbox import State
from tests.support.devchain_world import ANCHORER, address_of
from tests.support.geth_clique import GAS_PRICE, CliqueNetwork, clique
from tests.support.node_world import Engine, NodeWorld

__all__ = ["clique"]


@pytest.fixture
def kind(clique: CliqueNetwork) -> Engine:
    return Engine(tuple(node.address for node in clique.nodes), GAS_PRICE)


@pytest.fixture
def world(tmp_path: Path, clique: CliqueNetwork, kind: Engine) -> Iterator[NodeWorld]:
    """All three nodes are endpoints."""
    made = NodeWorld.on(tmp_path, clique.nodes, kind, contract=next(clique.contracts))
    yield made
    made.engine.dispose()


def test_the_contract_is_deployed_and_growth_is_anchored_and_proved(
    tmp_path: Path, clique: CliqueNetwork, kind: Engine
) -> None:
    world = NodeWorld.on(tmp_path, clique.nodes, kind)
    sizes = []
    for start, stop in ((1, 3), (3, 200), (200, 1000)):
        world.grow(start, stop)
        sizes.append(world.settle(State.PROVEN).size)
        anchor = world.check_done(*sizes)
        assert (anchor.grade, anchor.anchorer) == (Grade.PROBABILISTIC_CLIQUE, address_of(ANCHORER))
    assert sizes == [3, 200, 1000]
    world.engine.dispose()


def test_a_signer_is_killed_and_comes_back(world: NodeWorld, clique: CliqueNetwork) -> None:
    """Two of three go on; the one that comes back follows, and answers as the others do."""
    killed = clique.nodes[0]
    world.dev = clique.nodes[1]
    try:
        killed.kill()
        world.grow(1, 50)
        world.settle(State.PROVEN)
        world.check_done(50)
    finally:
        clique.restart(killed)
    world.grow(50, 80)
    world.settle(State.PROVEN)
    world.check_done(50, 80)
    clique.agree()
    assert (
        len({str(node.ask("eth_getCode", "0x" + world.target.contract.hex(), "latest")) for node in clique.nodes}) == 1
    )


def test_with_one_signer_left_nothing_is_final_and_nothing_is_wrong(world: NodeWorld, clique: CliqueNetwork) -> None:
    world.dev = clique.nodes[0]
    try:
        clique.nodes[1].kill()
        clique.nodes[2].kill()
        world.grow(1, 50)
        for _ in range(30):
            world.now += 1
            reached = world.try_run()
            assert reached is None or reached.state in (State.PLANNED, State.BUILT, State.SIGNED, State.SENT)
    finally:
        clique.nodes[1].start()
        clique.restart(clique.nodes[2])
        clique.mine()
    world.settle(State.PROVEN)
    world.check_done(50)


def test_a_fork_ends_and_the_anchor_is_on_the_branch_that_stays(
    tmp_path: Path, clique: CliqueNetwork, kind: Engine
) -> None:
    """The service sees one node, which is cut off with our transaction: alone it seals one block at most."""
    apart = clique.nodes[0]
    world = NodeWorld.on(tmp_path, [apart], kind, contract=next(clique.contracts))
    clique.agree()
    try:
        clique.part(apart)
        world.grow(1, 50)
        for _ in range(20):
            world.now += 1
            reached = world.try_run()
            assert reached is None or reached.state is not State.PROVEN, "one signer alone proves nothing"
        clique_goes_on = clique.nodes[1].head()
    finally:
        clique.join()
        clique.agree()
    world.settle(State.PROVEN)
    world.check_done(50)
    assert apart.head() > clique_goes_on
    clique.agree()
    world.dev = clique.nodes[2]
    world.check_done(50)
    world.engine.dispose()


def test_the_whole_chain_goes_back(world: NodeWorld, clique: CliqueNetwork) -> None:
    """All nodes lose the block of an anchor that is proved already: it is written again, and the next one after it."""
    before = clique.nodes[0].head()
    world.grow(1, 50)
    done = world.settle(State.PROVEN)
    assert done.block_number is not None
    clique.rewind(max(before, done.block_number - 1))
    clique.agree()
    assert world.written() == []
    world.grow(50, 80)
    world.settle(State.PROVEN)
    world.check_done(50, 80)


def test_what_was_proven_and_is_lost_is_put_back_without_any_new_entry(world: NodeWorld, clique: CliqueNetwork) -> None:
    """Long after the proof: the worker sees that the chain holds less, and sends the same bytes again."""
    before = clique.nodes[0].head()
    world.grow(1, 50)
    done = world.settle(State.PROVEN)
    assert done.block_number is not None
    clique.rewind(max(before, done.block_number - 1))
    clique.agree()
    assert world.written() == []
    waiting = world.settle(State.SENT, State.PROVEN)
    assert waiting.state is State.PROVEN or waiting.reason == "chain.reorganised"
    again = world.settle(State.PROVEN) if waiting.state is State.SENT else waiting
    assert (again.size, again.tx_hash) == (50, done.tx_hash)
    assert again.block_hash != done.block_hash
    world.check_done(50)


def test_what_pays_too_little_waits_and_is_replaced(tmp_path: Path, clique: CliqueNetwork, kind: Engine) -> None:
    """The node that has it does not seal, and the others refuse it: it is stuck until it pays more."""
    idle = clique.nodes[0]
    cheap = Engine(kind.signers, GAS_PRICE - GAS_PRICE // 10)
    world = NodeWorld.on(tmp_path, [idle], cheap, contract=next(clique.contracts))
    try:
        idle.rest()
        world.grow(1, 50)
        sent = world.settle(State.SENT)
        head = idle.head()
        clique.wait_for_blocks(3)
        assert idle.head() > head
        waiting = world.run()
        assert waiting is not None
        assert (waiting.state, waiting.tx_hash) == (State.SENT, sent.tx_hash)
        world.now += 20 * kind.block_seconds
        done = world.settle(State.PROVEN)
    finally:
        idle.mine()
    assert done.nonce == sent.nonce
    assert done.tx_hash != sent.tx_hash
    assert (sent.gas_price or 0) < GAS_PRICE <= (done.gas_price or 0)
    world.check_done(50)
    world.engine.dispose()
