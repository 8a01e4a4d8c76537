"""JSON-RPC error codes and texts as Hyperledger Besu gives them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One error of the table: JSON-RPC code and fixed text."""

    code: int
    message: str


class RpcError(Exception):
    """Ends a method; becomes the ``error`` of its response. ``data`` is revert data as 0x hex."""

    def __init__(self, kind: ErrorKind, data: str | None = None) -> None:
        super().__init__(kind.message)
        self.kind = kind
        self.data = data


PARSE_ERROR = ErrorKind(-32700, "Parse error")
INVALID_REQUEST = ErrorKind(-32600, "Invalid Request")
METHOD_NOT_FOUND = ErrorKind(-32601, "Method not found")
INVALID_PARAMS = ErrorKind(-32602, "Invalid params")
INVALID_TRANSACTION_TYPE = ErrorKind(-32602, "Invalid transaction type")
INTERNAL_ERROR = ErrorKind(-32603, "Internal error")
UNKNOWN_BLOCK = ErrorKind(-39001, "Unknown block")
BLOCK_NOT_FOUND = ErrorKind(-32000, "Block not found")
KNOWN_TRANSACTION = ErrorKind(-32000, "Known transaction")
REPLACEMENT_UNDERPRICED = ErrorKind(-32000, "Replacement transaction underpriced")
WRONG_CHAIN_ID = ErrorKind(-32000, "Wrong chainId")
CHAIN_ID_REQUIRED = ErrorKind(-32000, "ChainId is required")
NONCE_TOO_DISTANT = ErrorKind(-32000, "Transaction nonce is too distant from current sender nonce")
EXECUTION_REVERTED = ErrorKind(-32000, "Execution reverted")
EXECUTION_HALTED = ErrorKind(-32000, "Transaction processing could not be completed due to an exception")
READ_ONLY = ErrorKind(-32000, "This development chain is open read-only")
NONCE_TOO_LOW = ErrorKind(-32001, "Nonce too low")
INVALID_SIGNATURE = ErrorKind(-32002, "Invalid signature")
INTRINSIC_GAS_EXCEEDS_LIMIT = ErrorKind(-32003, "Intrinsic gas exceeds gas limit")
UPFRONT_COST_EXCEEDS_BALANCE = ErrorKind(-32004, "Upfront cost exceeds account balance")
EXCEEDS_BLOCK_GAS_LIMIT = ErrorKind(-32005, "Transaction gas limit exceeds block gas limit")
EXCEEDS_LOG_RANGE = ErrorKind(-32005, "Requested range exceeds maximum RPC range limit")
EXCEEDS_BATCH_SIZE = ErrorKind(-32005, "Number of requests exceeds max batch size")
