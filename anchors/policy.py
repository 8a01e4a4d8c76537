"""When a checkpoint is due to be anchored: after so many seconds, so many entries, or at once when asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnchorPolicy:
    """Anchor what is new every ``seconds``, and before that once ``entries`` wait. The default: whatever is new."""

    seconds: int = 0
    entries: int = 1


@dataclass(frozen=True, slots=True)
class Anchored:
    """The newest submission that ended on the chain: its size, and when its checkpoint was chosen (unix seconds)."""

    size: int = 0
    planned_at: int = 0


def is_due(policy: AnchorPolicy, *, log_size: int, last: Anchored, now: int, requested: bool = False) -> bool:
    """Whether a checkpoint of ``log_size`` entries is to be anchored now. A log without anything new is never due."""
    new = log_size - last.size
    return new > 0 and (requested or new >= policy.entries or now - last.planned_at >= policy.seconds)
