"""Ledgers of others in the home's trust list, such as its parent's: logs and chains, nothing else of their lists."""

from collections.abc import Sequence
from dataclasses import replace

from anchors import TrustProfile
from api.trust_lists import change_trust, current_trust, renew_trust
from api.workspace import Workspace
from materials.trust.model import TrustedLog, TrustList, VerifiedTrustList
from signing import RefusedError


def add_ledgers(workspace: Workspace, other: VerifiedTrustList, now: int) -> tuple[TrustedLog, ...]:
    """List the logs and chains that another home's trust list names; publishes the trust list if anything is new.

    A later version of a listed profile takes its place. The home's own log and chains stay as they are. Raises
    RefusedError ``trust.ledger`` for a log of a listed origin with another key, or for a profile that is not later
    than the listed one.
    """
    renew_trust(workspace, now)
    own = workspace.settings.origin
    logs = tuple(log for log in other.list.logs if log.origin != own)
    chains = tuple(chain for chain in other.list.chains if not _is_of(chain, own))
    with workspace.database.read() as connection:
        listed = current_trust(workspace, connection, now).list
    if _with(listed, logs, chains) != listed:
        change_trust(workspace, lambda latest: _with(latest, logs, chains), now)
    return logs


def remove_ledger(workspace: Workspace, origin: str, now: int) -> None:
    """Take another ledger's log off the list, with the chain profiles that have its name.

    Raises RefusedError ``trust.ledger`` for the home's own, and for one that is not listed.
    """
    if origin == workspace.settings.origin or origin not in (log.origin for log in other_logs(workspace, now)):
        raise RefusedError("trust.ledger", "not the log of another ledger in the trust list")

    def without(listed: TrustList) -> TrustList:
        chains = tuple(chain for chain in listed.chains if not _is_of(chain, origin))
        return replace(listed, logs=tuple(log for log in listed.logs if log.origin != origin), chains=chains)

    change_trust(workspace, without, now)


def other_logs(workspace: Workspace, now: int) -> tuple[TrustedLog, ...]:
    """The logs of others in the trust list."""
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        listed = current_trust(workspace, connection, now).list
    return tuple(log for log in listed.logs if log.origin != workspace.settings.origin)


def _is_of(chain: TrustProfile, origin: str) -> bool:
    return chain.profile_id.startswith(f"{origin}#")


def _with(listed: TrustList, logs: Sequence[TrustedLog], chains: Sequence[TrustProfile]) -> TrustList:
    """Others' profiles come first: the last one of a chain is the one that this home anchors by."""
    known = {log.origin: log for log in listed.logs}
    if any(known.get(log.origin, log) != log for log in logs):
        raise RefusedError("trust.ledger", "a log of that name is listed with another key: remove it first")
    profiles = {chain.profile_id: chain for chain in listed.chains}
    old = (profiles.get(chain.profile_id, chain) for chain in chains)
    if any(chain != known and chain.version <= known.version for chain, known in zip(chains, old, strict=True)):
        raise RefusedError("trust.ledger", "a later version of a chain's profile is listed, or another of the same")
    given = {chain.profile_id: chain for chain in chains}
    kept = tuple(given.pop(chain.profile_id, chain) for chain in listed.chains)
    new_logs = tuple(log for log in logs if log.origin not in known)
    return replace(listed, logs=(*listed.logs, *new_logs), chains=(*given.values(), *kept))
