"""Sealed blocks of one node: the header with all that it takes to verify it, checked before it is returned."""

from dataclasses import dataclass
from typing import Final

from anchors.chain_state import SealedHeader, verify_header
from anchors.equivocation import SealedMemory, ShownBlock
from anchors.handoff_search import find_handoff
from anchors.header import HEADERS_MAX, Bft, BftHeader, parse_header
from anchors.node import Endpoint, ShownHeader, check_shown, latest_number, read_block, read_header, shown_hash
from anchors.profile import Consensus, Grade, SetSource, TrustProfile
from signing import UnavailableError, VerificationError

_TRIES: Final = 16


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """A block whose seals hold, with the raw headers that show it: descendants (Clique) and hand-over headers."""

    sealed: SealedHeader
    descendants: tuple[bytes, ...] = ()
    handoff: tuple[bytes, ...] = ()

    @property
    def number(self) -> int:
        """Its height."""
        return self.sealed.header.number


class ChainMemory:
    """What is kept between calls, for all nodes of a chain: sealed blocks, and hand-overs that held."""

    def __init__(self, profile: TrustProfile) -> None:
        self.handoffs: dict[tuple[bytes, ...], tuple[BftHeader, ...]] = {}
        bft = profile.consensus in (Consensus.QBFT, Consensus.IBFT2, Consensus.IBFT1)
        # Clique blocks may be replaced, and so may those of a development chain, whose keys lie beside it.
        self.sealed = SealedMemory() if bft and profile.max_grade is Grade.FINAL_BFT else None


class BlockReader:
    """Reads one node for one purpose. Raises UnavailableError, and what ``verify_header`` raises for false headers."""

    def __init__(self, endpoint: Endpoint, profile: TrustProfile, memory: ChainMemory) -> None:
        self._endpoint = endpoint
        self._profile = profile
        self._memory = memory
        self._shown: dict[int, ShownHeader] = {}

    @property
    def may_lag(self) -> bool:
        """Whether the newest final block may stay behind the newest one."""
        return self._profile.clique is not None

    def newest(self, *, at_least: SealedBlock | None = None) -> SealedBlock:
        """The newest block that is as final as the chain makes it; ``at_least`` if the node has no newer one."""
        latest = latest_number(self._endpoint)
        number = latest if self._profile.clique is None else latest - self._profile.clique.min_distinct_signers + 1
        lowest = self._profile.from_block if at_least is None else at_least.number
        for candidate in range(number, number - _TRIES, -1):
            if at_least is not None and candidate <= lowest:
                return at_least
            try:
                return self.block(max(candidate, lowest))
            except UnavailableError as error:
                if error.code != "chain.not-final" or candidate <= lowest:
                    raise
        raise UnavailableError("chain.not-final", f"none of the last {_TRIES} blocks is final yet")

    def block(self, number: int) -> SealedBlock:
        """Block ``number``, its seals checked and its hash equal to the one the node shows.

        Raises UnavailableError: ``chain.not-final`` (Clique: too few signers stand behind it yet), ``chain.handoff``;
        EquivocationError if another sealed block was seen at that height.
        """
        block = self._clique(number) if self._profile.clique is not None else self._bft(number)
        if self._memory.sealed is not None:
            shown = ShownBlock(block.sealed.header.raw, block.handoff, self._endpoint.name)
            self._memory.sealed.note(block.number, block.sealed.block_hash, shown)
        return block

    def _bft(self, number: int) -> SealedBlock:
        shown = self._header(number)
        handoff = self._handoff(shown.raw)
        raws = tuple(step.raw for step in handoff)
        sealed = verify_header(self._profile, shown.raw, raws)
        check_shown(shown, number, block_number=sealed.header.number, block_hash=sealed.block_hash)
        if handoff:
            self._memory.handoffs[handoff[-1].validators] = handoff
        return SealedBlock(sealed, handoff=raws)

    def _handoff(self, raw: bytes) -> tuple[BftHeader, ...]:
        """The hand-over headers up to this one's validator set; none where they aren't needed, or not allowed."""
        profile = self._profile
        if profile.consensus not in (Consensus.QBFT, Consensus.IBFT2) or not profile.handoff.allowed:
            return ()
        header = self._parse(raw)
        start = profile.set_at(header.number)
        if start is None or start.source is not SetSource.HEADER or header.validators == start.addresses:
            return ()
        known = self._memory.handoffs.get(header.validators)
        if known and known[-1].number < header.number:
            return known
        return find_handoff(
            start.addresses,
            max(start.from_block, profile.from_block),
            header,
            lambda number: self._parse(self._header(number).raw),
            max_steps=profile.handoff.max_steps,
        )

    def _parse(self, raw: bytes) -> BftHeader:
        return parse_header(raw, Bft(self._profile.consensus.value))

    def _clique(self, number: int) -> SealedBlock:
        """A Clique block with as many descendants as it takes, its hash read again after them."""
        shown, descendants = self._header(number), list[bytes]()
        latest = latest_number(self._endpoint)
        while True:
            try:
                sealed = verify_header(self._profile, shown.raw, (), descendants)
                break
            except VerificationError as error:
                if error.code == "anchor.clique-vote":
                    raise UnavailableError("chain.not-final", f"block {number} is followed by a vote") from None
                if error.code != "anchor.quorum":
                    raise
            following = number + len(descendants) + 1
            if following > latest or len(descendants) + 2 > HEADERS_MAX:
                raise UnavailableError("chain.not-final", f"too few signers stand behind block {number} yet")
            descendants.append(self._header(following).raw)
        check_shown(shown, number, block_number=sealed.header.number, block_hash=sealed.block_hash)
        if shown_hash(read_block(self._endpoint, number)) != sealed.block_hash:
            raise UnavailableError("chain.not-final", f"block {number} was replaced while it was read")
        return SealedBlock(sealed, descendants=tuple(descendants))

    def _header(self, number: int) -> ShownHeader:
        if number not in self._shown:
            self._shown[number] = read_header(self._endpoint, number)
        return self._shown[number]
