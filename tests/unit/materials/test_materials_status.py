"""Token Status List: packing, bounded inflation, whose list it is, and when it counts."""

import gzip
import zlib
from typing import Any

import pytest

from materials.statement import StatusRef
from materials.status import (
    LIST_BYTES,
    LIST_ENTRIES,
    StatusList,
    StatusValue,
    check_status_current,
    check_status_update,
    issue_status_list,
    pack_statuses,
    parse_status_list,
    read_status,
    verify_status_list,
)
from signing import (
    MalformedError,
    UnavailableError,
    VerificationError,
    b64url_encode,
    parse_jws,
    sign_jws,
)
from tests.support.materials_world import DAY, ISSUER, NOW, OPERATOR, STATUS_KEY, STATUS_URI, STRANGER, refuses

STATUSES = {0: StatusValue.INVALID, 5: StatusValue.SUSPENDED, 7: StatusValue.INVALID, LIST_ENTRIES - 1: StatusValue(2)}


def _text(packed: bytes | None = None, **changes: Any) -> str:
    members = {"iss": ISSUER, "uri": STATUS_URI, "iat": NOW, "exp": NOW + DAY, "ttl": 3600} | changes
    return issue_status_list(STATUS_KEY, packed=pack_statuses(STATUSES) if packed is None else packed, **members)


def _list(packed: bytes | None = None, **changes: Any) -> StatusList:
    return verify_status_list(parse_status_list(_text(packed, **changes)), STATUS_KEY.public_key)


def _signed(*, inner: dict[str, Any] | None = None, **changes: Any) -> str:
    good = parse_jws(_text(), typ="statuslist+jwt", max_bytes=2**21).claims()
    good["status_list"] = {**good["status_list"], **(inner or {})}
    return sign_jws(STATUS_KEY, typ="statuslist+jwt", claims={**good, **changes})


def test_least_significant_bits_first() -> None:
    packed = pack_statuses({0: StatusValue.INVALID, 3: StatusValue.SUSPENDED, 4: StatusValue.INVALID})
    assert packed[:3] == bytes([0b10_00_00_01, 0b00_00_00_01, 0])
    assert len(packed) == LIST_BYTES == 262_144


def test_example_of_the_standard_with_two_bits() -> None:
    """Token Status List, "Status List encoding", bits = 2: 12 entries in 3 bytes."""
    values = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    packed = pack_statuses(dict(enumerate(values)))
    assert packed[:3].hex() == "c944f9"


def test_issue_verify_read() -> None:
    status_list = _list()
    assert {idx: status_list.status_at(idx) for idx in STATUSES} == STATUSES
    assert status_list.status_at(1) is StatusValue.VALID
    assert read_status(status_list, StatusRef(STATUS_URI, 7)) is StatusValue.INVALID
    assert (status_list.iss, status_list.uri, status_list.ttl) == (ISSUER, STATUS_URI, 3600)
    assert len(_text()) < 2000


@pytest.mark.parametrize("idx", [-1, LIST_ENTRIES, 2**40])
def test_index_out_of_range(idx: int) -> None:
    with refuses("status.index", VerificationError):
        _list().status_at(idx)
    with refuses("status.index", MalformedError):
        pack_statuses({idx: StatusValue.INVALID})


def test_status_type_not_in_use() -> None:
    packed = bytearray(LIST_BYTES)
    packed[0] = 3
    with refuses("status.unknown", VerificationError):
        _list(bytes(packed)).status_at(0)


def test_another_list_than_the_one_referred_to() -> None:
    with refuses("status.subject", VerificationError):
        read_status(_list(), StatusRef(STATUS_URI + "0", 7))


def test_another_key() -> None:
    with refuses("signature.key", VerificationError):
        verify_status_list(parse_status_list(_text()), STRANGER.public_key)


def _lst(data: bytes) -> dict[str, Any]:
    return {"lst": b64url_encode(data)}


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (_lst(gzip.compress(bytes(LIST_BYTES))), "status.packing"),
        (_lst(zlib.compress(bytes(LIST_BYTES - 1))), "status.packing"),
        (_lst(zlib.compress(bytes(LIST_BYTES + 1))), "status.packing"),
        (_lst(zlib.compress(bytes(50_000_000))), "status.packing"),
        (_lst(zlib.compress(bytes(LIST_BYTES)) + b"\x00"), "status.packing"),
        (_lst(zlib.compress(bytes(LIST_BYTES))[:-1]), "status.packing"),
        (_lst(zlib.compress(bytes(LIST_BYTES))[2:-4]), "status.packing"),
        (_lst(b""), "status.packing"),
        (_lst(bytes(LIST_BYTES)), "status.packing"),
        ({"lst": "u" + b64url_encode(zlib.compress(bytes(LIST_BYTES)))}, "status.packing"),
        ({"lst": b64url_encode(zlib.compress(bytes(LIST_BYTES))) + "="}, "form.base64url"),
        ({"lst": 5}, "form.type"),
        ({"bits": 1}, "status.bits"),
        ({"bits": 8}, "status.bits"),
        ({"bits": True}, "form.type"),
        ({"aggregation_uri": "https://x"}, "form.member"),
    ],
)
def test_packing_of_another_form(inner: dict[str, Any], code: str) -> None:
    with refuses(code, MalformedError):
        parse_status_list(_signed(inner=inner))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "x"}, "form.uri"),
        ({"exp": NOW}, "time.order"),
        ({"ttl": 0}, "form.range"),
        ({"ttl": "43200"}, "form.type"),
        ({"iat": 1.0}, "form.json"),
        ({"nbf": 1}, "form.member"),
        ({"iss": "x"}, "form.id"),
    ],
)
def test_claims_of_another_form(changes: dict[str, Any], code: str) -> None:
    with refuses(code, MalformedError):
        parse_status_list(_signed(**changes))


@pytest.mark.parametrize("member", ["exp", "ttl", "iat", "sub", "iss", "status_list"])
def test_members_that_must_be_there(member: str) -> None:
    good = parse_jws(_text(), typ="statuslist+jwt", max_bytes=2**21).claims()
    del good[member]
    with refuses("form.member", MalformedError):
        parse_status_list(sign_jws(STATUS_KEY, typ="statuslist+jwt", claims=good))


def test_other_kinds_and_sizes() -> None:
    with refuses("form.typ", MalformedError):
        parse_status_list(sign_jws(STATUS_KEY, typ="dc+sd-jwt", claims={}))
    with refuses("form.size", MalformedError):
        parse_status_list("x" * (2 * 1024 * 1024 + 1))


def test_any_changed_character_is_refused() -> None:
    text = _text()
    for place in range(0, len(text), 5):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_status_list(parse_status_list(changed), STATUS_KEY.public_key)


def test_old_and_future_lists() -> None:
    check_status_current(_list(), now=NOW)
    check_status_current(_list(), now=NOW + DAY + 59)
    with refuses("status.expired", UnavailableError):
        check_status_current(_list(), now=NOW + DAY + 60)
    with refuses("time.not-yet", VerificationError):
        check_status_current(_list(), now=NOW - 61)


def test_invalid_never_returns() -> None:
    old = _list()
    check_status_update(old, _list(pack_statuses({**STATUSES, 9: StatusValue.INVALID}), iat=NOW + 1))
    check_status_update(old, _list(pack_statuses({**STATUSES, 5: StatusValue.VALID}), iat=NOW + 1))
    check_status_update(old, _list(pack_statuses({**STATUSES, 5: StatusValue.INVALID}), iat=NOW + 1))
    for value in (StatusValue.VALID, StatusValue.SUSPENDED):
        with refuses("status.final", VerificationError):
            check_status_update(old, _list(pack_statuses({**STATUSES, 7: value}), iat=NOW + 1))
    with refuses("status.order", VerificationError):
        check_status_update(old, _list(iat=NOW - 1))
    for other in ({"uri": STATUS_URI + "2"}, {"iss": OPERATOR}):
        with refuses("status.subject", VerificationError):
            check_status_update(old, _list(**other))


def test_full_list_stays_below_the_limit() -> None:
    noise = bytes((n * n * 2654435761 >> 7) & 0b10101010 for n in range(LIST_BYTES))
    assert len(_text(noise)) < 2 * 1024 * 1024
