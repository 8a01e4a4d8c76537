"""Checks of log, chain and file behind a verification report: each returns what it proved, or raises why it could not.

MalformedError and VerificationError mean "invalid", UnavailableError "undetermined"; ``materials.verification`` turns
them into findings.
"""

from collections.abc import Sequence

from anchors import VerifiedAnchor, parse_anchor_proof, verify_anchor_proof
from ledger import Checkpoint, leaf_hash, open_checkpoint, parse_receipt, verify_receipt_inclusion
from materials.files import FileRecord
from materials.trust.model import VerifiedTrustList
from signing import FileDigests, JsonValue, UnavailableError, VerificationError, parse_note


def check_checkpoint(note: bytes, trust: VerifiedTrustList) -> Checkpoint:
    """The note is a checkpoint signed by the trusted log that it names."""
    origin = parse_note(note).text.partition(b"\n")[0].decode("utf-8")
    return open_checkpoint(note, trust.list.find_log(origin))


def check_inclusion(receipt: bytes, entry: bytes, checkpoint: Checkpoint) -> int:
    """``entry`` is in the tree of ``checkpoint``, at the index returned."""
    parsed = parse_receipt(receipt)
    verify_receipt_inclusion(parsed, leaf_hash(entry), checkpoint)
    return parsed.index


def check_logged(entry: bytes, receipt: bytes, trust: VerifiedTrustList) -> Checkpoint:
    """Checkpoint and inclusion at once, for events and usage records."""
    checkpoint = check_checkpoint(parse_receipt(receipt).checkpoint_note, trust)
    check_inclusion(receipt, entry, checkpoint)
    return checkpoint


def check_anchor(anchor: JsonValue, checkpoint: Checkpoint | None, trust: VerifiedTrustList) -> VerifiedAnchor:
    """The receipt's tree, or a later one that extends it, is proved on a trusted chain."""
    if anchor is None:
        raise UnavailableError("anchor.pending", "the bundle holds no anchor proof: not anchored yet, or left out")
    proof = parse_anchor_proof(anchor)
    verified = verify_anchor_proof(proof, trust.list.chains, log_key=trust.list.find_log(proof.origin))
    if checkpoint is None:
        raise UnavailableError("anchor.no-checkpoint", "the anchor holds, but there is no proved checkpoint it covers")
    verified.check_covers(checkpoint)
    return verified


def check_file(file: FileDigests, recorded: Sequence[FileRecord]) -> None:
    """The file's size and both its digests are those of one file in the statement."""
    if not recorded:
        raise UnavailableError("file.not-disclosed", "the bundle discloses no file digest to compare with")
    if not any((file.sha256, file.sm3, file.size) == (own.sha256, own.sm3, own.size) for own in recorded):
        raise VerificationError("file.digest", "the file is not the one that the issuer signed")
