"""The whole way on FISCO BCOS's web3 RPC: a log, its worker, three nodes behind real HTTP; nodes that fail and lie."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from anchors import AnswersProof, Consensus, Grade, TrustProfile, read_anchor_proof
from anchors import tables as anchor_tables
from anchors.capture import AnchorTarget, check_stored_proof
from anchors.deploy import Network
from anchors.evm import connect_chain, http_endpoint
from anchors.outbox import State, Submission
from anchors.profile import AnswersPolicy
from anchors.store import SqlAnchorProofs
from anchors.verify import RecordedAnchor
from ledger.database import open_engine
from signing import UnavailableError
from tests.support.anchor_world import AnchorWorld, FaultyChain, anchored_sizes, deploy
from tests.support.devchain_world import ANCHORER, account_of, open_chain
from tests.support.fisco_shim import FiscoNode, fisco_group
from tests.support.ledger_logs import KEY, new_log


@dataclass
class FiscoWorld(AnchorWorld):
    """An ``AnchorWorld`` whose chain is what two of three nodes say alike."""

    nodes: list[FiscoNode] = field(default_factory=list)

    def record(self, size: int) -> tuple[RecordedAnchor, set[str]]:
        """The stored record, and the names of the nodes whose answers it holds."""
        with self.engine.begin() as connection:
            found = SqlAnchorProofs(connection, self.target.scope).covering(size)
        assert found is not None
        recorded, proof = check_stored_proof(found[1], [self.profile], log_key=KEY), read_anchor_proof(found[1])
        assert isinstance(recorded, RecordedAnchor)
        assert isinstance(proof, AnswersProof)
        return recorded, {answer.node for answer in proof.answers}

    def name(self, node: int) -> str:
        return self.nodes[node].url.removeprefix("http://")

    def settle(self) -> Submission:
        """Let time go by until there is nothing to do."""
        for _ in range(20):
            submission = self.run()
            if submission is not None and submission.state is State.PROVEN:
                return submission
            self.now += 400
        raise AssertionError("it does not settle")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FiscoWorld]:
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    new_log(engine)
    with engine.begin() as connection:
        anchor_tables.metadata.create_all(connection)
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        dev = stack.enter_context(open_chain(tmp_path / "chain.db"))
        nodes = stack.enter_context(fisco_group(dev, 3))
        network = Network(http_endpoint(nodes[0].url).rpc, dev.chain_id, gas_price=None)
        profile: TrustProfile = replace(
            deploy(dev, network),
            consensus=Consensus.FISCO,
            validator_sets=(),
            max_grade=Grade.AS_ANSWERED,
            answers=AnswersPolicy(equal=2, nodes=3),
        )
        chain: Any = connect_chain([http_endpoint(node.url) for node in nodes], profile)
        target = AnchorTarget(profile, profile.contracts[0].address, KEY, account_of(ANCHORER))
        yield FiscoWorld(engine, dev, profile, network, chain, FaultyChain(chain), target, nodes=nodes)


def test_growth_is_anchored_and_recorded(world: FiscoWorld) -> None:
    for start, stop in ((1, 5), (5, 300)):
        world.grow(start, stop)
        assert world.settle().size == stop
        recorded, names = world.record(stop)
        assert names == {world.name(node) for node in range(3)}
        assert (recorded.grade, recorded.checkpoint) == (Grade.AS_ANSWERED, world.latest())
    assert anchored_sizes(world.dev) == [5, 300]


def test_one_node_that_lies_or_dies_changes_nothing(world: FiscoWorld) -> None:
    world.nodes[1].lies = {
        "eth_call": lambda *_: "0x" + "ff" * 160,
        "eth_getTransactionReceipt": lambda *_: None,
        "eth_getTransactionCount": lambda *_: "0x77",
        "eth_sendRawTransaction": lambda *_: "0x" + "00" * 32,
    }
    world.grow(1, 5)
    assert world.settle().size == 5
    assert world.record(5)[1] == {world.name(0), world.name(2)}
    assert anchored_sizes(world.dev) == [5]


def test_no_agreement_waits_and_goes_on_when_it_is_back(world: FiscoWorld) -> None:
    for node in world.nodes[:2]:
        node.lies["eth_call"] = lambda *_: None
    world.grow(1, 5)
    with pytest.raises(UnavailableError):
        world.run()
    assert anchored_sizes(world.dev) == []
    for node in world.nodes:
        node.lies.clear()
    assert world.settle().size == 5
    assert anchored_sizes(world.dev) == [5]


def test_receipts_that_stay_null_are_waited_for(world: FiscoWorld) -> None:
    for node in world.nodes:
        node.lies["eth_getTransactionReceipt"] = lambda *_: None
    world.grow(1, 5)
    submission = world.run()
    assert submission is not None
    assert submission.state is State.SENT
    for node in world.nodes:
        node.lies.clear()
    assert world.settle().size == 5
    assert anchored_sizes(world.dev) == [5]
