"""Two sealed blocks at one height: what validators of a BFT chain can only do by breaking their own rule.

At least 2·ceil(2N/3) − N of them signed both headers (chain.md §2.3). That is no failure of a node: it is evidence, and
both headers are kept for the people who must look.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.chain_state import SealedHeader, verify_header
from anchors.profile import TrustProfile
from signing import UnavailableError, VerificationError

_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A sealed block as a node showed it: the raw header, and the hand-over headers that lead to its validators."""

    header: bytes
    handoff: tuple[bytes, ...]
    node: str


class EquivocationError(VerificationError):
    """``chain.equivocation``: both blocks, sealed as the profile wants it, and who showed them."""

    def __init__(self, number: int, first: ShownBlock, second: ShownBlock) -> None:
        super().__init__(
            "chain.equivocation",
            f"two blocks {number} are validly sealed, shown by {first.node} and {second.node}: validators signed both",
        )
        self.number = number
        self.first = first
        self.second = second


class SealedMemory:
    """The hash of each sealed block seen lately, on a chain where there can be only one at each height.

    Blocks are compared by on-chain hash, never by bytes: the same block may carry other seals on another node.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[bytes, ShownBlock]] = OrderedDict()

    def note(self, number: int, block_hash: bytes, shown: ShownBlock) -> None:
        """Remember a block whose seals were checked; raises EquivocationError if another one was seen there."""
        known_hash, known = self._seen.setdefault(number, (block_hash, shown))
        if known_hash != block_hash:
            raise EquivocationError(number, known, shown)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def check_equivocation(number: int, blocks: Sequence[ShownBlock], profiles: Sequence[TrustProfile]) -> None:
    """Check that what is kept of an equivocation proves it: two blocks ``number``, both sealed as a profile wants it.

    Raises VerificationError (``fsck.equivocation``), and what ``verify_header`` raises.
    """
    sealed = [_verify(block, profiles) for block in blocks]
    if {each.header.number for each in sealed} != {number} or len({each.block_hash for each in sealed}) != 2:
        raise VerificationError("fsck.equivocation", f"the headers are not of two different blocks {number}")


def _verify(block: ShownBlock, profiles: Sequence[TrustProfile]) -> SealedHeader:
    """The header, verified by the first of the profiles that can; the last one's error if none can."""
    error: VerificationError | UnavailableError = UnavailableError("anchor.profile-unknown", "no profile of the chain")
    for profile in profiles:
        try:
            return verify_header(profile, block.header, block.handoff)
        except (VerificationError, UnavailableError) as refused:
            error = refused
    raise error
