"""Register materials, change their status, publish status lists: each in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Final

from api import clock, names
from api.anchoring import guard_head
from api.home import file_vault, home_ports, open_home
from api.trust_lists import renew_trust
from api.workspace import Workspace
from materials.events import EventCode
from materials.ids import EntityId, MaterialId
from materials.registry.erase import erase
from materials.registry.ports import HomePorts
from materials.registry.publish import ListTerms, publish_status_list
from materials.registry.records import EventRecord, MaterialRecord, PublishedList
from materials.registry.register import register, register_signed
from materials.registry.revoke import StatusChange, accept_event, change_status
from materials.registry.submission import IssuerKeys, Registered, SignedSubmission, Submission, SubmittedFile
from materials.trust.lists import VerifiedTrustList
from signing import JsonValue, RefusedError

DEFAULT_LIFETIME: Final = 10 * 366 * 86400
DEFAULT_LEGAL_BASIS: Final = "unspecified"
_SWEEP_AFTER: Final = 3600


def issuer_keys(workspace: Workspace, issuer: str) -> IssuerKeys:
    """The keys that this workspace keeps for a department; raises RefusedError (``registration.no-key``)."""
    ring = workspace.keyring
    held = [names.entity_key(issuer, role) for role in ("issue", "status")]
    if any(name not in ring for name in held):
        message = f"this workspace keeps no issuing key of {issuer}: see 'org list', or add it with 'org add --issues'"
        raise RefusedError("registration.no-key", message)
    return IssuerKeys(*(ring.signer(name) for name in held))


def register_material(
    workspace: Workspace,
    *,
    type_code: str,
    issuer: EntityId,
    fields: Mapping[str, JsonValue],
    files: Sequence[SubmittedFile],
    legal_basis: str = DEFAULT_LEGAL_BASIS,
    valid_from: int | None = None,
    valid_to: int | None = None,
    version: int = 1,
    supersedes: MaterialId | None = None,
) -> Registered:
    """Issue a material in the name of ``issuer``, whose keys are here, and register it; repeatable.

    Times are Unix seconds; without ``valid_to`` the statement may be relied on for ten years. Raises as
    ``materials.registry.register.register`` does.
    """
    now = clock.now()
    renew_trust(workspace, now)
    submission = Submission(
        issuer=issuer,
        type_code=type_code,
        fields=fields,
        files=tuple(files),
        legal_basis=legal_basis,
        nbf=now if valid_from is None else valid_from,
        exp=now + DEFAULT_LIFETIME if valid_to is None else valid_to,
        version=version,
        supersedes=supersedes,
    )
    keys, head = issuer_keys(workspace, issuer), guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = home_ports(workspace, connection, known_head=head), open_home(workspace, connection, now)
        registered = register(ports, home, submission, keys, now=now, random_bytes=clock.random_bytes)
        if supersedes is not None:
            publish_list(workspace, ports, home.status_uri, home.trust, now)
        return registered


def register_statement(workspace: Workspace, submission: SignedSubmission) -> Registered:
    """Register a material that its department signed itself; repeatable."""
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = home_ports(workspace, connection, known_head=head), open_home(workspace, connection, now)
        return register_signed(ports, home, submission, now=now)


def change_material_status(
    workspace: Workspace, jti: MaterialId, *, code: EventCode, reason: str, successor: MaterialId | None = None
) -> EventRecord:
    """Sign an event for the material's issuer, log it, and publish the status list; repeatable."""
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = home_ports(workspace, connection, known_head=head), open_home(workspace, connection, now)
        record = ports.materials.find(jti)
        issuer = workspace.operator if record is None else record.issuer
        change = StatusChange(jti, code, reason, now, successor)
        signer = issuer_keys(workspace, issuer).status
        event = change_status(ports, home, change, signer, now=now, random_bytes=clock.random_bytes)
        publish_list(workspace, ports, home.status_uri, home.trust, now)
        return event


def accept_signed_event(workspace: Workspace, text: str) -> EventRecord:
    """Record an event that the department signed itself, and publish the status list; repeatable."""
    now = clock.now()
    renew_trust(workspace, now)
    head = guard_head(workspace, now)
    with workspace.database.write() as connection:
        ports, home = home_ports(workspace, connection, known_head=head), open_home(workspace, connection, now)
        event = accept_event(ports, home, text, now=now)
        publish_list(workspace, ports, home.status_uri, home.trust, now)
        return event


def erase_material(workspace: Workspace, jti: MaterialId) -> MaterialRecord:
    """Destroy keys, salts and keyed hashes of a material for good; proofs handed out before go on verifying.

    Files of erased or unfinished registrations that are older than an hour are then removed from the folder.
    """
    now = clock.now()
    with workspace.database.write() as connection:
        record = erase(home_ports(workspace, connection, known_head=None), jti)
    with workspace.database.read() as connection:
        file_vault(workspace, connection).sweep(created_before=now - _SWEEP_AFTER)
    return record


def current_status_list(
    workspace: Workspace, ports: HomePorts, uri: str, trust: VerifiedTrustList, now: int
) -> PublishedList:
    """The latest list of ``uri``, published anew once half its life is over; ``ports`` are of a writing transaction."""
    latest = ports.archive.latest(uri)
    if latest is not None and now < latest.iat + workspace.settings.status.lifetime // 2:
        return latest
    return publish_list(workspace, ports, uri, trust, now)


def publish_list(workspace: Workspace, ports: HomePorts, uri: str, trust: VerifiedTrustList, now: int) -> PublishedList:
    """Sign and keep what the status table says now of list ``uri``."""
    terms = workspace.settings.status
    signer = workspace.keyring.signer(names.entity_key(workspace.operator, "status"))
    list_terms = ListTerms(uri, workspace.operator, terms.lifetime, terms.ttl)
    return publish_status_list(ports.statuses, ports.archive, list_terms, signer, trust=trust, now=now)
