"""Register materials, change their status, erase them: each in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Final

from api import clock
from api.group_registering import UNKNOWN_OUTCOME, Commit, Unit, commit_alone
from api.home import file_vault, home_ports, open_home
from api.keys.current_keys import current_signers, holds_key
from api.keys.keyring import Keyring
from api.rollback_guard import guard_head
from api.status_lists import publish_list
from api.trust_lists import renew_trust
from api.workspace import Workspace
from materials.events import EventCode
from materials.grants.verify import listed_entity
from materials.ids import EntityId, MaterialId
from materials.registry.draft import DigestedFiles, Draft, check_draft, digest_files, issue_draft, seal_files
from materials.registry.erase import erase
from materials.registry.records import EventRecord, MaterialRecord
from materials.registry.revoke import StatusChange, accept_event, change_status
from materials.registry.submission import IssuerKeys, Registered, SignedSubmission, Submission, SubmittedFile
from materials.trust.lists import VerifiedTrustList
from signing import CryptoProfile, JsonValue, LedgerError, RefusedError

DEFAULT_LIFETIME: Final = 10 * 366 * 86400
DEFAULT_LEGAL_BASIS: Final = "unspecified"
_SWEEP_AFTER: Final = 3600


def issuer_keys(keyring: Keyring, trust: VerifiedTrustList, issuer: EntityId, now: int) -> IssuerKeys:
    """The current keys that this workspace keeps for a department.

    Raises RefusedError: ``registration.no-key``, ``registration.key`` if all that are kept have ended.
    """
    entity = listed_entity(trust, issuer)
    if entity is None or not all(holds_key(keyring, issuer, role) for role in ("issue", "status")):
        message = f"this workspace keeps no issuing key of {issuer}: see 'org list', or add it with 'org add --issues'"
        raise RefusedError("registration.no-key", message)
    issue, status = (current_signers(keyring, entity, role, now) for role in ("issue", "status"))
    if not issue or not status:
        raise RefusedError("registration.key", f"the keys kept for {issuer} have ended: see 'key rotate'")
    first, *further = sorted(issue, key=lambda signer: signer.public_key.profile is not CryptoProfile.INTL)
    return IssuerKeys(first, status[0], *further)


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
    commit: Commit | None = None,
) -> Registered:
    """Issue a material in the name of ``issuer``, whose keys are here, and register it; repeatable.

    Times are Unix seconds; without ``valid_to`` the statement may be relied on for ten years. ``commit`` has it
    committed with others; without, it has a transaction of its own. Raises as ``materials.registry.register.register``
    does, and UnavailableError ``log.unknown-outcome``.
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
    digested = digest_files(submission.files)
    with workspace.database.read() as connection:
        ports, home = home_ports(workspace, connection, known_head=None), open_home(workspace, connection, now)
        keys = issuer_keys(workspace.keyring, home.trust, issuer, now)
        draft = issue_draft(ports, home, submission, keys, digested, now=now, random_bytes=clock.random_bytes)
    return _hand_in(workspace, draft, digested, commit)


def register_statement(
    workspace: Workspace, submission: SignedSubmission, *, commit: Commit | None = None
) -> Registered:
    """Register a material that its department signed itself; otherwise as ``register_material``."""
    now = clock.now()
    renew_trust(workspace, now)
    digested = digest_files(submission.files)
    with workspace.database.read() as connection:
        draft = check_draft(open_home(workspace, connection, now), submission, digested, now=now)
    return _hand_in(workspace, draft, digested, commit)


def _hand_in(workspace: Workspace, draft: Draft, files: DigestedFiles, commit: Commit | None) -> Registered:
    """Encrypt the files, then commit; what was encrypted for nothing is removed, unless it may be of use after all."""
    sealer = workspace.sealer
    unit = Unit(draft, seal_files(sealer, draft, files))
    try:
        registered = commit_alone(workspace, unit) if commit is None else commit(unit)
    except LedgerError as error:
        if error.code != UNKNOWN_OUTCOME:
            sealer.discard(unit.sealed)
        raise
    if not registered.is_new:
        sealer.discard(unit.sealed)
    return registered


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
        signer = issuer_keys(workspace.keyring, home.trust, issuer, now).status
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
