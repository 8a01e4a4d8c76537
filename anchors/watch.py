"""How far anchoring is behind, and when that is an alarm: pure, so that command, service and metrics say the same."""

from dataclasses import dataclass
from typing import Final

from anchors.outbox import HALTING, REORGANISED, State, Submission

LAG_ENTRIES: Final = "anchoring.lag-entries"
LAG_TIME: Final = "anchoring.lag-time"
EQUIVOCATION: Final = "chain.equivocation"
CONTRADICTIONS: Final = ("log.behind-chain", "log.fork")
"""The chain holds a larger or another tree than the log: what ``check_chain_head`` refuses."""

_LOUD: Final = HALTING | {
    "chain.nonce-taken",
    "contract.bad-consistency",
    "contract.conflict",
    EQUIVOCATION,
    REORGANISED,
}


@dataclass(frozen=True, slots=True)
class Lag:
    """What of the log is not proved to be on a chain: entries, and how old the oldest of them can be at most.

    The log keeps no times. ``seconds`` is counted from when all of it was last known to be anchored, or was first to
    be: the entry can't be older, but may be younger. None: nothing is known. Both are 0 if nothing is missing.
    """

    entries: int
    seconds: int | None


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """From which lag on there is an alarm. None: never."""

    entries: int | None
    seconds: int | None


def lag_of(log_size: int, anchored_size: int, *, covered_at: int | None, now: int) -> Lag:
    """The lag of one chain; ``covered_at`` (unix seconds): when all of the log was last known to be anchored."""
    entries = max(0, log_size - anchored_size)
    if not entries:
        return Lag(0, 0)
    return Lag(entries, None if not covered_at else max(0, now - covered_at))


def alarms(
    lag: Lag,
    submission: Submission | None,
    limits: AlarmLimits,
    *,
    equivocation: bool = False,
    looked: str | None = None,
) -> tuple[str, ...]:
    """Codes of everything that a person must look at, none if all is well.

    The lag, beyond a limit; an origin that halted or is in conflict; a nonce that somebody else used; a block that the
    chain lost after it was final; ``equivocation``: validators sealed two blocks, and nobody has reviewed it;
    ``looked``: the code of the last look at the chain, where that is one of CONTRADICTIONS.
    """
    found = []
    if limits.entries is not None and lag.entries > limits.entries:
        found.append(LAG_ENTRIES)
    if limits.seconds is not None and lag.seconds is not None and lag.seconds > limits.seconds:
        found.append(LAG_TIME)
    reason = None if submission is None else submission.reason
    if reason is not None and (reason in _LOUD or (submission is not None and submission.state is State.CONFLICT)):
        found.append(reason)
    if equivocation and EQUIVOCATION not in found:
        found.append(EQUIVOCATION)
    if looked in CONTRADICTIONS and looked not in found:
        found.append(looked)
    return tuple(found)
