"""Handing raw transactions to every endpoint. Whether one was taken is never read from an error text."""

from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, bad_answer, read_data
from anchors.node import Endpoint
from anchors.pool import EndpointPool
from anchors.ports import SignedTransaction
from signing import RefusedError

_LOOKS = ("eth_getTransactionByHash", "eth_getTransactionReceipt")


def send_to(node: Endpoint, transaction: SignedTransaction) -> NodeError | None:
    """Hand it to one node: None if the node holds it now or has mined it, else what the node answered.

    Raises UnavailableError if the node gave no answer, or the hash of something else.
    """
    try:
        answer = node.call("eth_sendRawTransaction", to_hex(transaction.raw))
    except NodeError as error:
        known = any(node.call(method, to_hex(transaction.tx_hash)) is not None for method in _LOOKS)
        return None if known else error
    if read_data(answer, "eth_sendRawTransaction", length=32) != transaction.tx_hash:
        raise bad_answer("eth_sendRawTransaction")
    return None


def send_to_all(pool: EndpointPool, transaction: SignedTransaction) -> tuple[str, ...]:
    """See ``Chain.submit``."""
    answers = pool.each(lambda node: send_to(node, transaction)).values
    holders = tuple(pool.name(position) for position, refusal in answers.items() if refusal is None)
    if not holders:
        refusals = [f"{pool.name(position)}: {refusal}" for position, refusal in answers.items()]
        raise RefusedError("chain.refused", "; ".join(refusals))
    return holders
