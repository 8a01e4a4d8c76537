"""The anchor contract on any EVM chain, through one or more JSON-RPC nodes. The only module that imports web3.

Nodes are asked, never believed: heads, nonces and evidence are proved against the trust profile, one node and one block
number at a time; what does not hold counts as a failed endpoint and the next one is asked.
"""

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from anchors.fisco import FiscoChain
from anchors.health import EndpointHealth
from anchors.jsonrpc import read_response
from anchors.node import Endpoint
from anchors.node_blocks import ChainMemory, SealedBlock
from anchors.node_state import DatedHead, StateReader
from anchors.outcome import outcome_of
from anchors.pool import EndpointPool
from anchors.ports import ChainHead, Displaced, Evidence, Included, Outcome, Pending, Quote, SignedTransaction
from anchors.profile import Consensus, TrustProfile
from anchors.quoting import quote_call
from anchors.rpc_http import HttpNode
from anchors.sending import send_to_all
from signing import JsonValue, RefusedError, UnavailableError, VerificationError

_OUTCOMES: Final = (Included, Pending, Displaced)


class NodeProvider(JSONBaseProvider):
    """web3's provider for one node, with every answer bounded and read strictly; no retries, batches or caches."""

    def __init__(self, node: HttpNode, timeout_seconds: float) -> None:
        super().__init__()
        self._node = node
        self._timeout_seconds = timeout_seconds

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One call; raises UnavailableError (``chain.unreachable``, ``chain.bad-answer``)."""
        request = self.encode_rpc_request(method, params)
        answer = self._node.post(request, timeout_seconds=self._timeout_seconds)
        return cast(RPCResponse, read_response(request, answer))


def http_endpoint(url: str, *, timeout_seconds: float = 10, tls: ssl.SSLContext | None = None) -> Endpoint:
    """A node behind an ``http(s)://`` URL; nothing is sent before the first call. Its name is host and port only.

    ``timeout_seconds`` is for a whole call. Raises MalformedError (``chain.url``).
    """
    node = HttpNode.of_url(url, tls=tls)
    provider = NodeProvider(node, timeout_seconds)

    def call(method: str, params: Sequence[JsonValue]) -> Mapping[str, JsonValue]:
        try:
            return cast(Mapping[str, JsonValue], provider.make_request(RPCEndpoint(method), list(params)))
        except UnavailableError as error:
            raise UnavailableError(error.code, f"{node.name}: {method}: {error}") from None

    return Endpoint(node.name, call)


class EvmChain:
    """``anchors.ports.Chain`` over JSON-RPC. Remembers how its endpoints do, and which sealed blocks it saw."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        profile: TrustProfile,
        *,
        contract: bytes | None = None,
        clock: Callable[[], int] | None = None,
        max_head_age: int | None = None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """``contract``: one of the profile's addresses; the last one listed if not given.

        With ``clock`` (unix seconds) and ``max_head_age`` (seconds; for chains that make blocks without transactions),
        a head older than that is not believed to be the newest (``chain.stale-head``).
        """
        self._pool = EndpointPool(endpoints, profile, stopwatch)
        self._profile = profile
        self._contract = profile.contracts[-1].address if contract is None else contract
        self._memory = ChainMemory(profile)
        self._clock = clock
        self._max_head_age = max_head_age

    def head(self, origin: str) -> ChainHead:
        """See ``Chain.head``; all endpoints are asked and the newest block wins, so that no lagging node misleads."""

        def ask(node: Endpoint) -> DatedHead:
            dated = self._reader(node).head(origin)
            self._check_age(dated)
            return dated

        heads = self._pool.each(ask).values
        for position, dated in heads.items():
            self._pool.note_head(position, dated.head.as_of_block, dated.time)
        self._pool.rest_the_lagging()
        return max((dated.head for dated in heads.values()), key=lambda head: head.as_of_block)

    def quote(self, sender: bytes, calldata: bytes) -> Quote:
        """See ``Chain.quote``; a refusal is believed if every endpoint that answers refuses."""

        def ask(node: Endpoint) -> Quote | RefusedError:
            try:
                return quote_call(self._reader(node), self._contract, sender, calldata)
            except RefusedError as error:
                return error

        refusals: dict[int, RefusedError] = {}

        def first_quote(position: int, answer: Quote | RefusedError) -> bool:
            if isinstance(answer, RefusedError):
                refusals[position] = answer
            return isinstance(answer, Quote)

        answer = self._pool.until(ask, first_quote)
        if isinstance(answer, RefusedError):
            raise answer
        for position, refusal in refusals.items():
            error = UnavailableError("chain.disagreement", f"{self._pool.name(position)}: alone says: {refusal}")
            self._pool.note_failure(position, error)
        return answer

    def submit(self, transaction: SignedTransaction) -> tuple[str, ...]:
        """See ``Chain.submit``."""
        return send_to_all(self._pool, transaction)

    def outcome(self, transaction: SignedTransaction) -> Outcome:
        """See ``Chain.outcome``; what one endpoint proves counts for more than what another does not know yet."""
        answers = self._pool.each(lambda node: outcome_of(self._reader(node), transaction)).values.values()
        return min(answers, key=lambda answer: _OUTCOMES.index(type(answer)))

    def evidence(self, origin: str, size: int, *, block_number: int | None = None) -> Evidence:
        """See ``Chain.evidence``; a proved absence is believed if no endpoint proves the contrary."""

        def ask(node: Endpoint) -> Evidence | VerificationError:
            reader = self._reader(node)
            block = reader.blocks.newest() if block_number is None else reader.blocks.block(block_number)
            try:
                return reader.evidence(origin, size, block)
            except VerificationError as error:
                if error.code != "anchor.absent":
                    raise
                return error

        answer = self._pool.until(ask, lambda _, given: isinstance(given, Evidence))
        if isinstance(answer, VerificationError):
            raise answer
        return answer

    def check(self, now: int) -> tuple[EndpointHealth, ...]:
        """Ask every endpoint for its newest block, resting or not, and say how they do. Never raises for a node.

        Raises EquivocationError.
        """
        newest: dict[int, SealedBlock] = self._pool.all(lambda node: self._reader(node).blocks.newest()).values
        for position, block in newest.items():
            self._pool.note_head(position, block.number, block.sealed.header.timestamp)
        if self._memory.sealed is not None and len(newest) > 1:  # let them show one block all, to be compared
            lowest = min(block.number for block in newest.values())
            self._pool.all(lambda node: self._reader(node).blocks.block(lowest), positions=newest)
        self._pool.rest_the_lagging()
        return self.health(now)

    def health(self, now: int) -> tuple[EndpointHealth, ...]:
        """How the endpoints do as far as is known; asks nobody."""
        return self._pool.health(now)

    def _reader(self, node: Endpoint) -> StateReader:
        return StateReader(node, self._profile, self._contract, self._memory)

    def _check_age(self, dated: DatedHead) -> None:
        if self._clock is None or self._max_head_age is None:
            return
        age = self._clock() - dated.time
        if age > self._max_head_age:
            raise UnavailableError("chain.stale-head", f"the newest block is {age} s old")


NodeChain = EvmChain | FiscoChain
"""A chain behind nodes: ``anchors.ports.Chain``, and ``check`` and ``health`` of its endpoints."""


def connect_chain(
    endpoints: Sequence[Endpoint],
    profile: TrustProfile,
    *,
    contract: bytes | None = None,
    clock: Callable[[], int] | None = None,
    max_head_age: int | None = None,
) -> NodeChain:
    """The chain of a profile: by proofs where there are any, by agreement of nodes on FISCO BCOS.

    The arguments are those of ``EvmChain``. Raises MalformedError (``chain.no-endpoint``, ``chain.nodes``).
    """
    if profile.consensus is Consensus.FISCO:
        return FiscoChain(endpoints, profile, contract=contract)
    return EvmChain(endpoints, profile, contract=contract, clock=clock, max_head_age=max_head_age)
