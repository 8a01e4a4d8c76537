"""What JSON-RPC nodes answer, read without believing it: quantities, bytes, and headers rebuilt from block JSON.

An answer that is not of the form says nothing about the chain: every such case is UnavailableError
(``chain.bad-answer``), never a default value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from anchors.strict_rlp import rlp_encode
from signing import JsonValue, MalformedError, UnavailableError, parse_json

Rpc = Callable[[str, Sequence[JsonValue]], Mapping[str, JsonValue]]
"""One call: (method, params) to the response object, with ``result`` or ``error``; may raise UnavailableError."""

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_DATA_MAX_CHARACTERS: Final = 2 + 2 * 64 * 1024
_MESSAGE_MAX_CHARACTERS: Final = 200

_HEADER_DATA: Final = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
)
_HEADER_NUMBERS: Final = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_HEADER_CLOSING: Final = ("extraData", "mixHash", "nonce")
_HEADER_TAIL: Final = (  # in the order of the forks that added them; a header has a prefix of this list
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
)


class NodeError(UnavailableError):
    """A node answered with a JSON-RPC error; ``data`` is its revert data, if it gave any."""

    def __init__(self, method: str, message: str, data: bytes | None) -> None:
        shown = ascii(message)[:_MESSAGE_MAX_CHARACTERS]
        super().__init__("chain.node-error", f"{method}: the node answered: {shown}")
        self.data = data


def bad_answer(what: str) -> UnavailableError:
    """The error for an answer that is not of the form."""
    return UnavailableError("chain.bad-answer", f"{what}: the node's answer is not of the form")


def read_quantity(value: object, what: str) -> int:
    """A ``0x`` quantity as an integer (leading zeros are let pass: some nodes write them)."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise bad_answer(what)
    return int(value, 16)


def read_data(value: object, what: str, *, length: int | None = None) -> bytes:
    """``0x`` bytes of any letter case, of exactly ``length`` bytes if that is given."""
    if not isinstance(value, str) or len(value) > _DATA_MAX_CHARACTERS or not _DATA.fullmatch(value):
        raise bad_answer(what)
    data = bytes.fromhex(value[2:])
    if length is not None and len(data) != length:
        raise bad_answer(what)
    return data


def read_object(value: object, what: str) -> Mapping[str, JsonValue]:
    """A JSON object."""
    if not isinstance(value, Mapping):
        raise bad_answer(what)
    return value


def read_nodes(value: object, what: str) -> list[bytes]:
    """A list of trie nodes."""
    if not isinstance(value, list):
        raise bad_answer(what)
    return [read_data(item, what) for item in value]


def _revert_data(error: Mapping[str, JsonValue]) -> bytes | None:
    data = error.get("data")
    if isinstance(data, Mapping):  # some clients wrap it once more
        data = data.get("data")
    if isinstance(data, str):
        match = re.search(r"0x(?:[0-9a-fA-F]{2})*", data)  # and some put words before it
        return None if match is None else bytes.fromhex(match.group()[2:])
    return None


def read_result(method: str, response: object) -> JsonValue:
    """The ``result`` of a response; raises NodeError when the node answered with an error."""
    members = read_object(response, method)
    error = members.get("error")
    if error is not None:
        detail = error if isinstance(error, Mapping) else {}
        raise NodeError(method, str(detail.get("message", "no message")), _revert_data(detail))
    if "result" not in members:
        raise bad_answer(method)
    return members["result"]


def read_response(request: bytes, answer: bytes) -> Mapping[str, JsonValue]:
    """The response object to the request that was sent; raises UnavailableError (``chain.bad-answer``).

    Strict JSON, no member twice, nesting bounded, JSON-RPC 2.0, the request's own id (an error may be without one).
    """
    try:
        sent = read_object(parse_json(request, what="JSON-RPC request", max_bytes=len(request)), "request")
        members = read_object(parse_json(answer, what="JSON-RPC answer", max_bytes=len(answer)), "answer")
    except MalformedError as error:
        raise UnavailableError("chain.bad-answer", str(error)) from None
    failed = members.get("error") is not None
    same_id = members.get("id") == sent["id"] and not isinstance(members.get("id"), bool)
    if members.get("jsonrpc") != "2.0" or not (same_id or (failed and members.get("id") is None)):
        raise UnavailableError("chain.bad-answer", "the answer is not to this request")
    return members


def rebuild_header(block: Mapping[str, JsonValue]) -> bytes:
    """Raw RLP header from block JSON, for nodes without ``debug_getRawHeader``; only its hash shows if it is right."""

    def number(name: str) -> bytes:
        value = read_quantity(block.get(name), name)
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    fields = [read_data(block.get(name), name) for name in _HEADER_DATA]
    fields += [number(name) for name in _HEADER_NUMBERS]
    fields += [read_data(block.get(name), name) for name in _HEADER_CLOSING]
    for name, is_number in _HEADER_TAIL:
        if block.get(name) is None:
            break
        fields.append(number(name) if is_number else read_data(block[name], name))
    return rlp_encode(fields)
