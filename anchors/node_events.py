"""Events of the anchor contract, in windows small enough for every node.

FISCO BCOS cuts a longer range silently. So an event that is found says something; one that is not found says nothing.
"""

from collections.abc import Iterator
from typing import Final

from anchors.contract import ANCHORED_TOPIC, Anchored, decode_event
from anchors.hexdata import to_hex
from anchors.jsonrpc import bad_answer, read_data, read_object, read_quantity
from anchors.node import Endpoint
from signing import JsonValue, MalformedError

LOG_WINDOW: Final = 10
"""Blocks per query: FISCO BCOS's default of ``filter_max_process_block``."""


def read_anchored(
    endpoint: Endpoint, contract: bytes, origin: bytes, first: int, last: int
) -> Iterator[tuple[int, Anchored]]:
    """The ``Anchored`` events of an origin (its id) in blocks ``first`` to ``last``, with their blocks, in order.

    Raises UnavailableError, also for logs that were not asked for.
    """
    for start in range(first, last + 1, LOG_WINDOW):
        stop = min(start + LOG_WINDOW - 1, last)
        wanted: JsonValue = {
            "address": to_hex(contract),
            "topics": [to_hex(ANCHORED_TOPIC), to_hex(origin)],
            "fromBlock": hex(start),
            "toBlock": hex(stop),
        }
        logs = endpoint.call("eth_getLogs", wanted)
        if not isinstance(logs, list):
            raise bad_answer("eth_getLogs")
        for log in logs:
            number, event = _read_log(log, contract)
            if event.origin != origin or not start <= number <= stop:
                raise bad_answer("eth_getLogs")
            yield number, event


def _read_log(value: JsonValue, contract: bytes) -> tuple[int, Anchored]:
    log = read_object(value, "eth_getLogs")
    topics = log.get("topics")
    if not isinstance(topics, list) or read_data(log.get("address"), "log address") != contract:
        raise bad_answer("eth_getLogs")
    try:
        event = decode_event([read_data(topic, "topic") for topic in topics], read_data(log.get("data"), "log data"))
    except MalformedError:
        raise bad_answer("eth_getLogs") from None
    if not isinstance(event, Anchored):
        raise bad_answer("eth_getLogs")
    return read_quantity(log.get("blockNumber"), "log block"), event
