"""The request for a material: its form and its digest."""

from dataclasses import replace
from typing import Any

import pytest

from materials.grants.requests import (
    REQUEST_VERSION,
    check_idempotency_key,
    parse_request,
    request_digest,
    request_to_json,
)
from materials.ids import MaterialId
from signing import JsonValue, MalformedError
from tests.support import grants_world as w

FORM = request_to_json(w.REQUEST)


def test_a_request_is_read_back_as_written() -> None:
    assert parse_request(FORM) == w.REQUEST


def test_the_digest_is_that_of_the_canonical_form() -> None:
    request = replace(w.REQUEST, purpose=replace(w.PURPOSE, biz_num="C-1"), material=MaterialId("em-" + "a" * 26))
    assert request_digest(request).hex() == "f4b6ae8ad8480d049229b7ae9dfd107a25ff9104aea5fa402e29bc3502b86074"


def test_the_order_of_claims_does_not_change_the_request() -> None:
    swapped = parse_request({**FORM, "claims": ["holder_name", "address"]})
    assert request_digest(swapped) == request_digest(w.REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": replace(w.PURPOSE, biz_num="C-1")},
        {"purpose": replace(w.PURPOSE, item_code="1")},
        {"action": "retrieve/files"},
        {"vct": w.OTHER_VCT},
        {"material": w.other_material()},
        {"claims": ("address",)},
        {"location": replace(w.PLACE, department=f"{w.DEPARTMENT}/a")},
    ],
)
def test_every_part_of_the_request_is_in_its_digest(change: dict[str, Any]) -> None:
    assert request_digest(replace(w.REQUEST, **change)) != request_digest(w.REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "ematerials/retrieval-request/v2"},
        {"purpose": {**w.PURPOSE.to_json(), "biz_num": ""}},
        {"action": "retrieve"},
        {"action": "preview"},
        {"action": "delete"},
        {"action": ["retrieve/fields"]},
        {"action": "retrieve/files"},  # without the claim "files"
        {"claims": []},
        {"claims": ["address", "address"]},
        {"claims": ["*"]},
        {"claims": ["张三"]},
        {"claims": ["c"] * 65},
        {"claims": "address"},
        {"material": "em-x"},
        {"vct": "urn:"},
        {"location": None},
        {"extra": 1},
    ],
)
def test_a_request_that_is_not_of_the_form(change: dict[str, JsonValue]) -> None:
    with pytest.raises(MalformedError):
        parse_request({**FORM, **change})


@pytest.mark.parametrize("name", sorted(FORM))
def test_every_member_is_needed(name: str) -> None:
    with pytest.raises(MalformedError):
        parse_request({member: value for member, value in FORM.items() if member != name})


@pytest.mark.parametrize("value", [None, [], "x", 3, True])
def test_other_json_is_no_request(value: JsonValue) -> None:
    with pytest.raises(MalformedError):
        parse_request(value)


def test_the_version_is_named() -> None:
    assert FORM["version"] == REQUEST_VERSION


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "sixteen chars and blanks", "密" * 16, "x" * 16 + "\n"])
def test_idempotency_keys_have_a_form(key: str) -> None:
    with pytest.raises(MalformedError):
        check_idempotency_key(key)


def test_a_uuid_is_an_idempotency_key() -> None:
    assert check_idempotency_key("0d9be6a0-6e9b-4f0e-9a3b-2f6f3c1c7f7a")
