"""Frozen anchor proofs: they must verify for ever, and each bent one must fail with its code for ever."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from anchors import parse_profile, read_anchor_proof, verify_anchor_proof
from signing import LedgerError, NoteKey, dump_json

SETS = json.loads(Path(__file__).with_name("anchor_proofs.json").read_text("utf-8"))["sets"]
CASES = [(each, case) for each in SETS for case in each["cases"]]


def outcome(each: dict[str, Any], document: Any) -> str | None:
    try:
        proof = read_anchor_proof(dump_json(document))
        verify_anchor_proof(proof, [parse_profile(each["profile"])], log_key=NoteKey.parse(each["vkey"]))
    except LedgerError as error:
        return error.code
    return None


@pytest.mark.parametrize(("each", "case"), CASES, ids=[case["desc"] for _, case in CASES])
def test_vector(each: dict[str, Any], case: dict[str, Any]) -> None:
    assert outcome(each, each["base"]) is None
    document = target = deepcopy(each["base"])
    for step in case["path"][:-1]:
        target = target[step]
    target[case["path"][-1]] = case["value"]
    assert outcome(each, document) == case["expect"]
