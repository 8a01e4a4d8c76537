"""Anchoring, off the request path: the outbox worker, and the guard that compares the log with the chain."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from anchors import Chain, ChainHead, TrustProfile, check_chain_head
from anchors.capture import AnchorTarget
from anchors.outbox import AnchorScope, Submission
from anchors.store import SqlAnchorProofs
from anchors.worker import AnchorWorker
from api import clock, names
from api.chain import open_chain
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from ledger import Checkpoint, RootHash
from signing import UnavailableError


def chain_profile(workspace: Workspace, connection: Connection, now: int) -> TrustProfile:
    """The profile of the chain this home anchors on: the last one in its trust list."""
    chains = current_trust(workspace, connection, now).list.chains
    if not chains:
        raise UnavailableError("chain.no-profile", "the trust list names no chain")
    return chains[-1]


@contextmanager
def chain_of(workspace: Workspace, now: int, *, writable: bool) -> Iterator[Chain]:
    """The workspace's chain while the block runs."""
    with workspace.database.read() as connection:
        profile = chain_profile(workspace, connection, now)
    with open_chain(workspace.settings.chain, workspace.path, profile, writable=writable) as chain:
        yield chain


def anchor_scope(profile: TrustProfile, origin: str) -> AnchorScope:
    """What the outbox and the stored proofs are about."""
    return AnchorScope(profile.chain_id, profile.contracts[-1].address, origin)


def anchor_worker(workspace: Workspace, chain: Chain, now: int) -> AnchorWorker:
    """The worker that brings the newest checkpoint onto ``chain``; every step of it commits by itself."""
    with workspace.database.read() as connection:
        profile = chain_profile(workspace, connection, now)
    target = AnchorTarget(
        profile=profile,
        contract=profile.contracts[-1].address,
        log_key=workspace.log_key,
        account=workspace.keyring.account(names.ANCHOR_KEY),
        gas_price=workspace.settings.chain.gas_price,
    )
    return AnchorWorker(chain, target, transactions=workspace.database.write, log=workspace.log)


def anchor(workspace: Workspace, *, resume: bool = False) -> Submission | None:
    """Bring the newest checkpoint onto the chain and its proof back; None if that was done before.

    ``resume`` lets an origin that stopped in conflict begin again: a person's decision, after finding the cause.

    Raises UnavailableError while the chain is away (run again), VerificationError if it holds another or a later tree.
    """
    now = clock.now()
    renew_trust(workspace, now)
    with chain_of(workspace, now, writable=True) as chain:
        worker = anchor_worker(workspace, chain, now)
        if resume:
            worker.resume()
        return worker.run(now=now)


def known_head(workspace: Workspace, chain: Chain | None, now: int) -> Checkpoint | None:
    """The largest head of this log that the chain is known to hold: asked now, or as last proved while it is away.

    Raises VerificationError ``log.behind-chain`` or ``log.fork`` if the log is not the one on the chain.
    """
    origin = workspace.settings.origin
    head: ChainHead | None = None
    if chain is not None:
        try:
            head = chain.head(origin)
        except UnavailableError:
            head = None  # reports say so; registration goes on with the head proved last
    with workspace.database.read() as connection:
        scope = anchor_scope(chain_profile(workspace, connection, now), origin)
        last = SqlAnchorProofs(connection, scope).last_head()
        if head is None or head.size == 0:
            return last
        check_chain_head(workspace.log(connection), head, workspace.log_key)
    return Checkpoint(origin, head.size, RootHash(head.root))


def guard_head(workspace: Workspace, now: int) -> Checkpoint | None:
    """The head that an append has to extend; raises as ``known_head`` does."""
    if workspace.anchored_head is not None:
        return workspace.anchored_head()
    try:
        with chain_of(workspace, now, writable=False) as chain:
            return known_head(workspace, chain, now)
    except UnavailableError:
        return known_head(workspace, None, now)
