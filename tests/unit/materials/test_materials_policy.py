"""Commitments and the registration policy, byte for byte."""

from typing import Any

import pytest

from materials.catalogue import schema_digest
from materials.commitment import Commitment, commit_to, format_commitment, parse_commitment
from materials.registry.policy import RULES, format_policy, parse_policy
from signing import MalformedError, dump_json, parse_json, sha256
from tests.support.materials_world import LICENCE, LIST_KEY, NOW, ORIGIN, policy, refuses

ENTRY = b"ematerials/commitment/v1\ngrant\nungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\n"


def test_commitment_bytes() -> None:
    commitment = commit_to("grant", "abc")
    assert commitment == Commitment("grant", sha256(b"abc"))
    assert format_commitment(commitment) == ENTRY
    assert parse_commitment(ENTRY) == commitment


def test_any_changed_byte_of_a_commitment_is_another_one_or_none() -> None:
    for place in range(len(ENTRY)):
        for new in (ENTRY[place] ^ 1, 0x00, 0x0A, 0xFF):
            changed = ENTRY[:place] + bytes([new]) + ENTRY[place + 1 :]
            if changed == ENTRY:
                continue
            try:
                assert parse_commitment(changed) != parse_commitment(ENTRY)
            except MalformedError:
                continue
    for length in range(len(ENTRY)):
        with pytest.raises(MalformedError):
            parse_commitment(ENTRY[:length])
    for more in (ENTRY + b"\n", b" " + ENTRY, ENTRY.replace(b"\n", b"\r\n"), ENTRY.replace(b"grant", b"Grant")):
        with refuses("form.commitment"):
            parse_commitment(more)


def test_commitments_that_are_not_made() -> None:
    for kind, digest in (("Grant", b"x" * 32), ("", b"x" * 32), ("grant", b"x" * 31), ("a\nb", b"x" * 32)):
        with refuses("form.commitment"):
            format_commitment(Commitment(kind, digest))


def test_policy_round_trip() -> None:
    entry = format_policy(policy())
    read = parse_policy(entry)
    assert read == policy()
    assert (read.origin, read.list_key, read.rules, read.iat) == (ORIGIN, LIST_KEY.public_key.key_id, RULES, NOW)
    assert read.types[LICENCE.vct] == schema_digest(LICENCE)
    assert len(entry) < 65_535


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": "ematerials/registration-policy/v2"}, "form.version"),
        ({"origin": "a b"}, "note.name"),
        ({"list_key": "short"}, "form.policy"),
        ({"region": "31"}, "form.region"),
        ({"types": {}}, "form.policy"),
        ({"types": []}, "form.policy"),
        ({"types": {"x": "00"}}, "form.policy"),
        ({"rules": []}, "policy.rules"),
        ({"rules": [*RULES, "anything-goes"]}, "form.size"),
        ({"rules": list(reversed(RULES))}, "policy.rules"),
        ({"iat": -1}, "form.range"),
        ({"more": 1}, "form.member"),
    ],
)
def test_policies_of_a_wrong_form(change: dict[str, Any], code: str) -> None:
    value: Any = parse_json(format_policy(policy()), what="x", max_bytes=10**6)
    with refuses(code, MalformedError):
        parse_policy(dump_json({**value, **change}))


def test_only_the_canonical_spelling_is_a_policy() -> None:
    entry = format_policy(policy())
    for other in (entry + b"\n", b" " + entry, entry.replace(b'"rules":', b'"rules": ')):
        with refuses("form.canonical", MalformedError):
            parse_policy(other)
    for garbage in (b"", b"null", b"\xff", entry[:-1], b"[" * 5000):
        with pytest.raises(MalformedError):
            parse_policy(garbage)
