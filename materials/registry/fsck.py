"""Check everything that the home keeps of its materials against the log, the signatures and itself.

Nothing is believed because it is in the database: each row must follow from signed and logged bytes, each encrypted
object must open and give the digests that the statement names. Findings name table and row, never a personal value.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from materials.digesting import FileDigester
from materials.events import check_event_subject, next_status, parse_event, verify_event
from materials.files import FileRecord
from materials.ids import EntityId, MaterialId
from materials.registry.identity import claim_for
from materials.registry.ports import HomePorts, MaterialScan
from materials.registry.records import EventRecord, MaterialRecord, MaterialState
from materials.registry.revoke import current_status
from materials.second_signature import parse_second_signature, verify_second_signature
from materials.statement import (
    Statement,
    join_statement,
    parse_entry_claims,
    parse_statement,
    verify_entry,
    verify_statement,
)
from materials.status import StatusValue
from materials.trust.model import Role
from signing import KeyId, LedgerError, PublicKey, VerificationError

FindKey = Callable[[EntityId, KeyId, Role], PublicKey]
"""The public key of an entity in a role; raises LedgerError if it has none. Old and compromised keys count too."""

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class StoreFinding:
    """One thing that is wrong: a stable code, the table and row, and what does not fit."""

    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What the check of one record needs besides the record."""

    ports: HomePorts
    home_secret: bytes = field(repr=False)
    find_key: FindKey
    superseded: set[MaterialId]


def check_materials(
    ports: HomePorts, scan: MaterialScan, *, home_secret: bytes, find_key: FindKey
) -> Iterator[StoreFinding]:
    """Check registrations, vault and events; yields nothing if all is well (lists: ``fsck_status``).

    A table that can't be read further ends with a finding ``store.unreadable``; the next one is checked all the same.
    """
    yield from attempt("material_registration", partial(_check_finished, scan))
    known = _Known(ports, home_secret, find_key, _superseded(scan))
    yield from each("material_registration", scan.records(), partial(_check_record, known))
    yield from each("material_event", scan.events(), partial(_check_event, ports, find_key))


def each(table: str, rows: Iterator[_Row], check: Callable[[_Row], Iterator[StoreFinding]]) -> Iterator[StoreFinding]:
    """The findings about all rows; rows that can't be read are one more and the last."""
    try:
        for row in rows:
            yield from check(row)
    except Exception as error:
        yield _finding(table, error)


def attempt(where: str, check: Callable[[], None]) -> Iterator[StoreFinding]:
    """The finding that ``check`` raises, if any."""
    try:
        check()
    except Exception as error:
        yield _finding(where, error)


def _finding(where: str, error: Exception) -> StoreFinding:
    """An altered row may hold values of any type and make any reader fail: that is found, and does not end the check.

    The text of a foreign error stays out: it may hold the value.
    """
    if isinstance(error, LedgerError):
        return StoreFinding(error.code, where, str(error))
    return StoreFinding("store.unreadable", where, f"reading it failed: {type(error).__name__}")


def check_logged(ports: HomePorts, index: int, entry: str) -> None:
    """Return if the log holds exactly these bytes there; VerificationError ``fsck.not-logged``."""
    if ports.log.entry(index) != entry.encode("utf-8", "replace"):
        raise VerificationError("fsck.not-logged", f"the log does not hold this token at index {index}")


def _check_finished(scan: MaterialScan) -> None:
    for jti in scan.unfinished():
        raise VerificationError("fsck.unfinished", f"{jti} was claimed, but never completed")


def _superseded(scan: MaterialScan) -> set[MaterialId]:
    found: set[MaterialId] = set()
    with suppress(Exception):  # a row that can't be read is named by the pass that follows
        found.update(record.supersedes for record in scan.records() if record.supersedes is not None)
    return found


def _check_record(known: _Known, record: MaterialRecord) -> Iterator[StoreFinding]:
    ports, find_key = known.ports, known.find_key
    where = f"material_registration {record.jti}"
    yield from attempt(where, partial(check_logged, ports, record.log_index, record.jwt))
    yield from attempt(where, partial(_check_columns, record, find_key))
    yield from attempt(f"statement_signature of {record.jti}", partial(_check_signatures, ports, record, find_key))
    yield from attempt(f"material_event of {record.jti}", partial(_check_event_numbers, ports, record))
    yield from attempt(f"material_status_entry of {record.jti}", partial(_check_status, ports, record))
    where = f"material_vault_object of {record.jti}"
    if record.state is MaterialState.ERASED:
        yield from attempt(where, partial(_check_erased, ports, record))
        return
    try:
        statement = _open_statement(ports, record, find_key)
    except Exception as error:
        yield _finding(where, error)
        return
    yield from attempt(f"material_registration {record.jti}", partial(_check_handles, known, record, statement))
    for number, named in enumerate(statement.files):
        yield from attempt(f"{where} file/{number}", partial(_check_file, ports, record, number, named))


def _check_columns(record: MaterialRecord, find_key: FindKey) -> None:
    """The row says what the signed text says, and the issuer signed it."""
    claims = verify_entry(record.jwt.encode("utf-8", "replace"), lambda iss, kid: find_key(iss, kid, "issue"))
    signed = (claims.jti, claims.version, claims.supersedes, claims.vct, claims.iss, claims.status, claims.iat)
    stored = (record.jti, record.version, record.supersedes, record.vct, record.issuer, record.status)
    if (*stored, record.registered_at) != signed:
        raise VerificationError("fsck.row-differs", "a column differs from the signed statement")


def _check_signatures(ports: HomePorts, record: MaterialRecord, find_key: FindKey) -> None:
    """Each further signature is over the statement, by an issuing key of its issuer."""
    for text in ports.signatures.of(record.jti):
        unverified = parse_second_signature(record.jwt, text)
        verify_second_signature(record.jwt, text, find_key(record.issuer, unverified.key_id, "issue"))


def _check_event_numbers(ports: HomePorts, record: MaterialRecord) -> None:
    numbers = [kept.seq for kept in ports.events.of(record.jti)]
    if numbers != list(range(len(numbers))):
        raise VerificationError("fsck.event-missing", "the numbers of the events do not follow one another")


def _check_status(ports: HomePorts, record: MaterialRecord) -> None:
    """The status table says what the events lead to."""
    status = StatusValue.VALID
    for kept in ports.events.of(record.jti):
        status = next_status(status, parse_event(kept.jws).event.code)
    if record.status is not None:
        entry = ports.statuses.find(record.status.uri, record.jti)
        if entry is None or entry.ref != record.status:
            raise VerificationError("fsck.status-place", "the place in the status list is missing or another one")
    if current_status(ports, record) is not status:
        raise VerificationError("fsck.status-differs", "the status is not what the events lead to")


def _open_statement(ports: HomePorts, record: MaterialRecord, find_key: FindKey) -> Statement:
    text = join_statement(record.jwt, ports.vault.read_disclosures(record.jti))
    unverified = parse_statement(text)
    return verify_statement(unverified, find_key(unverified.claims.iss, unverified.key_id, "issue"))


def _check_handles(known: _Known, record: MaterialRecord, statement: Statement) -> None:
    """Owner, identity and licence are the keyed hashes of what the statement says."""
    expected = claim_for(known.home_secret, statement.claims, statement.fields, statement.files)
    if record.owner != expected.owner:
        raise VerificationError("fsck.owner-differs", "the owner is not the pseudonym of the statement's holder")
    if record.identity != expected.identity:
        raise VerificationError("fsck.identity-differs", "the identity is not the keyed hash of the statement")
    if record.licence != (None if record.jti in known.superseded else expected.licence):
        raise VerificationError("fsck.licence-differs", "the licence is not held as the statements say")


def _check_file(ports: HomePorts, record: MaterialRecord, number: int, named: FileRecord) -> None:
    digester = FileDigester()
    for chunk in ports.vault.read_file(record.jti, number):
        digester.update(chunk)
    if FileRecord.of(digester.finish(), named.media_type) != named:
        raise VerificationError("fsck.file-differs", "the file is not the one that the statement names")


def _check_erased(ports: HomePorts, record: MaterialRecord) -> None:
    try:
        ports.vault.read_disclosures(record.jti)
    except VerificationError as error:
        if error.code == "vault.erased":
            return
        raise
    raise VerificationError("fsck.not-erased", "the material is marked as erased, but its disclosures are there")


def _check_event(ports: HomePorts, find_key: FindKey, kept: EventRecord) -> Iterator[StoreFinding]:
    where = f"material_event {kept.event_jti}"
    yield from attempt(where, partial(check_logged, ports, kept.log_index, kept.jws))
    yield from attempt(where, partial(_check_event_row, ports, find_key, kept))


def _check_event_row(ports: HomePorts, find_key: FindKey, kept: EventRecord) -> None:
    unverified = parse_event(kept.jws)
    event = verify_event(unverified, find_key(unverified.event.iss, unverified.key_id, "status")).event
    if (kept.event_jti, kept.jti, kept.kind) != (event.jti, event.sub, event.code):
        raise VerificationError("fsck.row-differs", "a column differs from the signed event")
    record = ports.materials.find(kept.jti)
    if record is None:
        raise VerificationError("fsck.stray-event", "the material of the event is not registered")
    check_event_subject(event, parse_entry_claims(record.jwt.encode("utf-8", "replace")))
