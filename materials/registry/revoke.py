"""Use case: change whether a material is in force, in the caller's transaction.

Each change is an event that the issuer signed with its key of role ``status``: it is appended to the log, kept, and
carried into the status table, from which the next status list is published.
"""

from dataclasses import dataclass

from materials.events import (
    STATUS_AFTER,
    EventCode,
    MaterialEvent,
    VerifiedEvent,
    check_event_subject,
    issue_event,
    next_status,
    parse_event,
    verify_event,
)
from materials.ids import MaterialId, RandomBytes, new_event_id
from materials.registry.home import Home
from materials.registry.ports import HomePorts
from materials.registry.records import EventRecord, MaterialRecord
from materials.statement import parse_entry_claims
from materials.status import StatusValue
from materials.times import SKEW_SECONDS
from materials.trust.key_check import check_key
from signing import RefusedError, Signer


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A change for the home to sign for the department. ``reason`` is a code; ``effective`` in Unix seconds."""

    jti: MaterialId
    code: EventCode
    reason: str
    effective: int
    successor: MaterialId | None = None


def change_status(
    ports: HomePorts, home: Home, change: StatusChange, signer: Signer, *, now: int, random_bytes: RandomBytes
) -> EventRecord:
    """Sign and record a change. A repetition of the last change returns its record and signs nothing.

    Raises RefusedError: ``material.unknown``, ``status.final`` (an ended material never returns),
    ``status.not-yet-effective``, and what ``accept_event`` raises.
    """
    record = _find(ports, change.jti)
    repeated = _last_event(ports, record, change.code)
    if repeated is not None:
        return repeated
    event = MaterialEvent(
        jti=new_event_id(random_bytes),
        iss=record.issuer,
        sub=change.jti,
        code=change.code,
        reason=change.reason,
        iat=now,
        effective=change.effective,
        successor=change.successor,
    )
    return accept_event(ports, home, issue_event(signer, event), now=now)


def accept_event(ports: HomePorts, home: Home, text: str, *, now: int) -> EventRecord:
    """Record an event signed by the department. The same event again, or the last change again, changes nothing.

    Raises as ``admit_event`` and ``keep_event`` do.
    """
    admitted = admit_event(ports, home, text, now=now)
    if isinstance(admitted, EventRecord):
        return admitted
    return keep_event(ports, admitted, ports.log.append(admitted.entry).index)


def admit_event(ports: HomePorts, home: Home, text: str, *, now: int) -> VerifiedEvent | EventRecord:
    """Carry an event into the status table; ``keep_event`` is to follow once the log has it. Or its record, if it, or
    the same change, was recorded before.

    Raises MalformedError (form), VerificationError (key not in the trust list for this role and time, signature, event
    of another issuer's material), RefusedError as ``change_status``.
    """
    unverified = parse_event(text)
    trusted = home.trust.list.find_key(unverified.event.iss, unverified.key_id, "status")
    verified = verify_event(unverified, trusted.public_key)
    event = verified.event
    entity = home.trust.list.find_entity(event.iss)
    check_key(trusted, entity=entity, trust=home.trust, role="status", at=event.iat, now=now)
    record = _find(ports, event.sub)
    check_event_subject(event, parse_entry_claims(record.jwt.encode("ascii")))
    if max(event.iat, event.effective) > now + SKEW_SECONDS:
        raise RefusedError("status.not-yet-effective", "a change is recorded once it is effective, not before")
    for kept in ports.events.of(record.jti):
        if kept.event_jti == event.jti:
            return kept  # events are public: an old one handed in again must not count a second time
    repeated = _last_event(ports, record, event.code)
    if repeated is not None:
        return repeated
    # Nothing proves when a new event was signed, so its key must count today as well: an old one could be misdated.
    check_key(trusted, entity=entity, trust=home.trust, role="status", at=now, now=now)
    return _carry(ports, record, verified)


def keep_event(ports: HomePorts, verified: VerifiedEvent, log_index: int) -> EventRecord:
    """Record an event that was admitted in this transaction; raises UnavailableError ``event.conflict`` (run again)."""
    event = verified.event
    kept = EventRecord(
        event_jti=event.jti,
        jti=event.sub,
        seq=len(ports.events.of(event.sub)),
        kind=event.code,
        log_index=log_index,
        jws=verified.entry.decode("ascii"),
    )
    ports.events.add(kept)
    return kept


def is_in_force(ports: HomePorts, jti: MaterialId) -> bool:
    """Whether a material is registered here and has not ended for good."""
    record = ports.materials.find(jti)
    return record is not None and current_status(ports, record) is not StatusValue.INVALID


def current_status(ports: HomePorts, record: MaterialRecord) -> StatusValue:
    """What the status table says of a material; of a short-lived one, which has no place there, what its events say."""
    if record.status is not None:
        entry = ports.statuses.find(record.status.uri, record.jti)
        return StatusValue.INVALID if entry is None else entry.status
    events = ports.events.of(record.jti)
    return STATUS_AFTER[EventCode(events[-1].kind)] if events else StatusValue.VALID


def _carry(ports: HomePorts, record: MaterialRecord, verified: VerifiedEvent) -> VerifiedEvent | EventRecord:
    event = verified.event
    status = next_status(current_status(ports, record), event.code)
    if record.status is not None:
        ports.statuses.set_status(record.status, status)  # waits for a concurrent change, which may be the same one
        repeated = _last_event(ports, record, event.code)
        if repeated is not None:
            return repeated
    return verified


def _find(ports: HomePorts, jti: MaterialId) -> MaterialRecord:
    record = ports.materials.find(jti)
    if record is None:
        raise RefusedError("material.unknown", "no material with this id is registered here")
    return record


def _last_event(ports: HomePorts, record: MaterialRecord, code: EventCode) -> EventRecord | None:
    """The last event of the material if it is of kind ``code``."""
    events = ports.events.of(record.jti)
    return events[-1] if events and events[-1].kind == code else None
