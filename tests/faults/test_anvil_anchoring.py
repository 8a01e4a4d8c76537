"""The whole way on anvil: a node that is not ours mines, drops, reorganises and refuses."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from eth_account import Account

from anchors import Grade
from anchors.evm import EvmChain
from anchors.outbox import State
from signing import UnavailableError
from tests.support.anvil import AnvilNode, start_anvil
from tests.support.chain_nodes import wait_until
from tests.support.devchain_world import ANCHORER, address_of
from tests.support.node_world import NodeWorld


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnvilNode]:
    """By the rules of Berlin, if the test names no other fork."""
    with start_anvil(tmp_path, hardfork=getattr(request, "param", "berlin")) as started:
        yield started


@pytest.fixture
def world(tmp_path: Path, node: AnvilNode) -> Iterator[NodeWorld]:
    made = NodeWorld.on(tmp_path, [node])
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("node", ["berlin", "london", "paris"], indirect=True)
def test_growth_is_anchored_and_proved(world: NodeWorld) -> None:
    sizes = []
    for start, stop in ((1, 3), (3, 200), (200, 1000)):
        world.grow(start, stop)
        submission = world.settle(State.PROVEN)
        sizes.append(submission.size)
        anchor = world.check_done(*sizes)
        assert (anchor.grade, anchor.anchorer) == (Grade.UNSEALED_DEV, address_of(ANCHORER))
    assert sizes == [3, 200, 1000]
    assert world.run() is None, "nothing is due"


def test_a_reorganisation_takes_the_block_away_and_the_same_bytes_are_sent_again(
    world: NodeWorld, node: AnvilNode
) -> None:
    world.grow(1, 50)
    node.ask("evm_setAutomine", False)
    sent = world.settle(State.SENT)
    node.mine()
    included = world.worker().advance(now=world.now)
    assert included is not None
    assert included.state is State.INCLUDED
    node.reorganise(1)
    assert world.written() == []
    node.ask("evm_setAutomine", True)
    done = world.settle(State.PROVEN)
    assert (done.tx_hash, done.nonce) == (sent.tx_hash, sent.nonce)
    world.check_done(50)


def test_a_reorganisation_after_the_proof_is_healed_with_the_next_checkpoint(world: NodeWorld, node: AnvilNode) -> None:
    """The bytes of the lost anchor fill the gap that they left in the account's nonces, and the next tree follows."""
    world.grow(1, 50)
    world.settle(State.PROVEN)
    node.reorganise(1)
    assert world.evm.head(world.target.scope.origin).size == 0
    world.grow(50, 90)
    world.settle(State.PROVEN)
    world.check_done(50, 90)


def test_a_dropped_transaction_is_sent_again(world: NodeWorld, node: AnvilNode) -> None:
    world.grow(1, 50)
    node.ask("evm_setAutomine", False)
    sent = world.settle(State.SENT)
    assert sent.tx_hash is not None
    node.drop(sent.tx_hash)
    assert node.ask("eth_getTransactionByHash", "0x" + sent.tx_hash.hex()) is None
    node.ask("evm_setAutomine", True)
    done = world.settle(State.PROVEN)
    assert done.tx_hash == sent.tx_hash
    world.check_done(50)


def test_while_nothing_is_mined_the_submission_waits(world: NodeWorld, node: AnvilNode) -> None:
    world.grow(1, 50)
    node.ask("evm_setAutomine", False)
    sent = world.settle(State.SENT)
    for _ in range(100):  # far beyond the time after which it would be replaced, if anything were paid
        world.now += 1
        waiting = world.run()
        assert waiting is not None
        assert (waiting.state, waiting.tx_hash) == (State.SENT, sent.tx_hash)
    assert node.ask("txpool_status")["pending"] == "0x1"
    world.grow(50, 80)
    node.ask("evm_setAutomine", True)
    node.mine()
    world.settle(State.PROVEN)
    world.run()
    world.check_done(50, 80)


def test_a_nonce_that_was_used_elsewhere_costs_one_transaction_more(world: NodeWorld, node: AnvilNode) -> None:
    world.grow(1, 50)
    node.ask("evm_setAutomine", False)
    sent = world.settle(State.SENT)
    assert sent.tx_hash is not None
    node.drop(sent.tx_hash)
    other = {"chainId": node.chain_id, "nonce": sent.nonce, "gas": 21000, "gasPrice": 0, "value": 0, "to": bytes(20)}
    raw = Account.sign_transaction(other, ANCHORER).raw_transaction
    node.ask("eth_sendRawTransaction", "0x" + bytes(raw).hex())
    node.mine()
    node.ask("evm_setAutomine", True)
    done = world.settle(State.PROVEN)
    assert done.nonce == (sent.nonce or 0) + 1
    assert done.tx_hash != sent.tx_hash
    world.check_done(50)


def test_another_node_of_another_chain_is_never_used(world: NodeWorld, node: AnvilNode, tmp_path: Path) -> None:
    place = tmp_path / "foreign"
    place.mkdir()
    with ExitStack() as stack:
        foreign = stack.enter_context(start_anvil(place, chain_id=20270))
        alone = EvmChain([foreign.endpoint], world.profile)
        with pytest.raises(UnavailableError) as caught:
            alone.head(world.target.scope.origin)
        assert caught.value.code == "chain.wrong-network"
        world.chain._chain = EvmChain([foreign.endpoint, node.endpoint], world.profile)
        world.grow(1, 50)
        done = world.settle(State.PROVEN)
        assert done.endpoints == (node.endpoint.name,)
        assert foreign.head() == 0
    world.check_done(50)


def test_the_node_is_away_and_comes_back(tmp_path: Path) -> None:
    """Killed after the first anchor, started again from its saved state: what was missed is anchored."""
    state = tmp_path / "state.json"
    saved = ("--state", str(state), "--state-interval", "1", "--preserve-historical-states")
    with start_anvil(tmp_path, *saved) as node:
        world = NodeWorld.on(tmp_path, [node])
        world.grow(1, 50)
        world.settle(State.PROVEN)
        port = node.url.rsplit(":", 1)[1]
        block = node.ask("eth_getBlockByNumber", "latest", False)["hash"]
        wait_until(lambda: state.exists() and block in state.read_text(), "the state is saved")
    world.grow(50, 80)
    with pytest.raises(UnavailableError):
        world.run()
    with start_anvil(tmp_path, *saved, "--port", port):
        world.settle(State.PROVEN)
        world.check_done(50, 80)
    world.engine.dispose()
