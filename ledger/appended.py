"""What an append gives its caller."""

from dataclasses import dataclass, field

from ledger.checkpoint import Checkpoint
from ledger.hashing import LeafHash


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append gave, entry by entry in the order handed in: its index, whether it was in the log already, and
    its leaf hash. ``checkpoint_note`` is the signed ``checkpoint`` that covers them all.
    """

    indices: tuple[int, ...]
    duplicates: tuple[bool, ...]
    leaves: tuple[LeafHash, ...] = field(repr=False)
    checkpoint: Checkpoint
    checkpoint_note: bytes = field(repr=False)
