"""The facet ``status`` of a bundle: is the material in force at the time of the decision?

Two witnesses: the status list says how things stood when it was issued; the events, each in the log, say since when.
"Was it valid on that day?" needs the list of that day, which the home keeps. A younger list can't answer: a suspension
that was lifted since leaves no trace in it, and whoever shows the bundle may have left its events out.
"""

from materials.bundle import Bundle, LoggedToken
from materials.claims import StatementClaims
from materials.events import (
    EventCode,
    MaterialEvent,
    check_event_subject,
    parse_event,
    status_from_events,
    verify_event,
)
from materials.evidence import checks
from materials.evidence.times import TimeProofs
from materials.status import (
    StatusList,
    StatusValue,
    check_status_current,
    parse_status_list,
    read_status,
    verify_status_list,
)
from materials.times import SKEW_SECONDS
from materials.trust.key_check import check_key
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError, VerificationError


def verify_bundled_list(token: str | None, trust: VerifiedTrustList, now: int) -> StatusList | None:
    """The bundle's status list: signed by its issuer, who keeps this URI by the trust list, and not out of date."""
    if token is None:
        return None
    unverified = parse_status_list(token)
    key = trust.list.find_key(unverified.iss, unverified.key_id, "status")
    entity = trust.list.find_entity(unverified.iss)
    if unverified.uri not in entity.status_uris:
        raise VerificationError("status.key", "the trust list gives this status list to another organisation")
    status_list = verify_status_list(unverified, key.public_key)
    check_key(key, entity=entity, trust=trust, role="status", at=status_list.iat, now=now)
    check_status_current(status_list, now=max(now, status_list.iat))
    return status_list


def check_status(
    bundle: Bundle,
    status_list: StatusList | None,
    claims: StatementClaims,
    trust: VerifiedTrustList,
    proofs: TimeProofs,
    now: int,
) -> None:
    """Return if the material is in force at ``now``.

    Raises VerificationError: ``status.revoked``, ``status.suspended``, ``status.restricted``, and what a false list or
    event raises. UnavailableError: ``status.missing``, ``status.history`` (the list is younger than ``now``).
    """
    events = [_check_event(event, claims, trust, proofs, now) for event in bundle.events]
    from_events = status_from_events(events, now)
    listed = from_events if from_events is not StatusValue.VALID else _listed(status_list, claims, now)
    if StatusValue.INVALID in (listed, from_events):
        raise VerificationError("status.revoked", "the material has been revoked or otherwise ended by its issuer")
    if any(event.code is EventCode.RESTRICTED and event.effective <= now for event in events):
        raise VerificationError("status.restricted", "the material may no longer be used")
    if StatusValue.SUSPENDED in (listed, from_events):
        raise VerificationError("status.suspended", "the material is suspended for the time being")


def _listed(status_list: StatusList | None, claims: StatementClaims, now: int) -> StatusValue:
    if claims.status is None:
        return StatusValue.VALID  # parse_statement allows that for short-lived statements only
    if status_list is None:
        raise UnavailableError("status.missing", "the bundle holds no status list")
    listed = read_status(status_list, claims.status)
    if status_list.iat > now + SKEW_SECONDS:
        raise UnavailableError(
            "status.history", "the status list is younger than this time; ask for a bundle as of then"
        )
    return listed


def _check_event(
    logged: LoggedToken, claims: StatementClaims, trust: VerifiedTrustList, proofs: TimeProofs, now: int
) -> MaterialEvent:
    """The event is the issuer's, about this statement, and in a trusted log."""
    unverified = parse_event(logged.token)
    issuer = unverified.event.iss
    key = trust.list.find_key(issuer, unverified.key_id, "status")
    event = verify_event(unverified, key.public_key)
    checkpoint = None if logged.receipt is None else checks.check_logged(event.entry, logged.receipt, trust)
    check_key(
        key,
        entity=trust.list.find_entity(issuer),
        trust=trust,
        role="status",
        at=event.event.iat,
        now=now,
        proven_at=proofs.existed_by(checkpoint),
    )
    check_event_subject(event.event, claims)
    if checkpoint is None:
        raise UnavailableError("status.event-receipt", "a life-cycle event has no receipt")
    return event.event
