"""Put evidence bundles together from what the home holds."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from api import clock, names
from api.anchored import anchored_receipt, parents_of, receipt_of
from api.bundled_proofs import BundledProofs, gather_proofs
from api.home import home_ports
from api.status_lists import current_status_list
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from ledger import leaf_hash
from materials.bundle import MAX_FURTHER_ANCHORS, Bundle, BundledParent, LoggedToken, UseEvidence, format_bundle
from materials.commitment import commit_to, format_commitment
from materials.grants.links import parse_chain
from materials.grants.usage import COMMITMENT_KIND
from materials.ids import EntityId, MaterialId
from materials.registry.ports import HomePorts
from materials.registry.records import MaterialRecord
from materials.statement import join_statement
from signing import JsonValue, RefusedError


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one bundle needs besides the statement's disclosures and the use it may show."""

    record: MaterialRecord
    receipt: bytes
    anchors: tuple[JsonValue, ...]
    parents: tuple[BundledParent, ...]
    status_list: str | None
    events: tuple[LoggedToken, ...]
    proofs: BundledProofs


def make_bundle(workspace: Workspace, jti: MaterialId, *, as_of: int | None = None) -> bytes:
    """The bundle of a material with all its disclosures, for the issuer and the archive.

    ``as_of`` asks for the status list that was in force at that time, so that the bundle can be judged as of then; if
    none was, the bundle has none.

    Raises RefusedError (``material.unknown``), VerificationError (``vault.erased`` after an erasure).
    """
    now = clock.now()
    renew_trust(workspace, now)
    with workspace.database.write() as connection:
        ports = home_ports(workspace, connection, known_head=None)
        evidence = _evidence(workspace, connection, ports, jti, now, at=now if as_of is None else as_of)
        if as_of is not None:
            kept = ports.archive.at(names.status_uri(workspace.settings.origin), as_of)
            evidence = replace(evidence, status_list=None if kept is None else kept.token)
        statement = join_statement(evidence.record.jwt, ports.vault.read_disclosures(jti))
    return _format(evidence, statement, None)


def make_use_bundle(
    workspace: Workspace, jti: MaterialId, *, presentation: str, chain: tuple[str, ...], record: str
) -> bytes:
    """The bundle handed to a relying organisation: the fields released to it, and why it may hold them."""
    now = clock.now()
    with workspace.database.write() as connection:
        ports = home_ports(workspace, connection, known_head=None)
        parties = {party for link in parse_chain(chain).links for party in (link.id.iss, link.audience.id)}
        evidence = _evidence(workspace, connection, ports, jti, now, at=now, parties=parties)
        receipt = _record_receipt(workspace, connection, record)
    return _format(evidence, presentation, UseEvidence(chain, LoggedToken(record, receipt)))


def _format(evidence: Evidence, statement: str, use: UseEvidence | None) -> bytes:
    return format_bundle(
        Bundle(
            statement=statement,
            receipt=evidence.receipt,
            anchor=evidence.anchors[0] if evidence.anchors else None,
            anchors=evidence.anchors[1:],
            parents=evidence.parents,
            status_list=evidence.status_list,
            events=evidence.events,
            use=use,
            signatures=evidence.proofs.signatures,
            timestamps=evidence.proofs.timestamps,
            crls=evidence.proofs.crls,
        )
    )


def _evidence(
    workspace: Workspace,
    connection: Connection,
    ports: HomePorts,
    jti: MaterialId,
    now: int,
    *,
    at: int,
    parties: Collection[EntityId] = (),
) -> Evidence:
    """``parties`` are those who sign besides issuer and home."""
    record = ports.materials.find(jti)
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    events = tuple(
        LoggedToken(event.jws, receipt_of(workspace, connection, event.log_index)) for event in ports.events.of(jti)
    )
    receipt, size, anchors = anchored_receipt(workspace, connection, record.log_index, now)
    above = parents_of(workspace, connection, size)
    trust = current_trust(workspace, connection, now)
    uri = names.status_uri(workspace.settings.origin)
    status_list = current_status_list(workspace, ports, uri, trust, now)
    signers = {record.issuer, workspace.operator, *parties}
    proofs = gather_proofs(ports, workspace.crls, trust, record=record, receipt=receipt, signers=signers, at=at)
    anchors = (*anchors, *above.anchors)[: 1 + MAX_FURTHER_ANCHORS]
    return Evidence(record, receipt, anchors, above.parents, status_list.token, events, proofs)


def _record_receipt(workspace: Workspace, connection: Connection, record: str) -> bytes | None:
    """Receipt of the commitment to a usage record."""
    entry = format_commitment(commit_to(COMMITMENT_KIND, record))
    index = workspace.log(connection).index_of(leaf_hash(entry))
    return None if index is None else receipt_of(workspace, connection, index)
