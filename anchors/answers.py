"""The anchor proof of kind ``answers``: what k of n nodes said, where a chain proves nothing (FISCO BCOS's web3 RPC).

Nobody signed it, so nobody but its maker can rely on it: it is a record for the home itself, graded ``as-answered``,
and *undetermined* to everybody else.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from anchors.claim import CLAIM_MEMBERS, CLAIM_OPTIONAL, AnchorClaim, claim_to_json, parse_claim
from anchors.hexdata import address_from_hex, hash_from_hex, to_hex
from anchors.ports import NodeAnswer
from anchors.profile import AnswersPolicy, Grade, TrustProfile
from signing import JsonValue, MalformedError, VerificationError, json_int, json_list, json_object, json_str

MAX_NODES: Final = 64
_MEMBERS: Final = ("node", "blockNumber", "blockHash", "root", "storedBlock", "storedTime", "anchorer")


@dataclass(frozen=True, slots=True)
class AnswersProof(AnchorClaim):
    """A parsed, unverified record: ``answers`` by name of the node, of ``asked`` nodes."""

    answers: tuple[NodeAnswer, ...]
    asked: int


def _answer(value: JsonValue) -> NodeAnswer:
    what = "anchor proof answers"
    members = json_object(value, what=what, required=_MEMBERS)
    return NodeAnswer(
        node=json_str(members["node"], what=f"{what} node", max_length=255),
        block_number=json_int(members["blockNumber"], what=f"{what} blockNumber"),
        block_hash=hash_from_hex(members["blockHash"], what=f"{what} blockHash"),
        root=hash_from_hex(members["root"], what=f"{what} root"),
        stored_block=json_int(members["storedBlock"], what=f"{what} storedBlock"),
        stored_time=json_int(members["storedTime"], what=f"{what} storedTime"),
        anchorer=address_from_hex(members["anchorer"], what=f"{what} anchorer"),
    )


def parse_answers_proof(value: JsonValue) -> AnswersProof:
    """Take a record apart; proves nothing. Raises MalformedError (``form.*``, ``anchor.answers``)."""
    what = "anchor proof"
    members = json_object(value, what=what, required=(*CLAIM_MEMBERS, "asked", "answers"), optional=CLAIM_OPTIONAL)
    answers = tuple(map(_answer, json_list(members["answers"], what=f"{what} answers", max_items=MAX_NODES)))
    if not answers or any(left.node >= right.node for left, right in pairwise(answers)):
        raise MalformedError("anchor.answers", f"{what}: no answers, or not in the order of the nodes' names")
    claim = parse_claim(members)
    return AnswersProof(
        profile_id=claim.profile_id,
        checkpoint_note=claim.checkpoint_note,
        origin=claim.origin,
        size=claim.size,
        root=claim.root,
        log_proof=claim.log_proof,
        contract=claim.contract,
        answers=answers,
        asked=json_int(members["asked"], what=f"{what} asked", minimum=len(answers), maximum=MAX_NODES),
    )


def answers_proof_to_json(proof: AnswersProof) -> dict[str, JsonValue]:
    """Write a record in the form ``parse_answers_proof`` reads."""
    return {
        **claim_to_json("answers", proof),
        "asked": proof.asked,
        "answers": [
            {
                "node": answer.node,
                "blockNumber": answer.block_number,
                "blockHash": to_hex(answer.block_hash),
                "root": to_hex(answer.root),
                "storedBlock": answer.stored_block,
                "storedTime": answer.stored_time,
                "anchorer": to_hex(answer.anchorer),
            }
            for answer in proof.answers
        ],
    }


def _refuse(why: str) -> VerificationError:
    return VerificationError("anchor.answers", f"anchor proof: {why}")


def _check_alike(proof: AnswersProof, policy: AnswersPolicy) -> None:
    if proof.asked > policy.nodes or len(proof.answers) < policy.equal:
        raise _refuse(f"not {policy.equal} answers of at most {policy.nodes} nodes")
    if len({(each.root, each.stored_block, each.stored_time, each.anchorer) for each in proof.answers}) != 1:
        raise _refuse("the answers differ")
    if proof.answers[0].root != proof.root:
        raise VerificationError("anchor.root", "anchor proof: the nodes said another root for this size")


def check_answers(proof: AnswersProof, profile: TrustProfile) -> Grade:
    """Hold a record against a profile that asks for no more: form and agreement, not that it is true.

    Raises VerificationError: ``anchor.answers``, ``anchor.contract``, ``anchor.root``, ``anchor.block``.
    """
    if profile.answers is None:
        raise _refuse("the profile asks for a proof, not for what nodes said")
    pin = profile.contract_at(proof.contract)
    if pin is None:
        raise VerificationError("anchor.contract", "anchor proof: the contract is not one of the profile")
    _check_alike(proof, profile.answers)
    if not all(pin.from_block <= each.stored_block <= each.block_number for each in proof.answers):
        raise VerificationError("anchor.block", "anchor proof: the stored block is not between contract and answer")
    return Grade.AS_ANSWERED.capped(profile.max_grade)
