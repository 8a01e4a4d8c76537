"""One FISCO BCOS node through its web3 RPC (chain.md §2.6): what it says, read strictly and believed by nobody alone.

Block tags are ignored there, so every read is of the node's latest state. ``null`` may stand for an internal error: it
is read as "not said". Times may be in milliseconds.
"""

from dataclasses import dataclass
from typing import Final

from anchors.contract import (
    StoredAnchor,
    decode_anchored,
    decode_head,
    decode_revert,
    encode_anchored,
    encode_head,
    origin_id,
)
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, read_data, read_quantity
from anchors.node import Endpoint, latest_number, read_block, shown_hash
from anchors.node_events import read_anchored
from anchors.outcome import read_included
from anchors.ports import Displaced, NodeAnswer, Outcome, Pending, SignedTransaction
from anchors.quoting import refusal, simulate
from signing import RefusedError, UnavailableError

_MILLISECONDS: Final = 10**12
"""Times above are in milliseconds (seconds reach it in the year 33658)."""


@dataclass(frozen=True, slots=True)
class SaidHead:
    """The newest anchor by a node's word, and the node's newest block: its number and unix time."""

    size: int
    root: bytes
    number: int
    time: int


@dataclass(frozen=True, slots=True)
class Terms:
    """Next nonce, and gas price in wei, by a node's word; ``refusal`` is the contract's, None if the call passes."""

    nonce: int
    gas_price: int
    refusal: str | None


def seconds(time: int) -> int:
    """A block's time as unix seconds, whichever unit the node uses."""
    return time // 1000 if time > _MILLISECONDS else time


def block_time(node: Endpoint, number: int) -> int:
    """The time of a block."""
    return seconds(read_quantity(read_block(node, number).get("timestamp"), "block time"))


def block_hash(node: Endpoint, number: int) -> bytes:
    """The hash of a block; the header shown with it is invented, so it can't be checked."""
    return shown_hash(read_block(node, number))


def said_head(node: Endpoint, contract: bytes, origin: str) -> SaidHead:
    """The newest anchor. The block number first: the answer is of that block or of a later one."""
    number = latest_number(node)
    head = decode_head(_view(node, contract, encode_head(origin_id(origin))))
    return SaidHead(head.size, head.root, number, block_time(node, number))


def said_terms(node: Endpoint, contract: bytes, sender: bytes, calldata: bytes) -> tuple[Terms, int]:
    """What a call would need, and its gas limit (0 if refused), which may differ between nodes."""
    nonce = read_quantity(node.call("eth_getTransactionCount", to_hex(sender), "latest"), "nonce")
    price = read_quantity(node.call("eth_gasPrice"), "eth_gasPrice")
    try:
        return Terms(nonce, price, None), simulate(node, contract, sender, calldata)
    except NodeError as error:
        if error.data is None:
            raise
        return Terms(nonce, price, refusal(decode_revert(error.data)).code), 0


def said_refusal(code: str) -> RefusedError:
    """The contract's refusal, as enough nodes said it."""
    return RefusedError(code, "the anchor contract refuses, by the word of enough nodes")


def said_outcome(node: Endpoint, transaction: SignedTransaction) -> Outcome:
    """What became of a transaction. Displaced: the nonce is used, and the node knows no such transaction."""
    sender, tx_hash = to_hex(transaction.sender), to_hex(transaction.tx_hash)
    used = read_quantity(node.call("eth_getTransactionCount", sender, "latest"), "nonce") > transaction.nonce
    receipt = node.call("eth_getTransactionReceipt", tx_hash)
    if receipt is not None:
        return read_included(receipt, transaction)
    known = node.call("eth_getTransactionByHash", tx_hash) is not None
    return Displaced() if used and not known else Pending()


def said_anchor(node: Endpoint, contract: bytes, origin: str, size: int) -> NodeAnswer | None:
    """The anchor (origin, size), the hash of its block, and if the node shows one, an event that says the same.

    None if the node says there is none. Raises UnavailableError (``chain.bad-evidence``) if it contradicts itself.
    """
    name = origin_id(origin)
    stored: StoredAnchor | None = decode_anchored(_view(node, contract, encode_anchored(name, size)))
    if stored is None:
        return None
    number = stored.block_number
    for _, event in read_anchored(node, contract, name, number, number):
        if event.size == size and (event.root, event.anchorer) != (stored.root, stored.anchorer):
            raise UnavailableError("chain.bad-evidence", "the event says another anchor than the contract's state")
    return NodeAnswer(
        node=node.name,
        block_number=number,
        block_hash=block_hash(node, number),
        root=stored.root,
        stored_block=number,
        stored_time=seconds(stored.time),
        anchorer=stored.anchorer,
    )


def _view(node: Endpoint, contract: bytes, calldata: bytes) -> bytes:
    return read_data(node.call("eth_call", {"to": to_hex(contract), "data": to_hex(calldata)}, "latest"), "eth_call")
