"""The endpoints of one chain together: whom to ask next, who is rested, who was found out.

Nodes are asked, never believed. Whatever an action can't prove of a node's answers counts as that node's failure, is
noted under its name, and the next node is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from anchors.equivocation import EquivocationError
from anchors.health import (
    EndpointHealth,
    EndpointRecord,
    answered,
    failed,
    lagging,
    order,
    report,
    saw_head,
    took,
)
from anchors.jsonrpc import Rpc
from anchors.node import Endpoint, check_network
from anchors.profile import TrustProfile
from signing import JsonValue, LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError

_T = TypeVar("_T")
Stopwatch = Callable[[], float]


class Answered(Generic[_T]):
    """What each node of a round said, by position, and why the others said nothing."""

    def __init__(self) -> None:
        self.values: dict[int, _T] = {}
        self.failures: list[UnavailableError] = []


class EndpointPool:
    """Keeps one record for each endpoint. Safe for threads: at worst a record misses one of two failures."""

    def __init__(self, endpoints: Sequence[Endpoint], profile: TrustProfile, stopwatch: Stopwatch) -> None:
        """Raises MalformedError (``chain.no-endpoint``)."""
        if not endpoints:
            raise MalformedError("chain.no-endpoint", "chain: at least one endpoint is needed")
        names = _unique([endpoint.name for endpoint in endpoints])
        self._profile = profile
        self._stopwatch = stopwatch
        self._records = [EndpointRecord(name) for name in names]
        self._endpoints = [
            Endpoint(name, self._timed(position, endpoint.rpc))
            for position, (name, endpoint) in enumerate(zip(names, endpoints, strict=True))
        ]
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return len(self._endpoints)

    def until(self, action: Callable[[Endpoint], _T], enough: Callable[[int, _T], bool]) -> _T:
        """The first answer that is ``enough`` (position, answer), else the last one that held.

        Endpoints that rest are asked when no other gave an answer. Raises UnavailableError naming every endpoint.
        """
        failures: list[UnavailableError] = []
        for group in order(self._records, at=self._stopwatch()):
            held: list[_T] = []
            for position in group:
                try:
                    held.append(self._ask(position, action))
                except UnavailableError as error:
                    failures.append(error)
                    continue
                if enough(position, held[-1]):
                    break
            if held:
                return held[-1]
        raise no_answer(failures)

    def each(self, action: Callable[[Endpoint], _T], *, at_least: int = 1) -> Answered[_T]:
        """The answers of all endpoints that are awake; of the resting ones too if those are not ``at_least`` so many.

        Raises UnavailableError naming every endpoint if none answered.
        """
        round_: Answered[_T] = Answered()
        for group in order(self._records, at=self._stopwatch()):
            for position in group:
                try:
                    round_.values[position] = self._ask(position, action)
                except UnavailableError as error:
                    round_.failures.append(error)
            if len(round_.values) >= at_least:
                return round_
        if not round_.values:
            raise no_answer(round_.failures)
        return round_

    def all(self, action: Callable[[Endpoint], _T], positions: Iterable[int] | None = None) -> Answered[_T]:
        """The answers of every endpoint (or of those at ``positions``), resting or not; there may be none.

        That they are of the right network is checked anew.
        """
        round_: Answered[_T] = Answered()
        self._checked.clear()
        for position in range(len(self._endpoints)) if positions is None else positions:
            try:
                round_.values[position] = self._ask(position, action)
            except UnavailableError as error:
                round_.failures.append(error)
        return round_

    def name(self, position: int) -> str:
        """The name of an endpoint."""
        return self._records[position].name

    def complaint(self, position: int) -> str:
        """Why an endpoint's last answer did not count; empty if it did."""
        return self._records[position].detail

    def position(self, name: str) -> int:
        """The position of an endpoint that ``name`` named."""
        return next(position for position, record in enumerate(self._records) if record.name == name)

    def note_head(self, position: int, number: int, time: int) -> None:
        """An endpoint proved its newest block."""
        self._records[position] = saw_head(self._records[position], number, time)

    def note_failure(self, position: int, error: LedgerError) -> None:
        """An endpoint's answer did not stand up to the others'."""
        self._checked.discard(position)
        self._records[position] = failed(self._records[position], error, at=self._stopwatch())

    def rest_the_lagging(self) -> None:
        """Leave those alone that are far behind the best."""
        for position in lagging(self._records):
            name = self.name(position)
            self.note_failure(position, UnavailableError("chain.stale-head", f"{name}: its newest block is an old one"))

    def health(self, now: int) -> tuple[EndpointHealth, ...]:
        """All endpoints as they were last seen; asks nobody."""
        return report(self._records, now=now, at=self._stopwatch())

    def _ask(self, position: int, action: Callable[[Endpoint], _T]) -> _T:
        """Run ``action`` on one endpoint of the right network; evidence that does not hold is the endpoint's failure.

        Refusals and validators that sealed two blocks are answers, not failures.
        """
        endpoint = self._endpoints[position]
        try:
            if position not in self._checked:
                check_network(endpoint, self._profile)
                self._checked.add(position)
            result = action(endpoint)
        except (RefusedError, EquivocationError):
            raise
        except UnavailableError as error:
            failure = _named(error, endpoint.name)
        except (MalformedError, VerificationError) as error:
            failure = UnavailableError("chain.bad-evidence", f"{endpoint.name}: {error.code}: {error}")
        else:
            self._records[position] = answered(self._records[position], at=self._stopwatch())
            return result
        self.note_failure(position, failure)
        raise failure

    def _timed(self, position: int, rpc: Rpc) -> Rpc:
        def call(method: str, params: Sequence[JsonValue]) -> Mapping[str, JsonValue]:
            started = self._stopwatch()
            response = rpc(method, params)
            self._records[position] = took(self._records[position], self._stopwatch() - started)
            return response

        return call


def no_answer(failures: Sequence[LedgerError]) -> UnavailableError:
    """One error for the failures of several endpoints."""
    return UnavailableError(failures[-1].code, "; ".join(str(failure) for failure in failures))


def _named(error: UnavailableError, name: str) -> UnavailableError:
    text = str(error)
    return UnavailableError(error.code, text if text.startswith(f"{name}:") else f"{name}: {text}")


def _unique(names: Sequence[str]) -> list[str]:
    """Two nodes behind one host and port get a number each: what is noted must say which."""
    seen: dict[str, int] = {}
    unique: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if names.count(name) == 1 else f"{name}#{seen[name]}")
    return unique
