"""The chain guards the log (ARCHITECTURE §5 rule 4): which head an append has to extend, and when it must not be made.

Before anything is signed, the head on every chain of the settings is proved and held against the log. A chain that
can't be asked is not an empty chain: then the head that was proved last counts, and, if the settings say how far the
log may run ahead of it, appends stop there (``log.chain-away``).
"""

from collections.abc import Collection

from anchors.guard import LagLimit, check_lag
from anchors.store import SqlAnchorProofs
from api.anchoring import anchor_scope, chain_of, chain_profiles, look_at_head
from api.settings import GuardSettings
from api.workspace import Workspace
from ledger import Checkpoint
from signing import UnavailableError


def guard_head(workspace: Workspace, now: int) -> Checkpoint | None:
    """The head that an append has to extend; None if no chain is known to hold anything.

    Raises VerificationError ``log.behind-chain`` or ``log.fork`` if a chain holds another log than ours,
    UnavailableError ``log.chain-away`` if no chain can be asked and the log is as far ahead as it may be.
    """
    if workspace.anchored_head is not None:
        return workspace.anchored_head()
    reached = False
    for name in workspace.settings.chains:
        try:
            with chain_of(workspace, now, name, writable=False) as chain:
                look_at_head(workspace, chain, now, name)
                reached = True
        except UnavailableError:
            continue  # reports say so; registration goes on with the head proved last
    return known_head(workspace, now, reached=reached)


def known_head(workspace: Workspace, now: int, *, reached: bool) -> Checkpoint | None:
    """The largest head that any chain was proved to hold; ``reached``: whether one could be asked just now."""
    limit = _limit(workspace.settings.guard)
    with workspace.database.read() as connection:
        proofs = [
            SqlAnchorProofs(connection, anchor_scope(profile, workspace.settings.origin))
            for profile in chain_profiles(workspace, connection, now).values()
        ]
        if not reached and limit is not None:
            seen = [head for head in (each.seen() for each in proofs) if head is not None]
            check_lag(limit, [(head.size, head.seen_at) for head in seen], workspace.log(connection).size(), now=now)
        return largest([each.last_head() for each in proofs])


def largest(heads: Collection[Checkpoint | None]) -> Checkpoint | None:
    """The largest of several heads of one log."""
    return max((head for head in heads if head is not None), key=lambda head: head.size, default=None)


def _limit(settings: GuardSettings) -> LagLimit | None:
    if settings.lag_entries is None and settings.lag_minutes is None:
        return None
    return LagLimit(settings.lag_entries, None if settings.lag_minutes is None else 60 * settings.lag_minutes)
