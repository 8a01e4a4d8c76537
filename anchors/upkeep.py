"""Looks after anchors that were proven long ago: lost by a chain without finality, sealed by those who retire."""

from contextlib import suppress
from typing import Final

from anchors.capture import AnchorTarget, capture_proof
from anchors.chain_state import SealedHeader, verify_header
from anchors.desk import Desk
from anchors.outbox import Pace
from anchors.ports import Answers, Chain, Evidence
from anchors.profile import Consensus, Grade, TrustProfile
from anchors.proof import read_anchor_proof
from anchors.proof_desk import ProofDesk
from anchors.recapture import needs_recapture, seal_state
from signing import MalformedError, UnavailableError, VerificationError

_RENEWED: Final = 16
"""Proofs captured anew in one go, at most: the newest checkpoint does not wait for them."""


def is_final(profile: TrustProfile) -> bool:
    """Whether the chain promises to lose nothing that was final once: not Clique, and no development chain."""
    fork = profile.consensus in (Consensus.CLIQUE, Consensus.UNSEALED)
    return not fork and profile.max_grade is not Grade.UNSEALED_DEV


class Upkeep:
    """Looks back at what is proven. Every step is stored by itself; it may be cut off anywhere and run again."""

    def __init__(self, chain: Chain, target: AnchorTarget, desk: Desk, proofs: ProofDesk, pace: Pace) -> None:
        self._chain = chain
        self._target = target
        self._desk = desk
        self._proofs = proofs
        self._pace = pace
        self._final = is_final(target.profile)

    def look_back(self, *, now: int) -> None:
        """Begin again what was proven and is proved to be on the chain no more (``chain.reorganised``).

        A chain that can't be asked, or shows an older block than the proof's, has lost nothing. Raises
        VerificationError (``chain.reorganised``) where a chain lost what was final: CONFLICT, for people to look.
        """
        if not self._desk.has_proven():
            return
        with suppress(UnavailableError):
            head = self._chain.head(self._target.scope.origin)
            lost = self._proofs.lost(head)
            if lost is None or self._evidence(lost.size) is not None:
                return
            self._proofs.reopen(head, final=self._final, now=now, pace=self._pace)

    def recapture(self, *, now: int) -> int:
        """Capture anew what rests on validators who seal no more; how many were. A few at a time, see ``ProofDesk``.

        Raises UnavailableError while the chain is away, VerificationError if it shows something else than before.
        """
        if self._target.profile.answers is not None:  # FISCO BCOS: a record of what was said rests on no validators
            return 0
        newest = self._proofs.newest(now=now)
        seen = None if newest is None else self._present(newest, now)
        if newest is None or seen is None:
            return 0
        profile = self._target.profile
        head = verify_header(profile, seen.header, seen.handoff, seen.descendants)
        under, renewed, reached = seal_state(profile, head), 0, newest
        for size, data in self._proofs.examine(under):
            if self._is_due(data, head):
                if renewed == _RENEWED:
                    break
                renewed += int(self._renew(size, now))
            reached = size
        self._proofs.looked(under, reached, now=now)
        return renewed

    def _evidence(self, size: int) -> Evidence | Answers | None:
        """Evidence of today; None if the anchor is proved to be absent."""
        try:
            return self._chain.evidence(self._target.scope.origin, size)
        except VerificationError as error:
            if error.code != "anchor.absent":
                raise
            return None

    def _present(self, size: int, now: int) -> Evidence | None:
        """Evidence of today for what has a proof; None on a chain without proofs, and if the anchor was lost."""
        evidence = self._evidence(size)
        if evidence is None and not self._final:
            self._proofs.forget(size, self._chain.head(self._target.scope.origin), now=now)
        return evidence if isinstance(evidence, Evidence) else None

    def _is_due(self, data: bytes, head: SealedHeader) -> bool:
        try:
            return needs_recapture(read_anchor_proof(data), self._target.profile, head) is not None
        except MalformedError:  # a damaged row: fsck names it
            return False

    def _renew(self, size: int, now: int) -> bool:
        evidence = self._present(size, now)
        if evidence is None:
            return False
        proof = capture_proof(self._target, self._desk.note(size), evidence)
        self._proofs.renew(size, evidence, proof, now=now)
        return True
