"""What a home tells: a material's public side, status lists, whether a file belongs to a material; and new places."""

from dataclasses import dataclass

from api import clock, names
from api.anchoring import is_anchored
from api.home import home_ports
from api.status_lists import current_status_list, is_list_due
from api.trust_lists import current_trust
from api.workspace import Workspace
from materials.claims import StatusRef
from materials.ids import EntityId, MaterialId, new_material_id
from materials.registry.places import allocate_place
from materials.registry.records import MaterialRecord, MaterialState, PublishedList
from materials.registry.revoke import current_status
from materials.statement import StatementClaims, join_statement, parse_entry_claims, parse_statement, verify_statement
from materials.status import StatusValue
from signing import FileDigests, RefusedError


@dataclass(frozen=True, slots=True)
class MaterialView:
    """What everyone may know of a material: the open claims as they lie in the log, and how it stands now."""

    claims: StatementClaims
    status: StatusValue
    state: MaterialState
    log_index: int
    anchored: bool


def view_material(workspace: Workspace, jti: MaterialId) -> MaterialView:
    """The public side of a material. Raises RefusedError (``material.unknown``)."""
    with workspace.database.read() as connection:
        ports = home_ports(workspace, connection, known_head=None)
        record = _known(ports.materials.find(jti))
        return MaterialView(
            claims=parse_entry_claims(record.jwt.encode("ascii")),
            status=current_status(ports, record),
            state=record.state,
            log_index=record.log_index,
            anchored=is_anchored(workspace, connection, record.log_index, clock.now()),
        )


def issuer_of(workspace: Workspace, jti: MaterialId) -> EntityId:
    """The department that issued a material. Raises RefusedError (``material.unknown``)."""
    with workspace.database.read() as connection:
        return _known(home_ports(workspace, connection, known_head=None).materials.find(jti)).issuer


def has_file(workspace: Workspace, jti: MaterialId, file: FileDigests) -> bool:
    """Whether a file with exactly these digests belongs to a material that the home holds.

    False also for an unknown or erased material: nothing else is told. The caller limits how often it is asked.
    """
    now = clock.now()
    with workspace.database.read() as connection:
        ports = home_ports(workspace, connection, known_head=None)
        record = ports.materials.find(jti)
        if record is None or record.state is not MaterialState.HELD:
            return False
        trust = current_trust(workspace, connection, now)
        unverified = parse_statement(join_statement(record.jwt, ports.vault.read_disclosures(jti)))
        key = trust.list.find_key(record.issuer, unverified.key_id, "issue")
        files = verify_statement(unverified, key.public_key).files
    return (file.sha256, file.sm3, file.size) in {(own.sha256, own.sm3, own.size) for own in files}


def status_list(workspace: Workspace, uri: str, at: int | None = None) -> PublishedList:
    """The list of ``uri`` as published now, or as it was relied on at ``at`` (Unix seconds).

    Raises RefusedError (``status.unknown-list``) for a URI that is not this home's, or a time without a list.
    """
    now = clock.now()
    origin = workspace.settings.origin
    if uri not in (names.status_uri(origin), names.grant_status_uri(origin)):
        raise RefusedError("status.unknown-list", "this home publishes no such status list")
    with workspace.database.read() as connection:
        archive = home_ports(workspace, connection, known_head=None).archive
        found = archive.latest(uri) if at is None else archive.at(uri, at)
    if at is None and (found is None or is_list_due(workspace, found, now)):
        with workspace.database.write() as connection:
            ports, trust = home_ports(workspace, connection, known_head=None), current_trust(workspace, connection, now)
            found = current_status_list(workspace, ports, uri, trust, now)
    if found is None:
        raise RefusedError("status.unknown-list", "no list was in force at that time")
    return found


def reserve_material(workspace: Workspace) -> tuple[MaterialId, StatusRef]:
    """An id for a statement that a department will sign itself, and its place in the home's status list."""
    with workspace.database.write() as connection:
        ports = home_ports(workspace, connection, known_head=None)
        jti = new_material_id(clock.random_bytes)
        uri = names.status_uri(workspace.settings.origin)
        return jti, allocate_place(ports.statuses, uri, jti, clock.random_bytes)


def _known(record: MaterialRecord | None) -> MaterialRecord:
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    return record
