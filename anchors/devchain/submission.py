"""May this raw transaction wait for a block? The checks of a node's transaction pool, with Besu's answers."""

from typing import Final

from anchors.devchain import records
from anchors.devchain.pool import Pool
from anchors.devchain.rpc_errors import (
    CHAIN_ID_REQUIRED,
    EXCEEDS_BLOCK_GAS_LIMIT,
    INTRINSIC_GAS_EXCEEDS_LIMIT,
    INVALID_PARAMS,
    INVALID_SIGNATURE,
    INVALID_TRANSACTION_TYPE,
    KNOWN_TRANSACTION,
    NONCE_TOO_DISTANT,
    NONCE_TOO_LOW,
    REPLACEMENT_UNDERPRICED,
    UPFRONT_COST_EXCEEDS_BALANCE,
    WRONG_CHAIN_ID,
    ErrorKind,
    RpcError,
)
from anchors.devchain.transactions import SignedTransaction, decode_transaction
from anchors.devchain.view import View
from signing.errors import MalformedError

MAX_NONCE_DISTANCE: Final = 200
_MALFORMED: Final[dict[str, ErrorKind]] = {
    "form.transaction.type": INVALID_TRANSACTION_TYPE,
    "form.transaction.signature": INVALID_SIGNATURE,
}


def check_submission(view: View, pool: Pool, raw: bytes) -> SignedTransaction:
    """Return the transaction if the pool may take it; else raise RpcError."""
    try:
        transaction = decode_transaction(raw)
    except MalformedError as error:
        raise RpcError(_MALFORMED.get(error.code, INVALID_PARAMS)) from error
    if transaction.chain_id is None:
        raise RpcError(CHAIN_ID_REQUIRED)
    if transaction.chain_id != view.chain_id:
        raise RpcError(WRONG_CHAIN_ID)
    _check_place(view, pool, transaction)
    _check_cost(view, transaction)
    return transaction


def _check_place(view: View, pool: Pool, transaction: SignedTransaction) -> None:
    waiting = pool.at(transaction.sender, transaction.nonce)
    mined = records.number_of_transaction(view.connection, transaction.hash)
    if mined is not None or (waiting is not None and waiting.hash == transaction.hash):
        raise RpcError(KNOWN_TRANSACTION)
    account_nonce = view.account(view.block("latest"), transaction.sender).nonce
    if transaction.nonce < account_nonce:
        raise RpcError(NONCE_TOO_LOW)
    if transaction.nonce - account_nonce > MAX_NONCE_DISTANCE:
        raise RpcError(NONCE_TOO_DISTANT)
    if waiting is not None:
        raise RpcError(REPLACEMENT_UNDERPRICED)


def _check_cost(view: View, transaction: SignedTransaction) -> None:
    head = view.block("latest")
    if transaction.gas > head.header.gas_limit:
        raise RpcError(EXCEEDS_BLOCK_GAS_LIMIT)
    if transaction.gas < transaction.message().intrinsic_gas():
        raise RpcError(INTRINSIC_GAS_EXCEEDS_LIMIT)
    cost = transaction.value + transaction.gas * transaction.gas_price
    if cost > view.account(head, transaction.sender).balance:
        raise RpcError(UPFRONT_COST_EXCEEDS_BALANCE)
