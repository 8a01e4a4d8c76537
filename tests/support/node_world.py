"""A log, its anchoring worker, and the contract on a real node: the whole way as on the embedded chain."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from anchors import (
    CliquePolicy,
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
    VerifiedAnchor,
)
from anchors import tables as anchor_tables
from anchors.capture import AnchorTarget
from anchors.contract import ANCHORED_TOPIC, load_artifact
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.evm import EvmChain
from anchors.hexdata import to_hex
from anchors.outbox import Pace, State, Submission
from anchors.worker import AnchorWorker
from ledger.database import open_engine
from ledger.store import SqlLog
from signing import UnavailableError
from tests.support.anchor_world import AnchorWorld, FaultyChain
from tests.support.chain_nodes import Node
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, STRANGER, account_of, address_of
from tests.support.ledger_logs import KEY, ORIGIN, new_log

_DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """What a profile says of the network, beside the contract. Without signers: a node that seals nothing."""

    signers: tuple[bytes, ...] = ()
    gas_price: int = 0
    block_seconds: int = 1


UNSEALED = Engine()
"""A node of a developer, which takes no fees."""


def put_contract(network: Network) -> ContractPin:
    """The contract, with the log's origin open to the anchorer and to one more account."""
    deployment = deploy_contract(network, governor=account_of(GOVERNOR))
    contract, admin = deployment.address, address_of(ADMIN)
    origin = register_origin(network, contract=contract, governor=account_of(GOVERNOR), name=ORIGIN, admin=admin)
    for key in (ANCHORER, STRANGER):
        set_anchorer(network, contract=contract, admin=account_of(ADMIN), origin=origin, anchorer=address_of(key))
    return pinned(contract, deployment.block_number)


def pinned(contract: bytes, from_block: int) -> ContractPin:
    """The shipped contract at that address."""
    artifact = load_artifact()
    return ContractPin(contract, artifact.code_hash, artifact.layout, from_block)


def profile_of(node: Node, kind: Engine, pin: ContractPin) -> TrustProfile:
    """What a verifier believes about this network."""
    sets = (ValidatorSet(0, None, tuple(sorted(kind.signers)), SetSource.HEADER),) if kind.signers else ()
    return TrustProfile(
        profile_id="node/1",
        chain_id=node.chain_id,
        genesis_hash=bytes.fromhex(str(node.ask("eth_getBlockByNumber", "0x0", False)["hash"])[2:]),
        from_block=0,
        to_block=None,
        consensus=Consensus.CLIQUE if sets else Consensus.UNSEALED,
        seal_algorithm=SealAlgorithm.SECP256K1,
        quorum_rule="ceil2n3",
        validator_sets=sets,
        contracts=(pin,),
        handoff=HandoffPolicy(allowed=False, max_steps=0, min_set=4),
        max_grade=Grade.PROBABILISTIC_CLIQUE if sets else Grade.UNSEALED_DEV,
        clique=CliquePolicy(len(kind.signers) // 2 + 1, 30000) if sets else None,
    )


@dataclass
class NodeWorld(AnchorWorld):
    """An ``AnchorWorld`` whose chain is one or more nodes; ``dev`` is the node asked on the side. Time goes by hand."""

    kind: Engine = field(default_factory=Engine)

    @classmethod
    def on(
        cls,
        folder: Path,
        nodes: Sequence[Node],
        kind: Engine = UNSEALED,
        *,
        contract: bytes | None = None,
    ) -> Self:
        """A new log in SQLite, and a contract: a new one, or that of the genesis block. All nodes are endpoints."""
        engine = open_engine(f"sqlite:///{folder / 'log.db'}")
        new_log(engine)
        with engine.begin() as connection:
            anchor_tables.metadata.create_all(connection)
        node = nodes[0]
        network = Network(
            node.dispatch, node.chain_id, kind.gas_price, wait=lambda: time.sleep(0.1), attempts=10 * _DEADLINE_SECONDS
        )
        pin = put_contract(network) if contract is None else pinned(contract, 0)
        profile = profile_of(node, kind, pin)
        evm = EvmChain([each.endpoint for each in nodes], profile)
        target = AnchorTarget(
            profile, profile.contracts[0].address, KEY, account_of(ANCHORER), gas_price=kind.gas_price
        )
        return cls(engine, cast(Any, node), profile, network, evm, FaultyChain(evm), target, kind=kind)

    @property
    def node(self) -> Node:
        """The node that is asked on the side."""
        return cast(Node, self.dev)

    def settle(self, *wanted: State) -> Submission:
        """Run the worker, a second of its time each time, until the submission is in one of these states."""
        end = time.monotonic() + _DEADLINE_SECONDS
        last: Submission | None = None
        while time.monotonic() < end:
            last = self.try_run() or last
            if last is not None and last.state in wanted:
                return last
            self.now += 1
            time.sleep(0.1)
        raise AssertionError(f"waited {_DEADLINE_SECONDS} seconds for {wanted}, it is {last}")

    def try_run(self) -> Submission | None:
        """Run the worker; None while the chain can't be asked."""
        try:
            return self.run()
        except UnavailableError:
            return None

    def written(self) -> list[int]:
        """The sizes that the contract says it wrote, in the order of the chain."""
        query = {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": to_hex(self.target.contract),
            "topics": [to_hex(ANCHORED_TOPIC)],
        }
        return [int(each["topics"][2], 16) for each in self.node.ask("eth_getLogs", query)]

    def check_done(self, *sizes: int) -> VerifiedAnchor:
        """The invariant: just these sizes were written, each once, and the newest checkpoint is proved and stored."""
        latest = self.latest()
        anchor = self.proof(latest.size)
        assert anchor is not None
        assert anchor.checkpoint == latest
        assert self.outbox() is None
        written = self.written()
        assert written == list(sizes), written
        head = self.evm.head(ORIGIN)
        assert (head.size, head.root) == (latest.size, latest.root)
        return anchor

    def worker(self) -> AnchorWorker:
        """A worker as a new process would make it, at the pace of this chain."""
        return AnchorWorker(
            self.chain,
            self.target,
            transactions=self.transaction,
            log=lambda connection: SqlLog(connection, ORIGIN),
            owner=f"worker {next(self.workers)}",
            pace=Pace(self.kind.block_seconds),
        )
