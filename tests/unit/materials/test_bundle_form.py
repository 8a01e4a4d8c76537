"""The bundle's JSON: what is optional is absent when empty, and every limit holds before anything is judged."""

import json
from dataclasses import replace
from typing import Any

import pytest

from materials.bundle import Bundle, BundledTimestamp, format_bundle, parse_bundle
from signing import MalformedError, b64_encode, dump_json
from signing.rfc3161.timestamps import TIMESTAMP_MAX_BYTES
from signing.x509.revocation import CRL_MAX_BYTES
from tests.support.materials_world import refuses

PLAIN = Bundle("a.b.c~", b"receipt")
FULL = replace(
    PLAIN,
    signatures=("a..b", "c..d"),
    timestamps=(BundledTimestamp("statement", b"\x30\x00"), BundledTimestamp("checkpoint", b"\x30\x00")),
    crls=(b"\x30\x00", b"\x30\x01"),
)


def test_a_bundle_without_the_new_members_keeps_its_bytes() -> None:
    assert format_bundle(PLAIN) == (
        b'{"events":[],"receipt":"receipt","statement":"a.b.c~","version":"ematerials/bundle/v1"}'
    )
    assert parse_bundle(format_bundle(PLAIN)) == PLAIN


def test_the_new_members_there_and_back() -> None:
    data = format_bundle(FULL)
    assert parse_bundle(data) == FULL
    assert format_bundle(parse_bundle(data)) == data
    members = json.loads(data)
    assert members["signatures"] == ["a..b", "c..d"]
    assert members["timestamps"] == [
        {"over": "statement", "token": "MAA="},
        {"over": "checkpoint", "token": "MAA="},
    ]
    assert members["crls"] == ["MAA=", "MAE="]


STAMP = {"over": "statement", "token": "MAA="}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"signatures": []}, "form.size"),
        ({"timestamps": []}, "form.size"),
        ({"crls": []}, "form.size"),
        ({"signatures": None}, "form.type"),
        ({"signatures": "a..b"}, "form.type"),
        ({"signatures": [1]}, "form.type"),
        ({"signatures": ["a..b", "a..b"]}, "form.repeated"),
        ({"signatures": [f"{n}..b" for n in range(5)]}, "form.size"),
        ({"signatures": ["a" * 2049]}, "form.size"),
        ({"timestamps": [STAMP, STAMP]}, "form.repeated"),
        ({"timestamps": [STAMP | {"token": b64_encode(bytes([n]))} for n in range(9)]}, "form.size"),
        ({"timestamps": [STAMP | {"over": "receipt"}]}, "form.code"),
        ({"timestamps": [STAMP | {"over": None}]}, "form.code"),
        ({"timestamps": [STAMP | {"over": []}]}, "form.code"),
        ({"timestamps": [STAMP | {"gen_time": 1}]}, "form.member"),
        ({"timestamps": [{"over": "statement"}]}, "form.member"),
        ({"timestamps": [STAMP | {"token": "MAA"}]}, "form.base64"),
        ({"timestamps": [STAMP | {"token": "MAB="}]}, "form.base64"),
        ({"timestamps": [STAMP | {"token": b64_encode(bytes(TIMESTAMP_MAX_BYTES + 1))}]}, "form.size"),
        ({"timestamps": [STAMP | {"token": b64_encode(bytes(TIMESTAMP_MAX_BYTES + 3))}]}, "form.size"),
        ({"crls": ["MAA=", "MAA="]}, "form.repeated"),
        ({"crls": [b64_encode(bytes([n])) for n in range(9)]}, "form.size"),
        ({"crls": ["MAA"]}, "form.base64"),
        ({"crls": [b64_encode(bytes(CRL_MAX_BYTES + 1))]}, "form.size"),
        ({"signature": ["a..b"]}, "form.member"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], code: str) -> None:
    members = json.loads(format_bundle(PLAIN)) | changed
    with refuses(code, MalformedError):
        parse_bundle(dump_json(members))


def test_repr_shows_no_member_that_could_be_large_or_private() -> None:
    shown = repr(FULL)
    assert "a.b.c" not in shown
    assert "a..b" not in shown
    assert "x30" not in shown
