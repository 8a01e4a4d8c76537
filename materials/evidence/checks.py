"""Checks of log, chain and file behind a verification report: each returns what it proved, or raises why it could not.

MalformedError and VerificationError mean "invalid", UnavailableError "undetermined"; ``materials.verification`` turns
them into findings.
"""

from collections.abc import Sequence

from ledger import Checkpoint, leaf_hash, open_checkpoint, parse_receipt, verify_receipt_inclusion
from materials.files import FileRecord
from materials.trust.model import VerifiedTrustList
from signing import FileDigests, UnavailableError, VerificationError, parse_note


def check_checkpoint(note: bytes, trust: VerifiedTrustList) -> Checkpoint:
    """The note is a checkpoint signed by the trusted log that it names.

    That a line of its signatures is that log's is looked at first: a name changed in one place alone is found out
    whether the log is known or not.
    """
    parsed = parse_note(note)
    origin = parsed.text.partition(b"\n")[0].decode("utf-8")
    if origin not in {line.name for line in parsed.signatures}:
        raise VerificationError("note.unknown-key", "checkpoint: no signature line is of the log that it names")
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


def check_file(file: FileDigests, recorded: Sequence[FileRecord]) -> None:
    """The file's size and both its digests are those of one file in the statement."""
    if not recorded:
        raise UnavailableError("file.not-disclosed", "the bundle discloses no file digest to compare with")
    if not any((file.sha256, file.sm3, file.size) == (own.sha256, own.sm3, own.size) for own in recorded):
        raise VerificationError("file.digest", "the file is not the one that the issuer signed")
