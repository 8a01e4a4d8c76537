"""Makes finished anchor proofs: evidence of a node and the log's signed note, passed by our own offline verifier."""

from dataclasses import dataclass

from anchors.account import Account
from anchors.outbox import AnchorScope
from anchors.ports import Evidence
from anchors.profile import TrustProfile
from anchors.proof import AnchorProof, anchor_proof_to_json, read_anchor_proof
from anchors.verify import verify_anchor_proof
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


def capture_proof(target: AnchorTarget, note: bytes, evidence: Evidence) -> bytes:
    """Canonical ``anchor-proof/v1`` JSON of a checkpoint, verified as any reader will verify it.

    Of the lines on ``note`` only the log's own goes into the proof.
    Raises MalformedError or VerificationError if the evidence does not prove the note's checkpoint.
    """
    note = known_lines(open_note(note, [target.log_key]))
    checkpoint = read_checkpoint(note)
    proof = AnchorProof(
        profile_id=target.profile.profile_id,
        checkpoint_note=note,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        log_proof=None,
        header=evidence.header,
        handoff=(),
        contract=evidence.contract,
        account_proof=evidence.account_proof,
        root_proof=evidence.root_proof,
        meta_proof=evidence.meta_proof,
        head_proof=evidence.head_proof,
    )
    data = dump_json(anchor_proof_to_json(proof))
    verify_anchor_proof(read_anchor_proof(data), [target.profile], log_key=target.log_key)
    return data
