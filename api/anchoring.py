"""Anchoring, off the request path: one worker for each chain of the settings, and what the chains' heads say."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from anchors import Chain, TrustProfile, check_chain_head, head_checkpoint
from anchors.capture import AnchorTarget
from anchors.contradictions import SqlEquivocations
from anchors.equivocation import EquivocationError
from anchors.evm import NodeChain
from anchors.outbox import AnchorScope, Pace, Submission
from anchors.policy import AnchorPolicy
from anchors.store import SqlAnchorProofs
from anchors.worker import AnchorWorker
from api import clock, names
from api.chain import open_chain
from api.settings import ChainSettings
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from ledger import Checkpoint
from signing import LedgerError, MalformedError, UnavailableError


def chain_profiles(workspace: Workspace, connection: Connection, now: int) -> dict[str, TrustProfile]:
    """The profiles of the chains in the settings, by their names there; a chain that the trust list lacks is left out.

    A chain with a ``chain_id`` has the last profile of that id; one without, the last that no other chain names.
    """
    listed = current_trust(workspace, connection, now).list.chains
    settings = workspace.settings.chains
    claimed = {chain.chain_id for chain in settings.values()}
    found: dict[str, TrustProfile] = {}
    for name, chain in settings.items():
        for profile in listed:
            if profile.chain_id == chain.chain_id or (chain.chain_id is None and profile.chain_id not in claimed):
                found[name] = profile
    return found


def chain_profile(workspace: Workspace, connection: Connection, now: int, name: str) -> TrustProfile:
    """The profile of one chain; raises UnavailableError (``chain.no-profile``)."""
    profile = chain_profiles(workspace, connection, now).get(name)
    if profile is None:
        message = f"the trust list has no profile of the chain {name}: run 'ematerials anchor deploy {name}'"
        raise UnavailableError("chain.no-profile", message)
    return profile


def chain_settings(workspace: Workspace, name: str) -> ChainSettings:
    """The settings of one chain; raises MalformedError (``chain.unknown``)."""
    if name not in workspace.settings.chains:
        raise MalformedError("chain.unknown", f"the settings have no chain {name}")
    return workspace.settings.chains[name]


@contextmanager
def chain_of(workspace: Workspace, now: int, name: str, *, writable: bool) -> Iterator[NodeChain]:
    """One chain of the settings while the block runs; two sealed blocks at one height that show up are kept."""
    settings = chain_settings(workspace, name)
    with workspace.database.read() as connection:
        profile = chain_profile(workspace, connection, now, name)
    try:
        with open_chain(settings, workspace.path, profile, writable=writable) as chain:
            yield chain
    except EquivocationError as error:
        with suppress(UnavailableError), workspace.database.write() as connection:
            SqlEquivocations(connection, profile.chain_id).keep(error, now=now)
        raise


def anchor_scope(profile: TrustProfile, origin: str) -> AnchorScope:
    """What the outbox and the stored proofs of a chain are about."""
    return AnchorScope(profile.chain_id, profile.contracts[-1].address, origin)


def trusted_scopes(workspace: Workspace, connection: Connection, now: int) -> list[AnchorScope]:
    """All that proofs may be stored under: every chain and contract of the trust list, those of old days too."""
    origin, chains = workspace.settings.origin, current_trust(workspace, connection, now).list.chains
    scopes = (AnchorScope(profile.chain_id, pin.address, origin) for profile in chains for pin in profile.contracts)
    return list(dict.fromkeys(scopes))


def is_anchored(workspace: Workspace, connection: Connection, index: int, now: int) -> bool:
    """Whether there is a finished proof that some chain holds a tree with the entry ``index``."""
    scopes = trusted_scopes(workspace, connection, now)
    return any(SqlAnchorProofs(connection, scope).covering(index + 1) is not None for scope in scopes)


def worker_name() -> str:
    """A name for a worker that no other one has: machine, process and a random number."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{clock.random_bytes(8).hex()}"


def anchor_worker(workspace: Workspace, chain: Chain, now: int, name: str, *, owner: str) -> AnchorWorker:
    """The worker that brings the newest checkpoint onto one chain; every step of it commits by itself."""
    with workspace.database.read() as connection:
        profile = chain_profile(workspace, connection, now, name)
    settings = chain_settings(workspace, name)
    target = AnchorTarget(
        profile=profile,
        contract=profile.contracts[-1].address,
        log_key=workspace.log_key,
        account=workspace.keyring.account(names.ANCHOR_KEY),
        gas_price=settings.gas_price,
    )
    return AnchorWorker(
        chain,
        target,
        transactions=workspace.database.write,
        log=workspace.log,
        owner=owner,
        policy=AnchorPolicy(settings.every_seconds, settings.every_entries),
        pace=Pace(settings.block_seconds),
    )


def anchor(workspace: Workspace, chain: str | None = None, *, resume: bool = False) -> Submission | None:
    """Bring the newest checkpoint onto one chain and its proof back; None if that was done before.

    ``chain`` is a name in the settings, the first one there if not given. ``resume`` lets an origin that stopped in
    conflict begin again: a person's decision, after finding the cause.

    Raises UnavailableError while the chain is away (run again), VerificationError if it holds another or a later tree.
    """
    now, name = clock.now(), chain or next(iter(workspace.settings.chains))
    renew_trust(workspace, now)
    with chain_of(workspace, now, name, writable=True) as opened:
        worker = anchor_worker(workspace, opened, now, name, owner=worker_name())
        if resume:
            worker.resume(now=now)
        done = worker.run(now=now, requested=True)
        with suppress(UnavailableError):  # what had to be done is done; the next run goes on with these
            worker.recapture(now=now)
        if done is None:  # then nobody asked what the chain holds: more than this log, after a restore
            look_at_head(workspace, opened, now, name)
        return done


def anchor_all(workspace: Workspace, *, resume: bool = False) -> Mapping[str, Submission | LedgerError | None]:
    """``anchor`` on every chain of the settings; what one of them refuses or can't do now holds up no other."""
    results: dict[str, Submission | LedgerError | None] = {}
    for name in workspace.settings.chains:
        try:
            results[name] = anchor(workspace, name, resume=resume)
        except LedgerError as error:
            results[name] = error
    return results


def look_at_head(workspace: Workspace, chain: Chain, now: int, name: str) -> Checkpoint | None:
    """The chain's head of this log, proved now, held against the log and remembered; None if the chain holds none.

    Raises UnavailableError if the chain can't be asked, VerificationError ``log.behind-chain`` or ``log.fork`` if the
    log is not the one on the chain.
    """
    origin = workspace.settings.origin
    head = chain.head(origin)
    with workspace.database.write() as connection:
        check_chain_head(workspace.log(connection), head, workspace.log_key)
        scope = anchor_scope(chain_profile(workspace, connection, now, name), origin)
        SqlAnchorProofs(connection, scope).see_head(head.size, head.root, now=now)
    return head_checkpoint(head, origin)
