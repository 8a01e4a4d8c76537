"""Reading a Clique network: what is proved is as of a block that enough distinct signers stand behind."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from anchors import (
    Consensus,
    Evidence,
    Grade,
    Included,
    Pending,
    SetSource,
    SignedTransaction,
    TrustProfile,
    ValidatorSet,
)
from anchors.chain_state import verify_header
from anchors.contract import encode_anchor, origin_id
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain
from anchors.node import Endpoint
from anchors.profile import CliquePolicy
from anchors.transaction import sign_transaction
from signing import UnavailableError, sha256
from tests.support.anchor_world import deploy
from tests.support.clique_shim import CliqueNode
from tests.support.devchain_world import ANCHORER, START, account_of, address_of, open_chain
from tests.support.ledger_logs import ORIGIN

ROOT = sha256(b"root at 5")
CALLDATA = encode_anchor(origin=origin_id(ORIGIN), old_size=0, new_size=5, new_root=ROOT, note_hash=bytes(32), proof=())


@dataclass
class World:
    """The network, the profile of it, our client."""

    dev: DevChain
    node: CliqueNode
    profile: TrustProfile
    chain: EvmChain

    def latest(self) -> int:
        return int(self.node.result("eth_blockNumber"), 16)

    def anchor(self) -> SignedTransaction:
        quote = self.chain.quote(address_of(ANCHORER), CALLDATA)
        sent = sign_transaction(
            account_of(ANCHORER),
            chain_id=self.dev.chain_id,
            nonce=quote.nonce,
            to=self.profile.contracts[0].address,
            calldata=CALLDATA,
            gas_limit=quote.gas_limit,
            gas_price=0,
        )
        self.chain.submit(sent)
        return sent


@pytest.fixture(params=[3, 5])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with open_chain(tmp_path / "chain.db") as dev:
        node = CliqueNode(dev, signers=request.param)
        profile = replace(
            deploy(dev, Network(dev.dispatch, dev.chain_id)),
            genesis_hash=node.block_hash(0),
            consensus=Consensus.CLIQUE,
            validator_sets=(ValidatorSet(0, None, node.signers, SetSource.HEADER),),
            max_grade=Grade.PROBABILISTIC_CLIQUE,
            clique=CliquePolicy(min_distinct_signers=request.param // 2 + 1, epoch=30_000),
        )
        yield World(dev, node, profile, EvmChain([Endpoint("geth", node.dispatch)], profile))


def behind(world: World) -> int:
    """Blocks after one until it has enough distinct signers."""
    assert world.profile.clique is not None
    return world.profile.clique.min_distinct_signers - 1


def test_the_head_is_as_of_a_block_with_enough_signers(world: World) -> None:
    head = world.chain.head(ORIGIN)
    assert (head.size, head.as_of_block) == (0, world.latest() - behind(world))
    assert head.as_of_hash == world.node.block_hash(head.as_of_block)
    (health,) = world.chain.check(START)
    assert health.head_number == head.as_of_block


def test_an_anchor_is_pending_until_its_block_is_final(world: World) -> None:
    sent = world.anchor()
    block = world.latest()
    for _ in range(behind(world)):
        assert world.chain.outcome(sent) == Pending()
        with pytest.raises(UnavailableError) as caught:
            world.chain.evidence(ORIGIN, 5, block_number=block)
        assert caught.value.code == "chain.not-final"
        world.dev.mine()
    outcome = world.chain.outcome(sent)
    assert isinstance(outcome, Included)
    assert (outcome.block_number, outcome.block_hash) == (block, world.node.block_hash(block))
    evidence = world.chain.evidence(ORIGIN, 5, block_number=block)
    assert isinstance(evidence, Evidence)
    assert list(evidence.descendants) == [world.node.header(block + n + 1) for n in range(behind(world))]
    sealed = verify_header(world.profile, evidence.header, (), evidence.descendants)
    assert (sealed.block_hash, sealed.grade) == (outcome.block_hash, Grade.PROBABILISTIC_CLIQUE)
    assert world.chain.evidence(ORIGIN, 5).root == ROOT


def test_the_nonce_counts_the_blocks_that_are_not_final_yet(world: World) -> None:
    sent = world.anchor()
    assert world.chain.quote(address_of(ANCHORER), CALLDATA).nonce == sent.nonce + 1


def test_a_replaced_block_is_pending_again(world: World) -> None:
    sent = world.anchor()
    world.dev.reorg(1)
    for _ in range(behind(world)):
        world.dev.mine()
    assert world.chain.outcome(sent) == Pending()
    world.chain.submit(sent)
    for _ in range(behind(world)):
        world.dev.mine()
    assert isinstance(world.chain.outcome(sent), Included)


def test_out_of_turn_signers_do_as_well(world: World) -> None:
    world.node.stopped = {0}
    for _ in range(12):
        world.dev.mine()
    assert world.chain.head(ORIGIN).as_of_block == world.latest() - behind(world)


def test_one_signer_alone_makes_nothing_final(world: World) -> None:
    before = world.chain.head(ORIGIN).as_of_block
    world.node.stopped = set(range(1, len(world.node.keys)))
    for _ in range(5):
        world.dev.mine()
    with pytest.raises(UnavailableError, match="geth") as caught:
        world.chain.head(ORIGIN)
    assert caught.value.code == "chain.bad-evidence"  # a signer may not seal again so soon
    assert before


def test_a_vote_is_stepped_around(world: World) -> None:
    world.node.votes[world.latest() + 2] = (b"\x77" * 20, True)
    for _ in range(2):
        world.dev.mine()
    last = world.latest()
    assert world.chain.head(ORIGIN).as_of_block == last - behind(world)
    world.dev.mine()
    assert world.chain.head(ORIGIN).as_of_block == last - behind(world)


def test_a_block_replaced_while_it_is_read_is_not_final(world: World) -> None:
    asked: list[str] = []

    def fickle(method: str, params: Any) -> Any:
        response = world.node.dispatch(method, params)
        if method == "eth_getBlockByNumber" and params[0] != "0x0":
            asked.append(params[0])
            if asked.count(params[0]) > 1:
                return {"result": response["result"] | {"hash": "0x" + "99" * 32}}
        return response

    chain = EvmChain([Endpoint("fickle", fickle)], world.profile)
    number = world.latest() - behind(world)
    with pytest.raises(UnavailableError) as caught:
        chain.evidence(ORIGIN, 5, block_number=number)
    assert caught.value.code == "chain.not-final"
