"""Makes finished anchor proofs: evidence of a node and the log's signed note, passed by our own offline verifier."""

from collections.abc import Sequence
from dataclasses import dataclass

from anchors.account import Account
from anchors.answers import AnswersProof
from anchors.claim import AnchorClaim
from anchors.outbox import AnchorScope
from anchors.ports import Answers, Evidence
from anchors.profile import TrustProfile
from anchors.proof import AnchorProof, anchor_proof_to_json, read_anchor_proof
from anchors.verify import RecordedAnchor, VerifiedAnchor, check_recorded_anchor, verify_anchor_proof
from ledger import known_lines, read_checkpoint
from signing import NoteKey, dump_json, open_note


@dataclass(frozen=True, slots=True)
class AnchorTarget:
    """Where one log is anchored and by whom.

    ``account`` is one that the origin's admin has allowed; ``gas_price`` in wei.
    """

    profile: TrustProfile
    contract: bytes
    log_key: NoteKey
    account: Account
    gas_price: int = 0

    @property
    def scope(self) -> AnchorScope:
        """What the outbox is about."""
        return AnchorScope(self.profile.chain_id, self.contract, self.log_key.name)


def capture_proof(target: AnchorTarget, note: bytes, evidence: Evidence | Answers) -> bytes:
    """Canonical ``anchor-proof/v1`` JSON of a checkpoint, verified as any reader will verify it.

    Of the lines on ``note`` only the log's own goes into the proof. Answers make a record that is checked as far as it
    can be. Raises MalformedError or VerificationError if the evidence does not prove the note's checkpoint.
    """
    note = known_lines(open_note(note, [target.log_key]))
    checkpoint = read_checkpoint(note)
    claim = AnchorClaim(
        profile_id=target.profile.profile_id,
        checkpoint_note=note,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        log_proof=None,
        contract=evidence.contract,
    )
    proof = _answers_proof(claim, evidence) if isinstance(evidence, Answers) else _storage_proof(claim, evidence)
    data = dump_json(anchor_proof_to_json(proof))
    check_stored_proof(data, [target.profile], log_key=target.log_key)
    return data


def check_stored_proof(
    data: bytes, profiles: Sequence[TrustProfile], *, log_key: NoteKey
) -> VerifiedAnchor | RecordedAnchor:
    """Check a proof that this home made: verified, or, of kind ``answers``, in order as a record."""
    proof = read_anchor_proof(data)
    if isinstance(proof, AnswersProof):
        return check_recorded_anchor(proof, profiles, log_key=log_key)
    return verify_anchor_proof(proof, profiles, log_key=log_key)


def _answers_proof(claim: AnchorClaim, said: Answers) -> AnswersProof:
    return AnswersProof(
        profile_id=claim.profile_id,
        checkpoint_note=claim.checkpoint_note,
        origin=claim.origin,
        size=claim.size,
        root=claim.root,
        log_proof=claim.log_proof,
        contract=claim.contract,
        answers=tuple(sorted(said.answers, key=lambda answer: answer.node)),
        asked=said.asked,
    )


def _storage_proof(claim: AnchorClaim, evidence: Evidence) -> AnchorProof:
    return AnchorProof(
        profile_id=claim.profile_id,
        checkpoint_note=claim.checkpoint_note,
        origin=claim.origin,
        size=claim.size,
        root=claim.root,
        log_proof=claim.log_proof,
        contract=claim.contract,
        header=evidence.header,
        handoff=evidence.handoff,
        descendants=evidence.descendants,
        account_proof=evidence.account_proof,
        root_proof=evidence.root_proof,
        meta_proof=evidence.meta_proof,
        head_proof=evidence.head_proof,
    )
