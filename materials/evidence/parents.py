"""From the log that holds a statement up to the logs above it: each holds a checkpoint of the one below as an entry."""

from collections.abc import Iterator, Sequence

from ledger import Checkpoint, leaf_hash, open_child_entry, parse_receipt, verify_extension, verify_receipt_inclusion
from materials.bundle import BundledParent
from materials.evidence.checks import check_checkpoint
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError, VerificationError


def climb_parents(
    parents: Sequence[BundledParent], checkpoint: Checkpoint, trust: VerifiedTrustList
) -> Iterator[Checkpoint]:
    """Level by level, the checkpoint of a parent that stands for everything in ``checkpoint``.

    Raises UnavailableError ``parent.unknown-log`` at a log that the trust list does not name; VerificationError:
    ``parent.growth`` if the checkpoint in a parent's entry is not shown to extend the one below, ``parent.origin`` for
    a log that is there twice, and as ``check_checkpoint`` and ``verify_receipt``; MalformedError.
    """
    below, known = checkpoint, {checkpoint.origin}
    for parent in parents:
        child = open_child_entry(parent.entry, trust.list.find_log(below.origin))
        try:
            verify_extension(below, child, parent.growth)
        except VerificationError:
            raise VerificationError("parent.growth", "the parent's entry does not extend the tree below it") from None
        receipt = parse_receipt(parent.receipt)
        above = _check_known(receipt.checkpoint_note, trust)
        if above.origin in known:
            raise VerificationError("parent.origin", "a log can't stand above itself")
        verify_receipt_inclusion(receipt, leaf_hash(parent.entry), above)
        yield above
        below, known = above, known | {above.origin}


def _check_known(note: bytes, trust: VerifiedTrustList) -> Checkpoint:
    try:
        return check_checkpoint(note, trust)
    except VerificationError as error:
        if error.code != "log.unknown":
            raise
        raise UnavailableError("parent.unknown-log", "the trust list does not name the parent's log") from None
