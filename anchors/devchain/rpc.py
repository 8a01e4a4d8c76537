"""JSON-RPC 2.0: the methods by name, responses, and request bodies as they come over HTTP.

Nothing here opens a socket: ``api`` serves ``answer_body`` on loopback, and the EVM client calls ``answer`` in process.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

from anchors.devchain import rpc_blocks, rpc_logs, rpc_state, rpc_transactions
from anchors.devchain.params import Params
from anchors.devchain.rpc_errors import (
    EXCEEDS_BATCH_SIZE,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    ErrorKind,
    RpcError,
)
from anchors.devchain.view import View
from signing.errors import MalformedError
from signing.strict_json import JsonValue, dump_json, parse_json

MAX_BODY_BYTES: Final = 5 << 20
MAX_BATCH: Final = 1024

SEND_RAW_TRANSACTION: Final = "eth_sendRawTransaction"
READS: Final[Mapping[str, Callable[[View, Params], JsonValue]]] = {
    "web3_clientVersion": rpc_blocks.client_version,
    "net_version": rpc_blocks.net_version,
    "eth_chainId": rpc_blocks.chain_id,
    "eth_syncing": rpc_blocks.syncing,
    "eth_blockNumber": rpc_blocks.block_number,
    "eth_getBlockByNumber": rpc_blocks.get_block_by_number,
    "eth_getBlockByHash": rpc_blocks.get_block_by_hash,
    "debug_getRawHeader": rpc_blocks.get_raw_header,
    "qbft_getValidatorsByBlockNumber": rpc_blocks.get_validators,
    "eth_gasPrice": rpc_state.gas_price,
    "eth_getBalance": rpc_state.get_balance,
    "eth_getTransactionCount": rpc_state.get_transaction_count,
    "eth_getCode": rpc_state.get_code,
    "eth_getStorageAt": rpc_state.get_storage_at,
    "eth_getProof": rpc_state.get_proof,
    "eth_call": rpc_state.call,
    "eth_estimateGas": rpc_state.estimate_gas,
    "eth_getTransactionByHash": rpc_transactions.get_transaction_by_hash,
    "eth_getTransactionReceipt": rpc_transactions.get_transaction_receipt,
    "eth_getLogs": rpc_logs.get_logs,
}

Response = dict[str, JsonValue]
Dispatch = Callable[[str, Params], Response]


def answer(run: Callable[[], JsonValue], *, request_id: JsonValue = 1) -> Response:
    """Wrap what a method returns, or the RpcError it raises, as a response."""
    try:
        return {"jsonrpc": "2.0", "id": request_id, "result": run()}
    except RpcError as error:
        return _failure(error.kind, request_id, data=error.data)
    except sqlite3.Error:
        return _failure(INTERNAL_ERROR, request_id)


def read_method(name: str) -> Callable[[View, Params], JsonValue]:
    """Return the method of that name. Raises RpcError "Method not found"."""
    method = READS.get(name)
    if method is None:
        raise RpcError(METHOD_NOT_FOUND)
    return method


def answer_body(dispatch: Dispatch, body: bytes) -> bytes:
    """Answer one HTTP body, a request or a batch; empty if all of it were notifications.

    At most MAX_BODY_BYTES and MAX_BATCH requests. UnavailableError of ``dispatch`` passes through.
    """
    try:
        request = parse_json(body, what="JSON-RPC request", max_bytes=MAX_BODY_BYTES)
    except MalformedError:
        return dump_json(_failure(PARSE_ERROR, None))
    if isinstance(request, list):
        if not request:
            return dump_json(_failure(INVALID_REQUEST, None))
        if len(request) > MAX_BATCH:
            return dump_json(_failure(EXCEEDS_BATCH_SIZE, None))
        responses: list[JsonValue] = [one for one in (_answer_request(dispatch, r) for r in request) if one]
        return dump_json(responses) if responses else b""
    response = _answer_request(dispatch, request)
    return b"" if response is None else dump_json(response)


def _answer_request(dispatch: Dispatch, request: JsonValue) -> Response | None:
    if not isinstance(request, dict):
        return _failure(INVALID_REQUEST, None)
    request_id, method, params = request.get("id"), request.get("method"), request.get("params", [])
    if isinstance(request_id, list | dict | bool) or not isinstance(method, str):
        return _failure(INVALID_REQUEST, None)
    if not isinstance(params, list):
        return _failure(INVALID_PARAMS, request_id)
    response = dispatch(method, params)
    return {**response, "id": request_id} if "id" in request else None


def _failure(kind: ErrorKind, request_id: JsonValue, *, data: str | None = None) -> Response:
    error: dict[str, JsonValue] = {"code": kind.code, "message": kind.message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}
