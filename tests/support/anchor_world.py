"""A log, a development chain with the contract, and an anchoring worker between them; with places to fail."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from anchors import (
    ChainHead,
    Consensus,
    ContractPin,
    Evidence,
    Grade,
    HandoffPolicy,
    Outcome,
    Quote,
    SealAlgorithm,
    SetSource,
    SignedTransaction,
    TrustProfile,
    ValidatorSet,
    VerifiedAnchor,
    read_anchor_proof,
    verify_anchor_proof,
)
from anchors import tables as anchor_tables
from anchors.capture import AnchorTarget
from anchors.contract import encode_anchor, load_artifact, origin_id
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain
from anchors.node import Endpoint
from anchors.outbox import Submission
from anchors.policy import AnchorPolicy
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.transaction import sign_transaction
from anchors.worker import AnchorWorker
from ledger import Checkpoint, open_checkpoint
from ledger.store import SqlLog
from signing import UnavailableError
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, STRANGER, account_of, address_of, open_chain
from tests.support.ledger_logs import KEY, ORIGIN, append, new_log, numbered

NOW = 1_760_000_000
_T = TypeVar("_T")


class KilledError(Exception):
    """Stands for the process ending at this very point."""


class FaultyChain:
    """A Chain that can fail before or after any call took effect, once for each fault set."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self.faults: dict[str, tuple[str, Exception]] = {}
        self.calls: list[str] = []

    def fail(self, method: str, when: str, error: Exception | None = None) -> None:
        self.faults[method] = (when, error or UnavailableError("chain.unreachable", "the test took the chain away"))

    def _do(self, method: str, action: Callable[[], _T]) -> _T:
        self.calls.append(method)
        when, error = self.faults.pop(method, ("", Exception()))
        if when == "before":
            raise error
        result = action()
        if when == "after":
            raise error
        return result

    def head(self, origin: str) -> ChainHead:
        return self._do("head", lambda: self._chain.head(origin))

    def quote(self, sender: bytes, calldata: bytes) -> Quote:
        return self._do("quote", lambda: self._chain.quote(sender, calldata))

    def submit(self, transaction: SignedTransaction) -> tuple[str, ...]:
        return self._do("submit", lambda: self._chain.submit(transaction))

    def outcome(self, transaction: SignedTransaction) -> Outcome:
        return self._do("outcome", lambda: self._chain.outcome(transaction))

    def evidence(self, origin: str, size: int, *, block_number: int | None = None) -> Evidence:
        return self._do("evidence", lambda: self._chain.evidence(origin, size, block_number=block_number))


@dataclass
class AnchorWorld:
    """Everything between a log and a chain, for one origin."""

    engine: Engine
    dev: DevChain
    profile: TrustProfile
    network: Network
    evm: EvmChain
    chain: FaultyChain
    target: AnchorTarget
    now: int = NOW
    commits_to_kill: int = field(default=-1)
    workers: Iterator[int] = field(default_factory=count)
    policy: AnchorPolicy = field(default_factory=AnchorPolicy)

    @classmethod
    def create(cls, engine: Engine, folder: Path) -> "AnchorWorld":
        new_log(engine)
        with engine.begin() as connection:
            anchor_tables.metadata.create_all(connection)
        dev = open_chain(folder / "chain.db")
        network = Network(dev.dispatch, dev.chain_id)
        profile = deploy(dev, network)
        contract = profile.contracts[0].address
        evm = EvmChain([Endpoint("embedded", dev.dispatch)], profile)
        target = AnchorTarget(profile, contract, KEY, account_of(ANCHORER))
        return cls(engine, dev, profile, network, evm, FaultyChain(evm), target)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction whose process may be killed: -1 never, 0 before the commit, 1 right after it, 2 at the next…"""
        countdown = self.commits_to_kill
        if countdown >= 0:
            self.commits_to_kill -= 2
        with self.engine.begin() as connection:
            yield connection
            if countdown == 0:
                raise KilledError("before a commit")
        if countdown == 1:
            raise KilledError("after a commit")

    def worker(self) -> AnchorWorker:
        """A worker as a new process would make it."""
        return AnchorWorker(
            self.chain,
            self.target,
            transactions=self.transaction,
            log=lambda connection: SqlLog(connection, ORIGIN),
            owner=f"worker {next(self.workers)}",
            policy=self.policy,
        )

    def run(self) -> Submission | None:
        return self.worker().run(now=self.now)

    def grow(self, start: int, stop: int) -> Checkpoint:
        return append(self.engine, numbered(start, stop)).checkpoint

    def latest(self) -> Checkpoint:
        with self.engine.begin() as connection:
            return open_checkpoint(SqlLog(connection, ORIGIN).checkpoint(), KEY)

    def outbox(self) -> Submission | None:
        with self.engine.begin() as connection:
            return SqlOutbox(connection, self.target.scope).in_flight()

    def proof(self, size: int) -> VerifiedAnchor | None:
        """The stored proof that covers ``size``, verified offline."""
        with self.engine.begin() as connection:
            found = SqlAnchorProofs(connection, self.target.scope).covering(size)
        if found is None:
            return None
        return verify_anchor_proof(read_anchor_proof(found[1]), [self.profile], log_key=KEY)

    def anchor_as(self, key: bytes, old: int, checkpoint: Checkpoint, proof: Sequence[bytes] = ()) -> None:
        """Another anchorer writes to the contract."""
        calldata = encode_anchor(
            origin=origin_id(ORIGIN),
            old_size=old,
            new_size=checkpoint.size,
            new_root=checkpoint.root,
            note_hash=bytes(32),
            proof=proof,
        )
        quote = self.evm.quote(address_of(key), calldata)
        transaction = sign_transaction(
            account_of(key),
            chain_id=self.profile.chain_id,
            nonce=quote.nonce,
            to=self.target.contract,
            calldata=calldata,
            gas_limit=quote.gas_limit,
            gas_price=0,
        )
        self.evm.submit(transaction)

    def check(self) -> None:
        """The invariant: the newest checkpoint is on the chain, proved and stored; nothing was done twice."""
        latest = self.latest()
        anchor = self.proof(latest.size)
        assert anchor is not None
        assert anchor.checkpoint == latest
        assert self.outbox() is None
        head = self.evm.head(ORIGIN)
        assert (head.size, head.root) == (latest.size, latest.root)
        sizes = anchored_sizes(self.dev)
        assert sizes == sorted(set(sizes))


def deploy(dev: DevChain, network: Network) -> TrustProfile:
    """The contract on a fresh chain, the log's origin open to the anchorer and to one more account."""
    deployment = deploy_contract(network, governor=account_of(GOVERNOR))
    contract, admin = deployment.address, address_of(ADMIN)
    origin = register_origin(network, contract=contract, governor=account_of(GOVERNOR), name=ORIGIN, admin=admin)
    for key in (ANCHORER, STRANGER):
        set_anchorer(network, contract=contract, admin=account_of(ADMIN), origin=origin, anchorer=address_of(key))
    artifact = load_artifact()
    return TrustProfile(
        profile_id="dev/1",
        chain_id=dev.chain_id,
        genesis_hash=dev.genesis_hash,
        from_block=0,
        to_block=None,
        consensus=Consensus.QBFT,
        seal_algorithm=SealAlgorithm.SECP256K1,
        quorum_rule="ceil2n3",
        validator_sets=(ValidatorSet(0, None, tuple(sorted(dev.validators())), SetSource.HEADER),),
        contracts=(ContractPin(contract, artifact.code_hash, artifact.layout, deployment.block_number),),
        handoff=HandoffPolicy(allowed=False, max_steps=0, min_set=4),
        max_grade=Grade.UNSEALED_DEV,
    )


def anchored_sizes(dev: DevChain) -> list[int]:
    """Sizes of all ``Anchored`` events, in the order of the chain."""
    from anchors.contract import ANCHORED_TOPIC

    query = {"fromBlock": "0x0", "toBlock": "latest", "topics": ["0x" + ANCHORED_TOPIC.hex()]}
    logs = dev.dispatch("eth_getLogs", [query])["result"]
    assert isinstance(logs, list)
    return [int(each["topics"][2], 16) for each in logs]
