"""``fsck``: re-derive everything from stored bytes, and compare it with the chain."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from anchors import check_chain_head
from anchors.fsck import AnchorCheck
from anchors.fsck_columns import strays
from anchors.outbox import AnchorScope
from api import names
from api.anchoring import anchor_scope, chain_of
from api.cosigning import trusted_logs, witness_public_keys
from api.db import DAMAGED
from api.home import home_ports
from api.logs import log_keys
from api.parenting import check_parent_evidence, check_parents_word
from api.trust_lists import current_trust
from api.workspace import Workspace
from ledger import leaf_hash
from ledger.fsck import NO_COURSE, Course
from ledger.fsck import fsck as check_log
from ledger.fsck_children import check_children
from ledger.fsck_witness import check_cosignatures, check_witness
from materials.grants.fsck import check_grants
from materials.ids import EntityId
from materials.parent_evidence import parse_parent_evidence
from materials.registry.fsck import check_materials
from materials.registry.fsck_status import check_status_lists
from materials.registry.fsck_timestamps import check_timestamps
from materials.registry.records import StampedKind
from materials.store.grant_scan import SqlGrantScan
from materials.store.parents import SqlParentEvidence
from materials.store.scan import SqlMaterialScan
from materials.store.status import SqlStatusStore
from materials.store.timestamps import SqlTimestampStore
from materials.store.trust import SqlTrustStore
from materials.trust.lists import parse_trust_list, verify_trust_list
from materials.trust.model import Role, TrustList
from materials.trust.rollover import HeldList, follow_list
from signing import KeyId, LedgerError, PublicKey, UnavailableError, VerificationError, parse_note


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (``undetermined``: that could not be checked): what, in which table and row."""

    code: str
    where: str
    message: str
    undetermined: bool = False


Step = tuple[str, Callable[[], Iterator[Finding]]]


def check_steps(workspace: Workspace, connection: Connection, now: int, course: Course) -> list[Step]:
    """The checks in their order, each with a name to show; ``connection`` is a snapshot (``reading``)."""
    return [
        ("log", lambda: _log(workspace, connection, course)),
        ("trust lists", lambda: _trust_lists(workspace, connection)),
        ("materials", lambda: _materials(workspace, connection)),
        ("grants and uses", lambda: _grants(workspace, connection)),
        ("status lists", lambda: _status_lists(workspace, connection)),
        ("time stamps", lambda: _timestamps(workspace, connection, now)),
        ("anchor proofs", lambda: _anchors(workspace, connection)),
        ("witnesses", lambda: _witnesses(workspace, connection)),
        ("parent and children", lambda: _family(workspace, connection)),
        ("chain", lambda: _chain(workspace, connection, now)),
    ]


def fsck(
    workspace: Workspace, now: int, *, begin: Callable[[str], None] = lambda _: None, course: Course = NO_COURSE
) -> Iterator[Finding]:
    """Everything that is wrong with the workspace, what comes first in the log first; ``begin`` hears of each step,
    ``course`` says how to go through the log.

    Raises nothing for what is stored: bytes that can't be read are findings too.
    """
    try:
        with workspace.database.read() as connection:
            for name, step in check_steps(workspace, connection, now, course):
                begin(name)
                yield from _found(name, step)
    except UnavailableError as error:
        yield Finding(error.code, "database", str(error), undetermined=error.code != DAMAGED)


def _found(name: str, step: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from step()
    except UnavailableError as error:
        yield Finding(error.code, name, str(error), undetermined=True)
    except LedgerError as error:
        yield Finding(error.code, name, str(error))
    except DatabaseError as error:
        message = "the database can't read its tables"
        yield Finding("fsck.unreadable", name, message, undetermined=error.connection_invalidated)


def _log(workspace: Workspace, connection: Connection, course: Course) -> Iterator[Finding]:
    """The home's own log, and each further one by the key that is held for it."""
    keys, missing = log_keys(workspace, connection)
    for name in missing:
        yield Finding("fsck.head", "log_heads", f"no row for the log of the key {name}")
    for found in check_log(connection, keys, course):
        where = found.where if found.origin in ("", keys[0].name) else f"{found.where} of {found.origin}"
        yield Finding(found.code, where, found.message)


def _trust_lists(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    """Each list follows on the one before, and the first is signed with the home's first list key."""
    held: HeldList | None = None
    for number, (seq, iat, text) in enumerate(SqlTrustStore(connection).rows(), start=1):
        try:
            held = _follow(workspace, held, text)
            if held.verified.list.seq != number:
                raise VerificationError("trust.gap", "a trust list is missing")
            if (seq, iat) != (number, held.verified.list.iat):
                raise VerificationError("fsck.row-differs", "a column differs from the signed list")
        except LedgerError as error:
            yield Finding(error.code, f"trust_list seq={number}", str(error))
    if held is None:
        yield Finding("trust.missing", "trust_list", "no trust list can be read")


def _follow(workspace: Workspace, held: HeldList | None, text: str) -> HeldList:
    at = parse_trust_list(text).iat
    if held is not None:
        return follow_list(held, text, now=at)
    key = workspace.keyring.public_key(names.LIST_KEY)
    return HeldList(verify_trust_list(text, key, at), key)


def _find_key(connection: Connection) -> Callable[[EntityId, KeyId, Role], PublicKey]:
    """Keys by the latest trust list, whatever its date: old keys stay listed."""
    text = SqlTrustStore(connection).latest()
    if text is None:
        raise VerificationError("trust.missing", "no trust list to find keys in")
    trust_list: TrustList = parse_trust_list(text)
    return lambda entity, kid, role: trust_list.find_key(entity, kid, role).public_key


def _materials(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    ports = home_ports(workspace, connection, known_head=None)
    findings = check_materials(
        ports,
        SqlMaterialScan(connection),
        home_secret=workspace.home_secret,
        find_key=_find_key(connection),
    )
    for found in findings:
        yield Finding(found.code, found.where, found.message)


def _status_lists(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    ports, scan = home_ports(workspace, connection, known_head=None), SqlMaterialScan(connection)
    origin, find_key = workspace.settings.origin, _find_key(connection)
    uris = (names.status_uri(origin), names.grant_status_uri(origin))
    for table, uri in scan.uris():
        if uri not in uris:
            yield Finding("fsck.stray", table, "a row of a status list that is none of this home")
    for uri in uris:
        for found in check_status_lists(ports, scan, uri=uri, find_key=find_key):
            yield Finding(found.code, found.where, found.message)


def _grants(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    log = workspace.log(connection)
    findings = check_grants(
        SqlGrantScan(connection),
        find_key=_find_key(connection),
        is_logged=lambda entry: log.index_of(leaf_hash(entry)) is not None,
        find_place=SqlStatusStore(connection).find,
    )
    for found in findings:
        yield Finding(found.code, found.where, found.message)


def _timestamps(workspace: Workspace, connection: Connection, now: int) -> Iterator[Finding]:
    """By the latest trust list, whatever its date."""
    store, text = SqlTimestampStore(connection), SqlTrustStore(connection).latest()
    if text is None or next(store.all(), None) is None:
        return
    trust = current_trust(workspace, connection, parse_trust_list(text).iat)
    for found in check_timestamps(store, _stampable(workspace, connection), trust=trust, now=now):
        yield Finding(found.code, found.where, found.message)


def _stampable(workspace: Workspace, connection: Connection) -> Iterator[tuple[StampedKind, bytes]]:
    """Every statement, and the text of every checkpoint that can be read: the log's own check names the others."""
    for record in SqlMaterialScan(connection).records():
        yield "statement", record.jwt.encode("utf-8", "replace")
    log = workspace.log(connection)
    for size in log.published_sizes(0, log.size()):
        with suppress(LedgerError):
            yield "checkpoint", parse_note(log.checkpoint_at(size) or b"").text


def _anchors(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    """Proofs, outbox and newest head, against the log and the profiles of the latest trust list."""
    text = SqlTrustStore(connection).latest()
    profiles = () if text is None else parse_trust_list(text).chains
    for table, row in strays(connection, _all_scopes(workspace, connection)):
        yield Finding("fsck.stray", f"{table} {row}", "a row of a chain, contract or log that this home never had")
    for profile in profiles:
        check = AnchorCheck(
            connection,
            anchor_scope(profile, workspace.settings.origin),
            log=workspace.log(connection),
            log_key=workspace.log_key,
            profiles=profiles,
        )
        for found in check.findings():
            yield Finding(found.code, found.where, found.message)


def _all_scopes(workspace: Workspace, connection: Connection) -> set[AnchorScope]:
    """What this home's log may ever have been anchored on: every contract of every trust list."""
    scopes = set()
    for text in SqlTrustStore(connection).all():
        with suppress(LedgerError):
            for profile in parse_trust_list(text).chains:
                for pin in profile.contracts:
                    scopes.add(AnchorScope(profile.chain_id, pin.address, workspace.settings.origin))
    return scopes


def _witnesses(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    """Others' lines on checkpoints of ours, and what this home remembers as a witness."""
    origins = [each.name for each in log_keys(workspace, connection)[0]]
    own_keys, logs = witness_public_keys(workspace), trusted_logs(workspace)
    for findings in (check_cosignatures(connection, origins), check_witness(connection, *own_keys, logs=logs)):
        for found in findings:
            yield Finding(found.code, found.where, found.message)


def _family(workspace: Workspace, connection: Connection) -> Iterator[Finding]:
    """Checkpoints of children in this log, and what the parent handed out of ours."""
    origins = [each.name for each in log_keys(workspace, connection)[0]]
    for found in check_children(connection, origins):
        yield Finding(found.code, found.where, found.message)
    store, log, text = SqlParentEvidence(connection), workspace.log(connection), SqlTrustStore(connection).latest()
    profiles = () if text is None else parse_trust_list(text).chains
    for size, data in store.all():
        try:
            if check_parent_evidence(data, log, workspace.log_key, size) != size:
                raise VerificationError("fsck.row-differs", "the column 'size' differs from the evidence")
            if store.is_anchored(size) != bool(parse_parent_evidence(data).anchors):
                raise VerificationError("fsck.row-differs", "the column 'anchored' differs from the evidence")
            check_parents_word(workspace, data, profiles)
        except LedgerError as error:
            yield Finding("fsck.parent", f"parent_evidence size={size}", str(error))


def _chain(workspace: Workspace, connection: Connection, now: int) -> Iterator[Finding]:
    """The head of each chain lies in this log."""
    for name in workspace.settings.chains:
        yield from _found(f"chain {name}", partial(_head, workspace, connection, now, name))


def _head(workspace: Workspace, connection: Connection, now: int, name: str) -> Iterator[Finding]:
    with chain_of(workspace, now, name, writable=False) as chain:
        head = chain.head(workspace.settings.origin)
    if head.size > 0:
        check_chain_head(workspace.log(connection), head, workspace.log_key)
    yield from ()
