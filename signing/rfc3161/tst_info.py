"""What a time-stamping authority states: ``TSTInfo`` (RFC 3161 §2.4.2), read strictly."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from signing.errors import MalformedError, VerificationError
from signing.rfc3161.der_values import (
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    by_tag,
    context,
    read_algorithm,
    read_integer,
    read_members,
    read_oid,
)
from signing.x509.der import Element, read_elements, read_sequence

_WHAT: Final = "time stamp"
_TRUE: Final = b"\xff"
_MILLIS, _MICROS = 0x80, 0x81
_TIME: Final = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")
_ACCURACY_MAX_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class TstInfo:
    """The statement: the message with digest ``imprint`` (algorithm by its OID) existed at ``gen_time``.

    ``gen_time`` is in Unix seconds, rounded down; ``existed_by`` is the end of the span that the authority answers for,
    its time with the fraction of a second and its stated accuracy, rounded up. ``policy`` is the OID of its rules.
    """

    gen_time: int
    existed_by: int
    imprint_algorithm: str
    imprint: bytes
    policy: str
    nonce: int | None


def read_tst_info(data: bytes) -> TstInfo:
    """Read the DER of a ``TSTInfo``.

    Its serial number and the authority's name are not kept: nothing is decided by them. Raises MalformedError
    (``form.der``, ``timestamp.form``), VerificationError (``timestamp.extension``) for a critical extension.
    """
    members = read_sequence(data, what=_WHAT)
    version, policy, imprint, serial, time = _required(members)
    optional = by_tag(members[5:], SEQUENCE, BOOLEAN, INTEGER, context(0), context(1), what=_WHAT)
    if read_integer(version, what=_WHAT) != 1:
        raise MalformedError("timestamp.form", "time stamp: the version is not 1")
    read_integer(serial, what=_WHAT)
    if BOOLEAN in optional and optional[BOOLEAN].content != _TRUE:
        raise MalformedError("form.der", "time stamp: ordering is not in its one spelling")
    _check_extensions(optional.get(context(1)))
    algorithm, digest = read_members(imprint, SEQUENCE, OCTET_STRING, what=_WHAT)
    nanoseconds = _read_time(time.content)
    accuracy = _read_accuracy(optional.get(SEQUENCE))
    return TstInfo(
        gen_time=nanoseconds // 10**9,
        existed_by=-(-(nanoseconds + accuracy) // 10**9),
        imprint_algorithm=read_algorithm(algorithm, what=_WHAT),
        imprint=digest.content,
        policy=read_oid(policy, what=_WHAT),
        nonce=read_integer(optional[INTEGER], what=_WHAT) if INTEGER in optional else None,
    )


def _required(members: tuple[Element, ...]) -> tuple[Element, ...]:
    if [member.tag for member in members[:5]] != [INTEGER, OID, SEQUENCE, INTEGER, GENERALIZED_TIME]:
        raise MalformedError("form.der", "time stamp: version, policy, imprint, serial number and time are needed")
    return members[:5]


def _read_time(content: bytes) -> int:
    """Nanoseconds since 1970 of ``YYYYMMDDhhmmss[.f…]Z``, the fraction without zeros at its end (RFC 3161 §2.4.2)."""
    match = _TIME.fullmatch(content)
    try:
        if match is not None:
            moment = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            seconds = int(moment.timestamp())
            if seconds >= 0:
                return seconds * 10**9 + int((match[2] or b"0").ljust(9, b"0"))
    except ValueError:
        pass
    raise MalformedError("timestamp.form", "time stamp: not a time of day in UTC, to the second or finer")


def _read_accuracy(element: Element | None) -> int:
    """The stated accuracy in nanoseconds; 0 if the authority states none."""
    if element is None:
        return 0
    parts = by_tag(read_elements(element.content, what=_WHAT), INTEGER, _MILLIS, _MICROS, what=_WHAT)
    values = {tag: read_integer(part, what=_WHAT) for tag, part in parts.items()}
    if not 0 <= values.get(INTEGER, 0) <= _ACCURACY_MAX_SECONDS or not all(
        1 <= values.get(tag, 1) <= 999 for tag in (_MILLIS, _MICROS)
    ):
        raise MalformedError("timestamp.form", "time stamp: accuracy out of range (a day; 1 to 999 for the parts)")
    return values.get(INTEGER, 0) * 10**9 + values.get(_MILLIS, 0) * 10**6 + values.get(_MICROS, 0) * 10**3


def _check_extensions(element: Element | None) -> None:
    """None is known, so none may be critical."""
    for extension in () if element is None else read_elements(element.content, what=_WHAT):
        members = read_elements(extension.content, what=_WHAT)
        if [member.tag for member in members] != [OID, OCTET_STRING]:
            raise VerificationError(
                "timestamp.extension", "time stamp: an extension that must be understood is unknown"
            )
