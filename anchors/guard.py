"""The chain guards the log: what the contract holds, held against the local tree (chain.md §4.5).

A chain that holds a larger tree means that this database is older than the chain (a restored backup, a second copy);
another root at a size means that history forked. In both cases the log must not sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anchors.ports import ChainHead
from ledger import Checkpoint, RootHash, open_checkpoint, verify_extension
from signing import NoteKey, UnavailableError, VerificationError


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


@dataclass(frozen=True, slots=True)
class LagLimit:
    """How far a log may run ahead of the head that was proved last, in entries and in seconds. None: without end."""

    entries: int | None
    seconds: int | None


def check_lag(limit: LagLimit, heads: Sequence[tuple[int, int]], log_size: int, *, now: int) -> None:
    """Refuse to sign more while no chain can be asked, once the log is too far ahead (chain.md §4.5 point 4).

    ``heads``: what each chain was last proved to hold, as size and time. The freshest one that allows it counts: one
    chain that is away holds up nothing. Raises UnavailableError (``log.chain-away``); also if no head was ever proved,
    since a chain that was never asked is not an empty one.
    """
    for size, seen_at in heads:
        few = limit.entries is None or log_size - size < limit.entries
        fresh = limit.seconds is None or now - seen_at <= limit.seconds
        if few and fresh:
            return
    raise UnavailableError(
        "log.chain-away",
        "no chain can be asked, and the log is as far ahead of the head proved last as the settings let",
    )
