"""How the nodes of a chain do: what is remembered of each, as pure values, and one look at a node.

A node that fails is rested, a little longer each time, and asked again: never removed. One that said something false
rests longer and is shown as such. Stop-watch seconds (``at``) measure rests; ``now`` is unix time, for ages of blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from signing import LedgerError

LAG_BLOCKS: Final = 10
"""So many blocks behind the best node, a node is left alone for a while."""

_FALSE: Final = frozenset(
    {"chain.wrong-network", "chain.bad-evidence", "chain.bad-answer", "chain.nonce", "chain.receipt"}
)
_OUTAGES: Final = frozenset({"chain.unreachable", "chain.node-error"})
_REST_MAX_SECONDS: Final = 300
_FALSE_REST_SECONDS: Final = 30
_EXPONENT_MAX: Final = 16


class Standing(StrEnum):
    """Where a node stands: not asked yet, fine, resting after a failure, or found out in something false."""

    UNASKED = "unasked"
    OK = "ok"
    RESTING = "resting"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """What is remembered of one node; ``code`` and ``detail`` of the last failure are None and empty if it is fine."""

    name: str
    standing: Standing = Standing.UNASKED
    code: str | None = None
    detail: str = ""
    failures: int = 0
    rest_until: float = 0
    head_number: int | None = None
    head_time: int | None = None
    latency_ms: int | None = None

    def awake(self, at: float) -> bool:
        """Whether it may be asked now."""
        return at >= self.rest_until


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One node as it is shown to people and to metrics.

    ``failures`` in a row; ``rest_seconds`` until it is asked again while others answer; ``head_age`` in seconds, by its
    newest sealed block; ``lag`` in blocks behind the best node. None: not known.
    """

    name: str
    standing: Standing
    code: str | None
    detail: str
    failures: int
    rest_seconds: int
    head_number: int | None
    head_age: int | None
    lag: int | None
    latency_ms: int | None


def answered(record: EndpointRecord, *, at: float) -> EndpointRecord:
    """It gave an answer that held: an outage is over; who was found out in something is shown until its rest ends."""
    if record.code is not None and record.code not in _OUTAGES and not record.awake(at):
        return record
    return replace(record, standing=Standing.OK, code=None, detail="", failures=0, rest_until=0)


def failed(record: EndpointRecord, error: LedgerError, *, at: float) -> EndpointRecord:
    """It gave none, or one that did not hold: rest it, twice as long each time, up to five minutes."""
    false = error.code in _FALSE
    pause = (_FALSE_REST_SECONDS if false else 1) * 2 ** min(record.failures, _EXPONENT_MAX)
    return replace(
        record,
        standing=Standing.WRONG if false else Standing.RESTING,
        code=error.code,
        detail=str(error),
        failures=record.failures + 1,
        rest_until=at + min(pause, _REST_MAX_SECONDS),
    )


def saw_head(record: EndpointRecord, number: int, time: int) -> EndpointRecord:
    """Its newest sealed block: number and unix time."""
    return replace(record, head_number=number, head_time=time)


def took(record: EndpointRecord, seconds: float) -> EndpointRecord:
    """How long its last answer took."""
    return replace(record, latency_ms=round(seconds * 1000))


def order(records: Sequence[EndpointRecord], *, at: float) -> tuple[list[int], list[int]]:
    """Positions of the nodes to ask, in the order given; and of those that rest, the one to wake first at the front."""
    awake = [position for position, record in enumerate(records) if record.awake(at)]
    resting = [position for position, record in enumerate(records) if not record.awake(at)]
    return awake, sorted(resting, key=lambda position: records[position].rest_until)


def lagging(records: Sequence[EndpointRecord]) -> list[int]:
    """Positions of nodes whose newest block is more than LAG_BLOCKS behind the best."""
    best = max((record.head_number or 0 for record in records), default=0)
    return [
        position
        for position, record in enumerate(records)
        if record.head_number is not None and best - record.head_number > LAG_BLOCKS
    ]


def report(records: Sequence[EndpointRecord], *, now: int, at: float) -> tuple[EndpointHealth, ...]:
    """All nodes as of a moment."""
    best = max((record.head_number or 0 for record in records), default=0)
    return tuple(
        EndpointHealth(
            name=record.name,
            standing=record.standing,
            code=record.code,
            detail=record.detail,
            failures=record.failures,
            rest_seconds=max(0, round(record.rest_until - at)) if record.failures else 0,
            head_number=record.head_number,
            head_age=None if record.head_time is None else max(0, now - record.head_time),
            lag=None if record.head_number is None else best - record.head_number,
            latency_ms=record.latency_ms,
        )
        for record in records
    )
