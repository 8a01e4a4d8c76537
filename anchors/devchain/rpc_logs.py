"""JSON-RPC: ``eth_getLogs``."""

from typing import Final

from anchors.devchain import params, records
from anchors.devchain.formats import log_json
from anchors.devchain.params import Params, param
from anchors.devchain.rpc_errors import EXCEEDS_LOG_RANGE, INVALID_PARAMS, RpcError
from anchors.devchain.view import View
from signing.strict_json import JsonValue

_MAX_BLOCKS: Final = 5000
_MAX_CHOICES: Final = 100
_MAX_TOPICS: Final = 4


def get_logs(view: View, given: Params) -> JsonValue:
    """``eth_getLogs``: by block hash or range, addresses and topics; at most 5000 blocks at once, Besu's default."""
    wanted = params.members(param(given, 0))
    first, last = _range(view, wanted)
    addresses = [params.address(one) for one in _choices(wanted.get("address", []))]
    topics = [
        [params.data(one, length=32) for one in _choices([] if choice is None else choice)]
        for choice in params.items(wanted.get("topics", []), maximum=_MAX_TOPICS)
    ]
    found = records.find_logs(view.connection, first, last, addresses)
    return [log_json(log) for log in found if _matches(log.log.topics, topics)]


def _range(view: View, wanted: dict[str, JsonValue]) -> tuple[int, int]:
    if "blockHash" in wanted:
        if "fromBlock" in wanted or "toBlock" in wanted:
            raise RpcError(INVALID_PARAMS)
        number = view.block({"blockHash": wanted["blockHash"]}).header.number
        return number, number
    first = view.number_of_tag(wanted.get("fromBlock", "latest"))
    last = min(view.number_of_tag(wanted.get("toBlock", "latest")), view.head_number())
    if last - first >= _MAX_BLOCKS:
        raise RpcError(EXCEEDS_LOG_RANGE)
    return min(first, last + 1), last


def _choices(value: JsonValue) -> list[JsonValue]:
    """One value or a list of alternatives; none means any."""
    return params.items(value if isinstance(value, list) else [value], maximum=_MAX_CHOICES)


def _matches(topics: tuple[bytes, ...], wanted: list[list[bytes]]) -> bool:
    if len(topics) < len(wanted):
        return False
    return all(not choice or topic in choice for topic, choice in zip(topics, wanted, strict=False))
