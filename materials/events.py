"""Life-cycle events of a material (``material-event+jwt``): why and from when its status changed.

The status list says what is so now; the events, each in the log, say what was so on a given day. Events carry codes
only. They are signed with a key of role ``status`` of the entity that issued the statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from materials.claims import StatementClaims
from materials.ids import EntityId, EventId, MaterialId, check_code, check_id, check_material_id, check_organisation_id
from materials.status import StatusValue
from signing.errors import MalformedError, RefusedError, VerificationError
from signing.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import KeyId, PublicKey, Signer
from signing.strict_json import JsonValue, json_int, json_object, json_str

EVENT_TYP: Final = "material-event+jwt"
MAX_EVENT_BYTES: Final = 8 * 1024


class EventCode(StrEnum):
    """What happened. In brackets the Chinese term and its code in the national interface, where there is one."""

    SUSPENDED = "suspended"  # 暂扣 02: may return
    REINSTATED = "reinstated"  # 暂扣发还: back to 有效 01
    ANNULLED = "annulled"  # 撤销 03: the issue was wrong
    CANCELLED = "cancelled"  # 注销 04: the ordinary end
    LAPSED = "lapsed"  # 失效 05
    TRANSFERRED_OUT = "transferred-out"  # 办理转出 06
    REVOKED = "revoked"  # 吊销 07: a penalty
    SUPERSEDED = "superseded"  # 换发, 变更: a successor is named
    RESTRICTED = "restricted"  # kept and protected only, no use (个人信息保护法 47): may return


STATUS_AFTER: Final[Mapping[EventCode, StatusValue]] = {
    EventCode.SUSPENDED: StatusValue.SUSPENDED,
    EventCode.RESTRICTED: StatusValue.SUSPENDED,
    EventCode.REINSTATED: StatusValue.VALID,
    EventCode.ANNULLED: StatusValue.INVALID,
    EventCode.CANCELLED: StatusValue.INVALID,
    EventCode.LAPSED: StatusValue.INVALID,
    EventCode.TRANSFERRED_OUT: StatusValue.INVALID,
    EventCode.REVOKED: StatusValue.INVALID,
    EventCode.SUPERSEDED: StatusValue.INVALID,
}

_NATIONAL_CODES: Final[Mapping[EventCode, str]] = {
    EventCode.REINSTATED: "01",
    EventCode.SUSPENDED: "02",
    EventCode.ANNULLED: "03",
    EventCode.CANCELLED: "04",
    EventCode.LAPSED: "05",
    EventCode.TRANSFERRED_OUT: "06",
    EventCode.REVOKED: "07",
}


def national_status_code(code: EventCode) -> str:
    """The status code of the national interface that the material has after the event; ``99`` where it has none."""
    return _NATIONAL_CODES.get(code, "99")


@dataclass(frozen=True, slots=True)
class MaterialEvent:
    """One event. ``sub`` is the ``jti`` of the statement; times are Unix seconds.

    ``effective`` may lie before or after ``iat``. ``successor`` is the new statement of a superseded material, and may
    be named for one that was transferred out.
    """

    jti: EventId
    iss: EntityId
    sub: MaterialId
    code: EventCode
    reason: str
    iat: int
    effective: int
    successor: MaterialId | None = None


@dataclass(frozen=True, slots=True)
class UnverifiedEvent:
    """A well-formed event that nothing vouches for yet."""

    event: MaterialEvent
    jws: UnverifiedJws = field(repr=False)

    @property
    def key_id(self) -> KeyId:
        """The key that the header names."""
        return self.jws.kid

    @property
    def entry(self) -> bytes:
        """The log entry: the signed text."""
        return self.jws.text.encode("ascii")


@dataclass(frozen=True, slots=True)
class VerifiedEvent:
    """An event whose signature verified; only ``verify_event`` makes one."""

    event: MaterialEvent
    key_id: KeyId
    entry: bytes = field(repr=False)


def issue_event(signer: Signer, event: MaterialEvent) -> str:
    """Sign an event with the status key of ``event.iss``; raises MalformedError if a member has not its form."""
    claims: dict[str, JsonValue] = {
        "effective": event.effective,
        "event": event.code.value,
        "iat": event.iat,
        "iss": event.iss,
        "jti": event.jti,
        "reason": event.reason,
        "sub": event.sub,
    }
    if event.successor is not None:
        claims["successor"] = event.successor
    text = sign_jws(signer, typ=EVENT_TYP, claims=claims)
    parse_event(text)
    return text


def parse_event(text: str) -> UnverifiedEvent:
    """Take an event apart; nothing is proved. Raises MalformedError: ``form.*``, ``event.successor``."""
    jws = parse_jws(text, typ=EVENT_TYP, max_bytes=MAX_EVENT_BYTES)
    claims = json_object(
        jws.claims(),
        what="event",
        required=("effective", "event", "iat", "iss", "jti", "reason", "sub"),
        optional=("successor",),
    )
    event = MaterialEvent(
        jti=EventId(check_id(json_str(claims["jti"], what="jti"), prefix="ev", what="jti")),
        iss=check_organisation_id(json_str(claims["iss"], what="iss"), what="iss"),
        sub=check_material_id(json_str(claims["sub"], what="sub"), what="sub"),
        code=_event_code(json_str(claims["event"], what="event")),
        reason=check_code(json_str(claims["reason"], what="reason"), what="reason"),
        iat=json_int(claims["iat"], what="iat"),
        effective=json_int(claims["effective"], what="effective"),
        successor=check_material_id(json_str(claims["successor"], what="successor"), what="successor")
        if "successor" in claims
        else None,
    )
    _check_successor(event)
    return UnverifiedEvent(event, jws)


def _event_code(text: str) -> EventCode:
    try:
        return EventCode(text)
    except ValueError:
        raise MalformedError("form.code", "event: not an event of a material's life") from None


def _check_successor(event: MaterialEvent) -> None:
    may_name_one = event.code in {EventCode.SUPERSEDED, EventCode.TRANSFERRED_OUT}
    must_name_one = event.code is EventCode.SUPERSEDED
    if (event.successor is None and must_name_one) or (event.successor is not None and not may_name_one):
        raise MalformedError("event.successor", f"event {event.code}: a successor is missing, or out of place")
    if event.successor == event.sub:
        raise MalformedError("event.successor", "event: a material can't succeed itself")


def verify_event(unverified: UnverifiedEvent, key: PublicKey) -> VerifiedEvent:
    """Check the signature with the status key of the event's ``iss``; raises VerificationError (``signature.*``)."""
    verified = verify_jws(unverified.jws, key)
    return VerifiedEvent(unverified.event, verified.key_id, unverified.entry)


def check_event_subject(event: MaterialEvent, claims: StatementClaims) -> None:
    """Return if ``event`` is about the statement with these claims, and its issuer says so.

    Raises VerificationError: ``event.subject``, ``event.issuer``.
    """
    if event.sub != claims.jti:
        raise VerificationError("event.subject", "event: about another material")
    if event.iss != claims.iss:
        raise VerificationError("event.issuer", "event: not from the issuer of the material")


def next_status(current: StatusValue, code: EventCode) -> StatusValue:
    """The status after an event. Raises RefusedError ``status.final``: nothing follows INVALID."""
    if current is StatusValue.INVALID:
        raise RefusedError("status.final", "the material has ended; its status can't change any more")
    return STATUS_AFTER[code]


def status_from_events(events: Sequence[MaterialEvent], at: int) -> StatusValue:
    """The status on a day: ``events`` of one material, in log order, taken by the time each is effective from.

    Events effective after ``at`` do not count; of two effective at the same second the later in the log does; what
    ended stays ended.
    """
    status = StatusValue.VALID
    for event in sorted(events, key=lambda event: event.effective):
        if event.effective <= at and status is not StatusValue.INVALID:
            status = STATUS_AFTER[event.code]
    return status
