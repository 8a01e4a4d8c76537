"""The anchor contract on any EVM chain, through one or more JSON-RPC nodes. The only module that imports web3.

Nodes are asked, never believed: heads and evidence are proved against the trust profile, one node and one block number
at a time; what does not hold counts as a failed endpoint and the next one is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from anchors.contract import decode_bool, decode_revert
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, read_data, read_object, read_quantity
from anchors.node import Endpoint, check_network, latest_number, read_evidence, read_head
from anchors.ports import ChainHead, Displaced, Evidence, Included, Outcome, Pending, Quote, SignedTransaction
from anchors.profile import TrustProfile
from signing import JsonValue, LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError

_GAS_CAP: Final = 400_000
_T = TypeVar("_T")


def http_endpoint(url: str, *, timeout_seconds: float = 10) -> Endpoint:
    """A node behind an ``http(s)://`` URL; nothing is sent before the first call. Its name is host and port only."""
    provider = HTTPProvider(url, request_kwargs={"timeout": timeout_seconds}, exception_retry_configuration=None)
    parts = urlsplit(url)
    name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def call(method: str, params: Sequence[JsonValue]) -> Mapping[str, JsonValue]:
        try:
            return cast(Mapping[str, JsonValue], provider.make_request(RPCEndpoint(method), list(params)))
        except (OSError, ValueError, Web3Exception) as error:  # requests' own errors are OSErrors
            raise UnavailableError("chain.unreachable", f"{name}: {method}: {type(error).__name__}") from None

    return Endpoint(name, call)


class EvmChain:
    """``anchors.ports.Chain`` over JSON-RPC. Stateless but for remembering which endpoints are of the right network."""

    def __init__(self, endpoints: Sequence[Endpoint], profile: TrustProfile, *, contract: bytes | None = None) -> None:
        """``contract``: one of the profile's addresses; the last one listed if not given."""
        if not endpoints:
            raise MalformedError("chain.no-endpoint", "chain: at least one endpoint is needed")
        self._endpoints = tuple(endpoints)
        self._profile = profile
        self._contract = profile.contracts[-1].address if contract is None else contract
        self._checked: set[str] = set()

    def _on(self, endpoint: Endpoint, action: Callable[[Endpoint], _T]) -> _T:
        """Run ``action`` on one endpoint of the right network; evidence that does not hold is the endpoint's fault."""
        if endpoint.name not in self._checked:
            check_network(endpoint, self._profile)
            self._checked.add(endpoint.name)
        try:
            return action(endpoint)
        except (RefusedError, UnavailableError):
            raise
        except (MalformedError, VerificationError) as error:
            if error.code == "anchor.absent":
                raise
            raise UnavailableError("chain.bad-evidence", f"{endpoint.name}: {error.code}: {error}") from None

    def _each(self, action: Callable[[Endpoint], _T]) -> tuple[list[_T], list[UnavailableError]]:
        answers: list[_T] = []
        failures: list[UnavailableError] = []
        for endpoint in self._endpoints:
            try:
                answers.append(self._on(endpoint, action))
            except UnavailableError as error:
                failures.append(error)
        return answers, failures

    def _first(self, action: Callable[[Endpoint], _T]) -> _T:
        failures: list[UnavailableError] = []
        for endpoint in self._endpoints:
            try:
                return self._on(endpoint, action)
            except UnavailableError as error:
                failures.append(error)
        raise _no_answer(failures)

    def head(self, origin: str) -> ChainHead:
        """See ``Chain.head``; all endpoints are asked and the newest block wins, so that one lagging node misleads."""
        answers, failures = self._each(lambda node: read_head(node, self._profile, self._contract, origin))
        if not answers:
            raise _no_answer(failures)
        return max(answers, key=lambda head: head.as_of_block)

    def quote(self, sender: bytes, calldata: bytes) -> Quote:
        """See ``Chain.quote``; gas is the node's estimate and a fifth more, at most 400,000."""
        call: dict[str, JsonValue] = {
            "from": to_hex(sender),
            "to": to_hex(self._contract),
            "data": to_hex(calldata),
        }

        def ask(node: Endpoint) -> Quote:
            nonce = read_quantity(node.call("eth_getTransactionCount", to_hex(sender), "latest"), "nonce")
            try:
                decode_bool(read_data(node.call("eth_call", call, "latest"), "eth_call"))
                gas = read_quantity(node.call("eth_estimateGas", call), "eth_estimateGas")
            except NodeError as error:
                if error.data is None:
                    raise
                raise _refusal(error.data) from None
            return Quote(nonce, min(_GAS_CAP, gas + gas // 5))

        return self._first(ask)

    def submit(self, transaction: SignedTransaction) -> None:
        """See ``Chain.submit``; a refusal is believed only if the node does not know the transaction."""

        def send(node: Endpoint) -> NodeError | None:
            try:
                node.call("eth_sendRawTransaction", to_hex(transaction.raw))
            except NodeError as error:
                known = node.call("eth_getTransactionByHash", to_hex(transaction.tx_hash))
                return error if known is None else None
            return None

        answers, failures = self._each(send)
        if not answers:
            raise _no_answer(failures)
        refusals = [answer for answer in answers if answer is not None]
        if len(refusals) == len(answers):
            raise RefusedError("chain.refused", str(refusals[-1]))

    def outcome(self, transaction: SignedTransaction) -> Outcome:
        """See ``Chain.outcome``; "displaced" only if every endpoint that answers says so."""

        def ask(node: Endpoint) -> Outcome:
            # the nonce first: if the transaction is mined between the two calls, its receipt is there
            count = node.call("eth_getTransactionCount", to_hex(transaction.sender), "latest")
            used = read_quantity(count, "nonce") > transaction.nonce
            receipt = node.call("eth_getTransactionReceipt", to_hex(transaction.tx_hash))
            if receipt is None:
                return Displaced() if used else Pending()
            return _included(read_object(receipt, "receipt"), transaction.tx_hash)

        answers, failures = self._each(ask)
        if not answers:
            raise _no_answer(failures)
        order = (Included, Pending, Displaced)
        return min(answers, key=lambda answer: order.index(type(answer)))

    def evidence(self, origin: str, size: int, *, block_number: int | None = None) -> Evidence:
        """See ``Chain.evidence``."""

        def ask(node: Endpoint) -> Evidence:
            number = latest_number(node) if block_number is None else block_number
            return read_evidence(node, self._profile, self._contract, origin, size, number)

        return self._first(ask)


def _no_answer(failures: Sequence[LedgerError]) -> UnavailableError:
    return UnavailableError(failures[-1].code, "; ".join(str(failure) for failure in failures))


def _refusal(data: bytes) -> RefusedError:
    revert = decode_revert(data)
    word = revert.name.name.lower().replace("_", "-")
    return RefusedError(f"contract.{word}", f"the anchor contract refuses: {revert.name.value or 'no reason given'}")


def _included(receipt: Mapping[str, JsonValue], tx_hash: bytes) -> Included:
    if read_data(receipt.get("transactionHash"), "receipt") != tx_hash:
        raise UnavailableError("chain.bad-answer", "the node gave the receipt of another transaction")
    return Included(
        block_number=read_quantity(receipt.get("blockNumber"), "receipt block number"),
        block_hash=read_data(receipt.get("blockHash"), "receipt block hash", length=32),
        succeeded=read_quantity(receipt.get("status"), "receipt status") == 1,
    )
