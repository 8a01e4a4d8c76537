"""What nodes answered, where a chain proves nothing: a record in order, and undetermined to everybody else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anchors import (
    Answers,
    AnswersPolicy,
    AnswersProof,
    Consensus,
    Grade,
    HandoffPolicy,
    NodeAnswer,
    TrustProfile,
    anchor_proof_to_json,
    check_recorded_anchor,
    parse_anchor_proof,
    parse_profile,
    profile_to_json,
    read_anchor_proof,
    verify_anchor_proof,
)
from anchors.account import MemoryAccount
from anchors.capture import AnchorTarget, capture_proof, check_stored_proof
from signing import LedgerError, MalformedError, Secret, UnavailableError, VerificationError, dump_json, sha256
from tests.support.anchor_forge import ANCHORER, CONTRACT, LOG_KEY, forge_proof, make_profile

FORGED = forge_proof()
ROOT = FORGED.proof.root
PROFILE = replace(
    make_profile([], consensus=Consensus.FISCO, quorum_rule="weight", handoff=HandoffPolicy(False, 0, 4)),
    validator_sets=(),
    answers=AnswersPolicy(2, 3),
)
SAID = tuple(NodeAnswer(f"node-{n}", 20 + n, sha256(b"%d" % n), ROOT, 15, 1_799_999_000, ANCHORER) for n in (2, 0, 1))
ANSWERS = Answers(20, SAID[0].block_hash, CONTRACT, ROOT, SAID[:2], 3)


def captured(answers: Answers = ANSWERS, profile: TrustProfile = PROFILE) -> bytes:
    target = AnchorTarget(profile, CONTRACT, LOG_KEY, MemoryAccount(Secret(bytes(31) + b"\1")))
    return capture_proof(target, FORGED.proof.checkpoint_note, answers)


def record() -> AnswersProof:
    proof = read_anchor_proof(captured())
    assert isinstance(proof, AnswersProof)
    return proof


def test_a_record_is_kept_and_proves_nothing() -> None:
    data = captured()
    assert dump_json(anchor_proof_to_json(record())) == data
    recorded = check_stored_proof(data, [PROFILE], log_key=LOG_KEY)
    assert (recorded.checkpoint.size, recorded.grade) == (7, Grade.AS_ANSWERED)
    with pytest.raises(UnavailableError) as caught:
        verify_anchor_proof(record(), [PROFILE], log_key=LOG_KEY)
    assert caught.value.code == "anchor.as-answered"


def test_a_development_profile_caps_the_grade() -> None:
    profile = replace(PROFILE, max_grade=Grade.UNSEALED_DEV)
    assert check_recorded_anchor(record(), [profile], log_key=LOG_KEY).grade is Grade.UNSEALED_DEV


def all_say(**changes: object) -> Callable[[AnswersProof], AnswersProof]:
    return lambda proof: replace(proof, answers=tuple(replace(each, **changes) for each in proof.answers))


def one_says(**changes: object) -> Callable[[AnswersProof], AnswersProof]:
    return lambda proof: replace(proof, answers=(replace(proof.answers[0], **changes), *proof.answers[1:]))


BENT: dict[str, tuple[Callable[[AnswersProof], AnswersProof], str]] = {
    "too few": (lambda proof: replace(proof, answers=proof.answers[:1]), "anchor.answers"),
    "of too many": (lambda proof: replace(proof, asked=4), "anchor.answers"),
    "another root": (one_says(root=bytes(32)), "anchor.answers"),
    "all say another root": (all_say(root=bytes(32)), "anchor.root"),
    "another time": (one_says(stored_time=1), "anchor.answers"),
    "another account": (one_says(anchorer=bytes(20)), "anchor.answers"),
    "before the contract": (all_say(stored_block=0), "anchor.block"),
    "after the answer": (all_say(stored_block=99), "anchor.block"),
    "another contract": (lambda proof: replace(proof, contract=bytes(20)), "anchor.contract"),
    "another size": (lambda proof: replace(proof, size=8), "anchor.checkpoint"),
}


@pytest.mark.parametrize("name", list(BENT))
def test_records_that_contradict_something(name: str) -> None:
    bend, code = BENT[name]
    for check in (check_recorded_anchor, verify_anchor_proof):
        with pytest.raises(VerificationError) as caught:
            check(bend(record()), [PROFILE], log_key=LOG_KEY)
        assert caught.value.code == code


def test_a_record_never_stands_for_a_proof() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_anchor_proof(record(), [FORGED.profile], log_key=LOG_KEY)
    assert caught.value.code == "anchor.answers"
    with pytest.raises(UnavailableError) as unsupported:
        verify_anchor_proof(FORGED.proof, [PROFILE], log_key=LOG_KEY)
    assert unsupported.value.code == "anchor.unsupported"


def test_forms() -> None:
    value: dict[str, Any] = anchor_proof_to_json(record())
    answers = value["answers"]
    for change in (
        {"answers": []},
        {"answers": answers[::-1]},
        {"answers": answers[:1] * 2},
        {"answers": answers * 33},
        {"asked": 1},
        {"asked": 65},
        {"headers": []},
        {"answers": [{**answers[0], "weight": 1}, answers[1]]},
    ):
        with pytest.raises(MalformedError):
            parse_anchor_proof({**value, **change})


@pytest.mark.parametrize("policy", [AnswersPolicy(1, 2), AnswersPolicy(2, 4), AnswersPolicy(3, 2), None])
def test_profiles_that_ask_for_too_little(policy: AnswersPolicy | None) -> None:
    assert parse_profile(profile_to_json(PROFILE)) == PROFILE
    with pytest.raises(MalformedError):
        parse_profile(profile_to_json(replace(PROFILE, answers=policy)))
    with pytest.raises(MalformedError):
        parse_profile(profile_to_json(replace(FORGED.profile, answers=AnswersPolicy(2, 3))))


def test_any_changed_byte_never_makes_it_valid() -> None:
    data = captured()
    for position in range(len(data)):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        with pytest.raises(LedgerError):
            verify_anchor_proof(read_anchor_proof(changed), [PROFILE], log_key=LOG_KEY)
