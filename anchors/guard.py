"""The chain guards the log: what the contract holds, held against the local tree (chain.md §4.5).

A chain that holds a larger tree means that this database is older than the chain (a restored backup, a second copy);
another root at a size means that history forked. In both cases the log must not sign.
"""

from collections.abc import Sequence
from typing import Protocol

from anchors.ports import ChainHead
from ledger import Checkpoint, RootHash, open_checkpoint, verify_extension
from signing import NoteKey, VerificationError


class LogView(Protocol):
    """Reads one log as of one moment; ``ledger.reading.LogReader`` and ``SqlLog`` fit. Repeatable, changes nothing."""

    def checkpoint(self) -> bytes:
        """The latest signed checkpoint; raises UnavailableError if the log has none."""

    def checkpoint_at(self, size: int) -> bytes | None:
        """The signed checkpoint of exactly that size, None if none was ever signed."""

    def consistency_proof(self, old_size: int, new_size: int) -> Sequence[bytes]:
        """RFC 9162 consistency proof between two sizes up to the latest, empty if ``old_size`` is 0 or equal."""


def head_checkpoint(head: ChainHead, origin: str) -> Checkpoint | None:
    """The tree the chain holds for ``origin``, None if it holds none: the log's ``known_head``."""
    return Checkpoint(origin, head.size, RootHash(head.root)) if head.size else None


def check_chain_head(log: LogView, head: ChainHead, log_key: NoteKey) -> Checkpoint:
    """The log's latest checkpoint, once it is shown to extend what the chain holds.

    Raises VerificationError: ``log.behind-chain`` if the chain holds a larger tree, ``log.fork`` if it holds another
    one; and what ``open_checkpoint`` raises if the latest note is not of ``log_key``.
    """
    latest = open_checkpoint(log.checkpoint(), log_key)
    anchored = head_checkpoint(head, latest.origin)
    if anchored is None:
        return latest
    if anchored.size > latest.size:
        raise VerificationError(
            "log.behind-chain", f"the chain holds {anchored.size} entries of this log, the database only {latest.size}"
        )
    proof = log.consistency_proof(anchored.size, latest.size)
    try:
        verify_extension(anchored, latest, proof)
    except VerificationError:
        raise VerificationError(
            "log.fork", f"the chain holds another tree of {anchored.size} entries than the database"
        ) from None
    return latest
