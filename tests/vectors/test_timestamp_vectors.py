"""Frozen time stamps of OpenSSL's authority: they verify for ever, and no changed byte does."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from signing import LedgerError
from signing.rfc3161.timestamps import parse_timestamp, read_timestamp_response, timestamp_request, verify_timestamp
from signing.x509.certificates import Certificate, parse_certificate

SETS = json.loads(Path(__file__).with_name("signing_timestamps.json").read_text("utf-8"))["sets"]
IDS = [each["name"] for each in SETS]


@cache
def root_of(text: str) -> Certificate:
    return parse_certificate(base64.b64decode(text))


def judge(each: dict[str, Any], token: bytes) -> None:
    root = root_of(each["root"])
    timestamp = parse_timestamp(token)
    verified = verify_timestamp(
        timestamp, each["message"].encode(), roots=[root], crl_required=False, now=each["gen_time"]
    )
    assert (verified.gen_time, verified.proven_at) == (each["gen_time"], each["proven_at"])
    assert verified.authority == root.fingerprint


@pytest.mark.parametrize("each", SETS, ids=IDS)
def test_the_vector_verifies(each: dict[str, Any]) -> None:
    message, nonce = each["message"].encode(), int(each["nonce"], 16)
    assert timestamp_request(message, nonce=nonce) == base64.b64decode(each["request"])
    answer = read_timestamp_response(base64.b64decode(each["response"]), message=message, nonce=nonce)
    assert answer.token == base64.b64decode(each["token"])
    judge(each, answer.token)


@pytest.mark.parametrize("each", SETS, ids=IDS)
def test_no_changed_byte_verifies_and_no_other_error_escapes(each: dict[str, Any]) -> None:
    token = base64.b64decode(each["token"])
    for place in range(len(token)):
        for change in (0x01, token[place] or 0x80):
            bent = bytearray(token)
            bent[place] ^= change
            with pytest.raises(LedgerError):
                judge(each, bytes(bent))


@pytest.mark.parametrize("each", SETS, ids=IDS)
def test_a_token_cut_off_or_with_more_behind_it_is_no_token(each: dict[str, Any]) -> None:
    token = base64.b64decode(each["token"])
    for bent in (*(token[:size] for size in range(0, len(token), 7)), token + b"\x00", token + token):
        with pytest.raises(LedgerError):
            judge(each, bent)
