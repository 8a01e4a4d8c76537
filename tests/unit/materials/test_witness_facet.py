"""The facet ``witness``: the receipt's checkpoint by a policy of the relying party. Witnesses sign with PyNaCl."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from nacl.signing import SigningKey

from ledger import parse_policy
from materials.report import Facet, Verdict, VerificationReport
from signing import MlDsa44Signer, NoteKey, Secret, cosign, open_note, parse_note
from signing.notes.note_key import ML_DSA_44
from tests.support.evidence_world import World, said
from tests.support.materials_world import LOG_KEY, NOW, ORIGIN
from tests.support.witness_log import b64, key_id, vkey

WORLD = World()
SEEDS = {name: bytes([number]) * 32 for number, name in enumerate(("w1", "w2", "w3"), 40)}
KEYS = {name: bytes(SigningKey(seed).verify_key) for name, seed in SEEDS.items()}
WITNESSES = "".join(f"witness {name} {vkey(f'{name}.example', 4, KEYS[name])}\n" for name in SEEDS)
TWO_OF_THREE = f"{WITNESSES}group some 2 w1 w2 w3\nquorum some\n"
LOG_VKEY = vkey(ORIGIN, 1, LOG_KEY.public_key.raw)


def line(name: str, *, text: bytes | None = None, time: int = NOW) -> bytes:
    """A cosignature of the world's checkpoint, put together by hand (C2SP tlog-cosignature)."""
    message = b"cosignature/v1\ntime %d\n" % time + (text or parse_note(WORLD.checkpoint).text)
    blob = key_id(f"{name}.example", 4, KEYS[name]) + time.to_bytes(8) + SigningKey(SEEDS[name]).sign(message).signature
    return f"— {name}.example {b64(blob)}\n".encode()


def judge(lines: Sequence[bytes], policy: str = TWO_OF_THREE, **options: Any) -> VerificationReport:
    bundle = replace(WORLD.bundle, receipt=WORLD.receipt(0) + b"".join(lines))
    return WORLD.judge(bundle, witnesses=parse_policy(policy.encode()), **options)


def test_nobody_asked() -> None:
    bundle = replace(WORLD.bundle, receipt=WORLD.receipt(0) + line("w1"))
    assert WORLD.judge(bundle)[Facet.WITNESS].verdict is Verdict.NOT_CHECKED
    assert said(WORLD.judge(required=[Facet.WITNESS]), "witness") == {"witness": "undetermined: witness.missing"}


@pytest.mark.parametrize("names", [("w1", "w2"), ("w3", "w1"), ("w1", "w2", "w3")])
def test_a_quorum(names: Sequence[str]) -> None:
    report = judge([line(name) for name in names])
    assert said(report, "witness", "checkpoint", "inclusion") == {
        "witness": "valid: ok",
        "checkpoint": "valid: ok",
        "inclusion": "valid: ok",
    }


@pytest.mark.parametrize("names", [(), ("w2",), ("w2", "w2")])
def test_too_few_are_undetermined_and_named(names: Sequence[str]) -> None:
    """Missing evidence is not false evidence: more witnesses may sign yet."""
    report = judge([line(name) for name in names])
    assert said(report, "witness") == {"witness": "undetermined: witness.quorum"}
    assert "w1" in report[Facet.WITNESS].detail
    assert report.verdict is Verdict.UNDETERMINED


def test_a_false_line_is_invalid_beside_a_quorum() -> None:
    forged = line("w3", text=parse_note(WORLD.checkpoint).text.replace(b"\n1\n", b"\n2\n"))
    assert said(judge([line("w1"), line("w2"), forged]), "witness") == {"witness": "invalid: note.signature"}


def test_lines_of_strangers_count_for_nothing() -> None:
    one = f"witness w1 {vkey('w1.example', 4, KEYS['w1'])}\nquorum w1\n"
    assert said(judge([line("w2"), line("w3")], one), "witness") == {"witness": "undetermined: witness.quorum"}


def test_a_policy_that_names_the_log() -> None:
    lines = [line("w1"), line("w2")]
    assert said(judge(lines, f"log {LOG_VKEY}\n{TWO_OF_THREE}"), "witness") == {"witness": "valid: ok"}
    other = vkey("other.example", 1, KEYS["w1"])
    assert said(judge(lines, f"log {other}\n{TWO_OF_THREE}"), "witness") == {"witness": "invalid: policy.log"}
    false = vkey(ORIGIN, 1, bytes(SigningKey(b"\x09" * 32).verify_key))
    assert said(judge(lines, f"log {false}\n{TWO_OF_THREE}"), "witness") == {"witness": "invalid: policy.log"}


def test_no_quorum_must_be_written_to_be_meant() -> None:
    assert said(judge([], "quorum none\n"), "witness") == {"witness": "valid: ok"}


def test_with_a_witness_after_quantum() -> None:
    signer = MlDsa44Signer(Secret(b"\x05" * 32))
    key = NoteKey("pq.example", ML_DSA_44, signer.raw)
    opened = open_note(WORLD.checkpoint, [NoteKey.ed25519(ORIGIN, LOG_KEY.public_key.raw)])
    cosigned = cosign(opened, name="pq.example", signer=signer, time=NOW)
    policy = f"witness pq {key.format()}\nquorum pq\n"
    assert said(judge([cosigned], policy), "witness") == {"witness": "valid: ok"}
    other = cosign(opened, name="pq.example", signer=MlDsa44Signer(Secret(b"\x06" * 32)), time=NOW)
    blob = b64(key.key_id + base64.b64decode(other.split(b" ")[2])[4:])
    forged = f"— pq.example {blob}\n".encode()
    assert said(judge([forged], policy), "witness") == {"witness": "invalid: note.signature"}


def test_an_out_of_date_trust_list_leaves_it_open() -> None:
    report = judge([line("w1"), line("w2")], now=NOW + 400 * 86400)
    assert said(report, "witness") == {"witness": "undetermined: trust.expired"}
