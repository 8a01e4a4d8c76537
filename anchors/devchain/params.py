"""Reading JSON-RPC parameters. Anything unexpected is RpcError "Invalid params"."""

import re
from collections.abc import Sequence
from typing import Final

from anchors.devchain.rpc_errors import INVALID_PARAMS, RpcError
from signing.strict_json import JsonValue

Params = Sequence[JsonValue]

_QUANTITY: Final = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_SLOT: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def param(params: Params, index: int, default: JsonValue = None) -> JsonValue:
    """Return a positional parameter, or ``default`` if it was left out."""
    return params[index] if index < len(params) else default


def quantity(value: JsonValue) -> int:
    """Read a number: 0x, no leading zeros."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise RpcError(INVALID_PARAMS)
    return int(value, 16)


def data(value: JsonValue, *, length: int | None = None) -> bytes:
    """Read bytes: 0x and an even number of digits; exactly ``length`` bytes if given."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise RpcError(INVALID_PARAMS)
    decoded = bytes.fromhex(value[2:])
    if length is not None and len(decoded) != length:
        raise RpcError(INVALID_PARAMS)
    return decoded


def address(value: JsonValue) -> bytes:
    """Read an address."""
    return data(value, length=20)


def slot(value: JsonValue) -> bytes:
    """Read a storage key; short ones are padded, for clients send both numbers and words."""
    if not isinstance(value, str) or not _SLOT.fullmatch(value):
        raise RpcError(INVALID_PARAMS)
    return int(value, 16).to_bytes(32, "big")


def items(value: JsonValue, *, maximum: int) -> list[JsonValue]:
    """Read an array of at most ``maximum`` items."""
    if not isinstance(value, list | tuple) or len(value) > maximum:
        raise RpcError(INVALID_PARAMS)
    return list(value)


def members(value: JsonValue) -> dict[str, JsonValue]:
    """Read an object; members that are null count as left out."""
    if not isinstance(value, dict):
        raise RpcError(INVALID_PARAMS)
    return {name: member for name, member in value.items() if member is not None}
