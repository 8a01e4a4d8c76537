"""What became of a transaction, by one node: its receipt, held against sealed blocks and the sender's proved nonce.

Never judged by error texts: "already known" and "nonce too low" may both stand for a transaction that was taken.
"""

from collections.abc import Mapping

from anchors.hexdata import to_hex
from anchors.jsonrpc import read_data, read_object, read_quantity
from anchors.node_state import StateReader
from anchors.ports import Displaced, Included, Outcome, Pending, SignedTransaction
from signing import JsonValue, UnavailableError


def outcome_of(reader: StateReader, transaction: SignedTransaction) -> Outcome:
    """Included or displaced once it is proved; pending while it is not, or while the block is not final yet.

    Raises UnavailableError: ``chain.receipt`` for a receipt that does not hold, ``chain.nonce`` for an invented nonce.
    """
    node = reader.endpoint
    # the nonce first: if the transaction is mined between the two calls, its receipt is there
    used = count_at_latest(reader, transaction.sender) > transaction.nonce
    receipt = node.call("eth_getTransactionReceipt", to_hex(transaction.tx_hash))
    try:
        if receipt is not None:
            return _check_included(reader, read_included(receipt, transaction), transaction)
        if not used:
            return Pending()
        newest = reader.blocks.newest()
    except UnavailableError as error:
        if error.code == "chain.not-final":
            return Pending()
        raise
    if reader.nonce(transaction.sender, newest) > transaction.nonce:
        return Displaced()
    if reader.blocks.may_lag:
        return Pending()
    raise UnavailableError("chain.nonce", f"{node.name}: claims a nonce that its own state does not show")


def count_at_latest(reader: StateReader, sender: bytes) -> int:
    """The sender's next nonce at the newest block, by the node's word (``pending`` differs between nodes)."""
    return read_quantity(reader.endpoint.call("eth_getTransactionCount", to_hex(sender), "latest"), "nonce")


def read_included(receipt: JsonValue, transaction: SignedTransaction) -> Included:
    """The members that matter of a receipt; raises UnavailableError (``chain.receipt``) for another transaction's."""
    members: Mapping[str, JsonValue] = read_object(receipt, "receipt")
    if read_data(members.get("transactionHash"), "receipt") != transaction.tx_hash:
        raise UnavailableError("chain.receipt", "the node gave the receipt of another transaction")
    return Included(
        block_number=read_quantity(members.get("blockNumber"), "receipt block number"),
        block_hash=read_data(members.get("blockHash"), "receipt block hash", length=32),
        succeeded=read_quantity(members.get("status"), "receipt status") == 1,
        gas_used=read_quantity(members.get("gasUsed"), "receipt gas"),
    )


def _check_included(reader: StateReader, included: Included, transaction: SignedTransaction) -> Included:
    """The receipt's block must be sealed, and by the newest one the sender's nonce must be past the transaction's."""
    block = reader.blocks.block(included.block_number)
    if block.sealed.block_hash != included.block_hash:
        raise UnavailableError("chain.receipt", "the receipt is of a block that is not at its height")
    if reader.nonce(transaction.sender, reader.blocks.newest(at_least=block)) <= transaction.nonce:
        raise UnavailableError("chain.receipt", "the node shows a receipt, but its state knows no such transaction")
    return included
