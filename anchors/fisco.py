"""The anchor contract on FISCO BCOS 3.9 and later, through its web3 RPC (chain.md §2.6).

That RPC proves nothing: no state proofs, invented headers. What counts is what k of n nodes, run by different members
of the consortium, say alike; the profile says how many (``answers``). PBFT blocks are final.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from anchors.agreement import agree
from anchors.fisco_node import (
    block_hash,
    block_time,
    said_anchor,
    said_head,
    said_outcome,
    said_refusal,
    said_terms,
)
from anchors.health import EndpointHealth
from anchors.node import Endpoint, latest_number
from anchors.pool import EndpointPool, no_answer
from anchors.ports import Answers, ChainHead, Outcome, Pending, Quote, SignedTransaction
from anchors.profile import AnswersPolicy, TrustProfile
from anchors.sending import send_to_all
from signing import MalformedError, UnavailableError, VerificationError

_T = TypeVar("_T")
_V = TypeVar("_V", bound=Hashable)


class FiscoChain:
    """``anchors.ports.Chain`` by agreement of nodes. Remembers how its endpoints do."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        profile: TrustProfile,
        *,
        contract: bytes | None = None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """``contract``: one of the profile's addresses; the last one listed if not given.

        Raises MalformedError (``chain.nodes``) unless there are as many endpoints as the profile's agreement can be of.
        """
        self._pool = EndpointPool(endpoints, profile, stopwatch)
        self._policy = _policy(profile, len(endpoints))
        self._contract = profile.contracts[-1].address if contract is None else contract

    def head(self, origin: str) -> ChainHead:
        """See ``Chain.head``: as enough nodes say alike, as of the oldest of their newest blocks."""
        heads = self._ask(lambda node: said_head(node, self._contract, origin))
        for name, head in heads.items():
            self._pool.note_head(self._pool.position(name), head.number, head.time)
        (size, root), names = self._agree({name: (head.size, head.root) for name, head in heads.items()}, "head")
        number = min(heads[name].number for name in names)
        as_of, _ = self._agree(self._ask(lambda node: block_hash(node, number)), f"hash of block {number}")
        return ChainHead(size, root, number, as_of)

    def quote(self, sender: bytes, calldata: bytes) -> Quote:
        """See ``Chain.quote``: nonce, price and refusals as enough nodes say alike, the highest of their gas limits."""
        said = self._ask(lambda node: said_terms(node, self._contract, sender, calldata))
        terms, names = self._agree({name: terms for name, (terms, _) in said.items()}, "nonce and price")
        if terms.refusal is not None:
            raise said_refusal(terms.refusal)
        return Quote(terms.nonce, max(said[name][1] for name in names), terms.gas_price)

    def submit(self, transaction: SignedTransaction) -> tuple[str, ...]:
        """See ``Chain.submit``."""
        return send_to_all(self._pool, transaction)

    def outcome(self, transaction: SignedTransaction) -> Outcome:
        """See ``Chain.outcome``: pending until enough nodes say alike what became of it."""
        said = self._ask(lambda node: said_outcome(node, transaction))
        try:
            return self._agree(said, "outcome")[0]
        except UnavailableError:
            return Pending()

    def evidence(self, origin: str, size: int, *, block_number: int | None = None) -> Answers:
        """See ``Chain.evidence``. These nodes answer for their latest state whatever block is asked for.

        ``anchor.absent`` is raised when enough nodes say so.
        """
        del block_number
        said = self._ask(lambda node: said_anchor(node, self._contract, origin, size), everyone=True)
        alike = {name: None if answer is None else replace(answer, node="") for name, answer in said.items()}
        agreed, names = self._agree(alike, f"anchor of size {size}")
        if agreed is None:
            raise VerificationError("anchor.absent", "enough nodes say that the contract holds no anchor of this size")
        return Answers(
            block_number=agreed.block_number,
            block_hash=agreed.block_hash,
            contract=self._contract,
            root=agreed.root,
            answers=tuple(replace(agreed, node=name) for name in sorted(names)),
            asked=len(self._pool),
        )

    def check(self, now: int) -> tuple[EndpointHealth, ...]:
        """Ask every endpoint for its newest block, resting or not, and say how they do. Never raises for a node."""

        def ask(node: Endpoint) -> tuple[int, int]:
            number = latest_number(node)
            return number, block_time(node, number)

        for position, (number, seconds) in self._pool.all(ask).values.items():
            self._pool.note_head(position, number, seconds)
        self._pool.rest_the_lagging()
        return self.health(now)

    def health(self, now: int) -> tuple[EndpointHealth, ...]:
        """How the endpoints do as far as is known; asks nobody."""
        return self._pool.health(now)

    def _ask(self, action: Callable[[Endpoint], _T], *, everyone: bool = False) -> dict[str, _T]:
        """What each endpoint says, by name; at least as many as must agree. Without ``everyone``, some may rest."""
        round_ = self._pool.all(action) if everyone else self._pool.each(action, at_least=self._policy.equal)
        if len(round_.values) < self._policy.equal:
            raise no_answer(round_.failures)
        return {self._pool.name(position): answer for position, answer in round_.values.items()}

    def _agree(self, said: dict[str, _V], what: str) -> tuple[_V, list[str]]:
        """The common answer; whoever said another is noted under its name."""
        try:
            answer, names = agree(said, self._policy.equal, what=what)
        except UnavailableError as error:
            silent = [self._pool.complaint(at) for at in range(len(self._pool)) if self._pool.name(at) not in said]
            raise UnavailableError(error.code, "; ".join([str(error), *silent])) from None
        for name in said.keys() - set(names):
            alone = UnavailableError("chain.disagreement", f"{name}: {what}: says otherwise than {', '.join(names)}")
            self._pool.note_failure(self._pool.position(name), alone)
        return answer, names


def _policy(profile: TrustProfile, nodes: int) -> AnswersPolicy:
    policy = profile.answers
    if policy is None or not policy.nodes < 2 * policy.equal or not policy.equal <= nodes <= policy.nodes:
        raise MalformedError("chain.nodes", "chain: the profile's agreement can't be had of so many, or so few, nodes")
    return policy
