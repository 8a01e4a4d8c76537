"""JSON-RPC: transactions and their receipts."""

from anchors.devchain import params, records
from anchors.devchain.blocks import Block, IncludedTransaction
from anchors.devchain.formats import hex_quantity, mined_transaction_json, receipt_json, waiting_transaction_json
from anchors.devchain.params import Params, param
from anchors.devchain.view import View
from signing.strict_json import JsonValue


def get_transaction_by_hash(view: View, given: Params) -> JsonValue:
    """``eth_getTransactionByHash``: mined, waiting (its block fields are null), or null."""
    transaction_hash = params.data(param(given, 0), length=32)
    mined = _mined(view, transaction_hash)
    if mined is not None:
        return mined_transaction_json(*mined)
    waiting = view.find_waiting(transaction_hash)
    return None if waiting is None else waiting_transaction_json(waiting)


def get_transaction_receipt(view: View, given: Params) -> JsonValue:
    """``eth_getTransactionReceipt``: null unless mined."""
    mined = _mined(view, params.data(param(given, 0), length=32))
    return None if mined is None else receipt_json(*mined)


def _mined(view: View, transaction_hash: bytes) -> tuple[Block, IncludedTransaction] | None:
    place = records.number_of_transaction(view.connection, transaction_hash)
    if place is None:
        return None
    number, position = place
    block = view.block(hex_quantity(number))
    return block, block.transactions[position]
