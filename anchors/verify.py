"""Offline verification of an anchor proof against trusted profiles and the log's key (chain.md §5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from anchors.answers import AnswersProof, check_answers
from anchors.chain_state import verify_contract, verify_head, verify_header, verify_meta, verify_root
from anchors.claim import AnchorClaim
from anchors.contract import origin_id
from anchors.profile import Grade, TrustProfile, find_profile
from anchors.proof import AnyAnchorProof
from ledger import Checkpoint, RootHash, open_checkpoint, read_checkpoint, verify_extension
from signing import MalformedError, NoteKey, UnavailableError, VerificationError, parse_note


@dataclass(frozen=True, slots=True)
class VerifiedAnchor:
    """A checkpoint proved to be on the chain; only ``verify_anchor_proof`` makes one.

    ``block_number``, ``block_time`` and ``anchorer`` are what the contract stored when the anchor was written;
    ``as_of_block`` and ``as_of_time`` are of the sealed header that proves it. Times have the chain's unit (seconds on
    Besu) and are the validators' word. ``older`` is a checkpoint proved consistent with this one, if evidence was
    given; ``newest_size`` the size of the newest anchor of the origin as of that header, if proved.
    """

    checkpoint: Checkpoint
    older: Checkpoint | None
    profile_id: str
    chain_id: int
    contract: bytes
    block_number: int
    block_time: int
    anchorer: bytes
    as_of_block: int
    as_of_time: int
    as_of_hash: bytes
    newest_size: int | None
    grade: Grade

    def check_covers(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that this anchor says nothing about (VerificationError ``anchor.not-covered``)."""
        _check_covers(self, checkpoint)


def check_claim(proof: AnchorClaim) -> None:
    """Hold what a proof claims against the text of its own note, before any key or profile is looked for.

    Raises MalformedError (``anchor.note``, ``note.*``, ``checkpoint.*``), VerificationError (``anchor.checkpoint``).
    """
    if len(parse_note(proof.checkpoint_note).signatures) != 1:  # another line would be evidence that nobody checks
        raise MalformedError("anchor.note", "anchor proof: the checkpoint note needs exactly one signature line")
    checkpoint = read_checkpoint(proof.checkpoint_note)
    if (checkpoint.origin, checkpoint.size, checkpoint.root) != (proof.origin, proof.size, proof.root):
        raise VerificationError("anchor.checkpoint", "anchor proof: origin, size or root differ from the note's")


def _open_note(proof: AnchorClaim, log_key: NoteKey) -> Checkpoint:
    """Step 2."""
    check_claim(proof)
    return open_checkpoint(proof.checkpoint_note, log_key)


def _check_log_proof(proof: AnchorClaim, anchored: Checkpoint) -> Checkpoint | None:
    """Step 3."""
    if proof.log_proof is None:
        return None
    older = Checkpoint(anchored.origin, proof.log_proof.size, RootHash(proof.log_proof.root))
    if older.size == anchored.size:
        raise VerificationError("anchor.log-proof", "anchor proof: the older checkpoint is not older")
    try:
        verify_extension(older, anchored, proof.log_proof.hashes)
    except VerificationError:
        raise VerificationError("anchor.log-proof", "anchor proof: the older checkpoint is not consistent") from None
    return older


@dataclass(frozen=True, slots=True)
class RecordedAnchor:
    """A checkpoint that nodes said to be on the chain; only ``check_recorded_anchor`` makes one. Nothing is proved."""

    checkpoint: Checkpoint
    older: Checkpoint | None
    profile_id: str
    chain_id: int
    contract: bytes
    grade: Grade

    def check_covers(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that this record says nothing about (VerificationError ``anchor.not-covered``)."""
        _check_covers(self, checkpoint)


def _check_covers(anchor: VerifiedAnchor | RecordedAnchor, checkpoint: Checkpoint) -> None:
    if checkpoint not in (anchor.checkpoint, anchor.older):
        raise VerificationError("anchor.not-covered", "anchor proof: it is of another checkpoint of the log")


def check_recorded_anchor(proof: AnswersProof, profiles: Sequence[TrustProfile], *, log_key: NoteKey) -> RecordedAnchor:
    """Check the record of what nodes answered: for the home that made it. To all others it proves nothing.

    Raises as ``verify_anchor_proof`` does for a record that contradicts itself, the note or the profile.
    """
    profile = find_profile(profiles, proof.profile_id)
    checkpoint = _open_note(proof, log_key)
    older = _check_log_proof(proof, checkpoint)
    grade = check_answers(proof, profile)
    return RecordedAnchor(checkpoint, older, profile.profile_id, profile.chain_id, proof.contract, grade)


def verify_anchor_proof(proof: AnyAnchorProof, profiles: Sequence[TrustProfile], *, log_key: NoteKey) -> VerifiedAnchor:
    """Verify a proof offline, in the order of chain.md §5.3; no node is asked or believed.

    The caller MUST still compare ``checkpoint`` (or ``older``) with the one of the receipt: ``check_covers``.
    Raises MalformedError or VerificationError when the proof is invalid (codes ``anchor.*``, ``note.*``,
    ``checkpoint.*``, ``form.*``), UnavailableError when nothing can be said: ``anchor.profile-unknown``,
    ``anchor.unsupported``, ``anchor.as-answered``.
    """
    if isinstance(proof, AnswersProof):
        check_recorded_anchor(proof, profiles, log_key=log_key)
        raise UnavailableError("anchor.as-answered", "anchor proof: only what nodes said, which nobody can check")
    # 0 limits: parse_anchor_proof. 1 profile
    profile = find_profile(profiles, proof.profile_id)
    # 2 note, 3 log proof
    checkpoint = _open_note(proof, log_key)
    older = _check_log_proof(proof, checkpoint)
    # 4 header form, 5 hand-over, 6 seals
    sealed = verify_header(profile, proof.header, proof.handoff, proof.descendants)
    # 7 account
    contract = verify_contract(profile, sealed, proof.contract, proof.account_proof)
    # 8 slots, recomputed from (origin, size)
    origin = origin_id(checkpoint.origin)
    if verify_root(contract, origin, checkpoint.size, proof.root_proof) != checkpoint.root:
        raise VerificationError("anchor.root", "anchor proof: the contract holds another root for this size")
    meta = verify_meta(contract, origin, checkpoint.size, proof.meta_proof)
    # 9 newest known
    newest = None
    if proof.head_proof is not None:
        newest = verify_head(contract, origin, proof.head_proof).size
        if newest < checkpoint.size:
            raise VerificationError("anchor.head", "anchor proof: the contract's head is below the anchored size")
    return VerifiedAnchor(
        checkpoint=checkpoint,
        older=older,
        profile_id=profile.profile_id,
        chain_id=profile.chain_id,
        contract=proof.contract,
        block_number=meta.block_number,
        block_time=meta.time,
        anchorer=meta.anchorer,
        as_of_block=sealed.header.number,
        as_of_time=sealed.header.timestamp,
        as_of_hash=sealed.block_hash,
        newest_size=newest,
        grade=sealed.grade.capped(profile.max_grade),
    )
