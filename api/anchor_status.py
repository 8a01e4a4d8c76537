"""How anchoring stands on each chain of the settings: for ``anchor status``, the service and its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from anchors import Chain, TrustProfile, check_chain_head, read_anchor_proof, verify_anchor_proof
from anchors.account import account_address
from anchors.contradictions import Equivocation, SqlEquivocations
from anchors.health import EndpointHealth
from anchors.leases import Lease, SqlLeases
from anchors.outbox import Submission
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.watch import AlarmLimits, Lag, alarms, lag_of
from api import names
from api.anchoring import anchor_scope, chain_of, chain_profiles
from api.settings import ChainSettings
from api.trust_lists import current_trust
from api.workspace import Workspace
from signing import LedgerError, UnavailableError, VerificationError


@dataclass(frozen=True, slots=True)
class LastAnchor:
    """The newest anchor whose proof is stored; block and time are the contract's, None if only nodes said so."""

    size: int
    block_number: int | None = None
    block_time: int | None = None


@dataclass(frozen=True, slots=True)
class NodesReport:
    """How the nodes of a chain do; ``code``: why it can't be asked at all, or how it contradicts the log."""

    nodes: tuple[EndpointHealth, ...] = ()
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """One chain. ``profile`` is None until the trust list has one; ``seen_at`` when its head was proved last."""

    name: str
    profile: TrustProfile | None
    log_size: int
    lag: Lag
    last: LastAnchor | None = None
    seen_at: int | None = None
    submission: Submission | None = None
    lease: Lease | None = None
    nodes: NodesReport = NodesReport()
    equivocations: tuple[Equivocation, ...] = ()
    alarms: tuple[str, ...] = ()


def read_status(workspace: Workspace, now: int, nodes: Mapping[str, NodesReport]) -> list[ChainStatus]:
    """All chains, as the database has them; ``nodes`` tells of those that were asked."""
    with workspace.database.read() as connection:
        profiles, size = chain_profiles(workspace, connection, now), workspace.log(connection).size()
        return [
            _status(workspace, connection, name, profiles.get(name), size, nodes.get(name, NodesReport()), now)
            for name in workspace.settings.chains
        ]


def ask_nodes(workspace: Workspace, now: int) -> dict[str, NodesReport]:
    """Ask every node of every chain how it does."""
    return {name: _ask(workspace, name, now) for name in workspace.settings.chains}


def _ask(workspace: Workspace, name: str, now: int) -> NodesReport:
    try:
        with chain_of(workspace, now, name, writable=False) as chain:
            return NodesReport(chain.check(now), _contradiction(workspace, chain))
    except LedgerError as error:
        return NodesReport((), error.code)


def _contradiction(workspace: Workspace, chain: Chain) -> str | None:
    """The code by which the log refuses what the chain holds; None if it does not, or if no node proves its head."""
    try:
        head = chain.head(workspace.settings.origin)
        with workspace.database.read() as connection:
            check_chain_head(workspace.log(connection), head, workspace.log_key)
    except VerificationError as error:
        return error.code
    except UnavailableError:
        return None
    return None


def _status(
    workspace: Workspace,
    connection: Connection,
    name: str,
    profile: TrustProfile | None,
    size: int,
    nodes: NodesReport,
    now: int,
) -> ChainStatus:
    limits = _limits(workspace.settings.chains[name])
    if profile is None:
        lag = lag_of(size, 0, covered_at=None, now=now)
        return ChainStatus(name, None, size, lag, nodes=nodes, alarms=alarms(lag, None, limits, looked=nodes.code))
    scope = anchor_scope(profile, workspace.settings.origin)
    outbox, proofs = SqlOutbox(connection, scope), SqlAnchorProofs(connection, scope)
    listed = current_trust(workspace, connection, now).list.chains
    submission, seen, last = outbox.in_flight(), proofs.seen(), _last(workspace, proofs, listed)
    covered_at = (seen.covered_at if seen is not None else 0) or outbox.first_planned()
    lag = lag_of(size, 0 if last is None else last.size, covered_at=covered_at, now=now)
    anchorer = account_address(workspace.keyring.account(names.ANCHOR_KEY))
    lease = SqlLeases(connection).holder(profile.chain_id, anchorer)
    kept = tuple(SqlEquivocations(connection, profile.chain_id).all())
    return ChainStatus(
        name=name,
        profile=profile,
        log_size=size,
        lag=lag,
        last=last,
        seen_at=None if seen is None or not seen.seen_at else seen.seen_at,
        submission=submission,
        lease=lease if lease is not None and lease.expires_at > now else None,
        nodes=nodes,
        equivocations=kept,
        alarms=alarms(
            lag,
            submission,
            limits,
            equivocation=any(each.reviewed_at is None for each in kept),
            looked=nodes.code,
        ),
    )


def _last(workspace: Workspace, proofs: SqlAnchorProofs, profiles: Sequence[TrustProfile]) -> LastAnchor | None:
    newest = proofs.newest()
    if newest is None:
        return None
    size, data = newest
    try:
        anchor = verify_anchor_proof(read_anchor_proof(data), profiles, log_key=workspace.log_key)
    except UnavailableError:
        return LastAnchor(size)
    return LastAnchor(size, anchor.block_number, anchor.block_time)


def _limits(settings: ChainSettings) -> AlarmLimits:
    return AlarmLimits(settings.alarm_entries, 60 * settings.alarm_minutes)
