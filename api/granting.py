"""Grants and retrieval: open, pass on, withdraw, use, list uses. Each in one transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from api import clock, names
from api.bundling import make_use_bundle
from api.clock_guard import check_owner_clock
from api.home import home_ports
from api.keys.current_keys import current_signer
from api.rollback_guard import guard_head
from api.status_lists import publish_list
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from ledger import Checkpoint
from materials.claims import StatusRef
from materials.grants.home import GrantHome, GrantPorts, keep_grant, withdraw_grant
from materials.grants.issue import GrantTerms, delegate_grant, issue_root, new_grant_id
from materials.grants.links import Delegate, GrantChain, LinkId, parse_chain
from materials.grants.ports import StoredLink
from materials.grants.release import ReleasedFile, read_released_file
from materials.grants.retrieve import Refused, Released, Retrieval, retrieve_under_grant
from materials.ids import EntityId, MaterialId
from materials.registry.places import allocate_place
from materials.registry.records import MaterialRecord
from materials.store.grants import SqlGrantStore, SqlUseCounter
from materials.store.usage import SqlAnswerStore, SqlUsageStore
from materials.trust.model import Basis
from signing import PublicKey, RefusedError, Signer


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a relying organisation gets: the bundle of the released fields, and the files it may fetch."""

    bundle: bytes
    usage: str
    files: tuple[ReleasedFile, ...]
    replayed: bool
    outcome: Released


def grant_ports(workspace: Workspace, connection: Connection, known_head: Checkpoint | None) -> GrantPorts:
    """The ports of one unit of work on grants."""
    return GrantPorts(
        home=home_ports(workspace, connection, known_head=known_head),
        grants=SqlGrantStore(connection),
        counter=SqlUseCounter(connection),
        usage=SqlUsageStore(connection),
        answers=SqlAnswerStore(connection),
    )


def grant_home(workspace: Workspace, connection: Connection, now: int) -> GrantHome:
    """This home as the counter of uses."""
    trust = current_trust(workspace, connection, now)
    signer = current_signer(workspace.keyring, trust.list.find_entity(workspace.operator), "grant", now)
    return GrantHome(workspace.operator, trust, signer)


def open_grant(
    workspace: Workspace, jti: MaterialId, *, holder_key: PublicKey, terms: GrantTerms, basis: Basis = "holder"
) -> GrantChain:
    """The root of a grant over one material: the home names the holder, and the key the holder will sign with.

    Whoever calls this has made sure that the holder asked for it. Raises RefusedError ``material.unknown``.
    """
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = grant_ports(workspace, connection, head), grant_home(workspace, connection, now)
        record = ports.home.materials.find(jti)
        if record is None:
            raise RefusedError("material.unknown", "no material with this id is registered here")
        grant_id = new_grant_id(clock.random_bytes)
        link = issue_root(
            home.signer,
            home=home.id,
            subject=record.owner,
            basis=basis,
            delegate=Delegate(record.owner, holder_key),
            terms=replace(terms, status=_place(workspace, ports, grant_id)),
            jti=grant_id,
            now=now,
        )
        chain = parse_chain([link.text])
        keep_grant(ports, home, chain, now=now)
        return chain


def reserve_place(workspace: Workspace) -> tuple[str, StatusRef]:
    """An id for a link that a party will sign itself, and its place in the home's status list of grants."""
    with workspace.database.write() as connection:
        ports = grant_ports(workspace, connection, None)
        grant_id = new_grant_id(clock.random_bytes)
        return grant_id, _place(workspace, ports, grant_id)


def _place(workspace: Workspace, ports: GrantPorts, grant_id: str) -> StatusRef:
    uri = names.grant_status_uri(workspace.settings.origin)
    return allocate_place(ports.home.statuses, uri, grant_id, clock.random_bytes)


def pass_on(
    workspace: Workspace, chain: GrantChain, signer: Signer, *, delegate: Delegate, terms: GrantTerms
) -> GrantChain:
    """One more link below ``chain``, signed by the last delegate's ``signer``, narrower than the one above it."""
    grant_id, place = reserve_place(workspace)
    parent, now = chain.leaf, clock.now()
    link = delegate_grant(parent, signer, delegate=delegate, terms=replace(terms, status=place), jti=grant_id, now=now)
    longer = parse_chain([*chain.texts, link.text])
    keep_chain(workspace, longer)
    return longer


def keep_chain(workspace: Workspace, chain: GrantChain) -> tuple[LinkId, ...]:
    """Keep the links of a chain that its parties signed; returns those that are new. Repeatable."""
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = grant_ports(workspace, connection, head), grant_home(workspace, connection, now)
        return keep_grant(ports, home, chain, now=now)


def withdraw(workspace: Workspace, link: LinkId, *, actor: EntityId) -> StoredLink:
    """Withdraw a link, and with it all below it, in the name of ``actor``; repeatable."""
    now = clock.now()
    renew_trust(workspace, now)
    with workspace.database.write() as connection:
        ports = grant_ports(workspace, connection, None)
        stored = withdraw_grant(ports, link, actor=actor, now=now)
        trust = current_trust(workspace, connection, now)
        publish_list(workspace, ports.home, names.grant_status_uri(workspace.settings.origin), trust, now)
        return stored


def retrieve(workspace: Workspace, retrieval: Retrieval) -> Retrieved:
    """Answer a request under a grant. The use and its record are committed before anything is returned.

    Raises GrantRefusedError with link and rule; a refusal of a genuine grant is recorded for the owner first.
    """
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        check_owner_clock(workspace, connection, retrieval.chain.links[0].subject, now)
        ports, home = grant_ports(workspace, connection, head), grant_home(workspace, connection, now)
        outcome = retrieve_under_grant(ports, home, retrieval, now=now, random_bytes=clock.random_bytes)
    if isinstance(outcome, Refused):
        raise outcome.error
    bundle = make_use_bundle(
        workspace,
        outcome.selection.material,
        presentation=outcome.selection.presentation,
        chain=retrieval.chain.texts,
        record=outcome.usage,
    )
    return Retrieved(bundle, outcome.usage, outcome.selection.files, outcome.replayed, outcome)


def read_file(workspace: Workspace, retrieved: Retrieved, number: int) -> Iterator[bytes]:
    """The bytes of a file that ``retrieve`` released."""
    with workspace.database.read() as connection:
        vault = home_ports(workspace, connection, known_head=None).vault
        yield from read_released_file(vault, retrieved.outcome.selection, number)


def usage_records(workspace: Workspace, owner: EntityId, *, first: int = 0, limit: int = 100) -> Sequence[str]:
    """The signed usage records of all materials of ``owner``, oldest first."""
    with workspace.database.read() as connection:
        return SqlUsageStore(connection).page(workspace.operator, owner, first=first, limit=limit)


def find_material(workspace: Workspace, jti: MaterialId) -> MaterialRecord:
    """The record of a material; raises RefusedError (``material.unknown``)."""
    with workspace.database.read() as connection:
        record = home_ports(workspace, connection, known_head=None).materials.find(jti)
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    return record


def owner_of(workspace: Workspace, jti: MaterialId) -> EntityId:
    """The pseudonym of the owner of a material; raises RefusedError (``material.unknown``)."""
    return find_material(workspace, jti).owner
