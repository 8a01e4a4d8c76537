"""The life of one anchoring, as a pure state machine (chain.md §4.1): values in, values out.

    PLANNED → BUILT → SIGNED → SENT → INCLUDED → FINAL → PROVEN
       │        │               │        └─ block gone: back to SENT
       │        │               └─ REVERTED (back to PLANNED) or ADOPTED (another anchorer wrote the same; on to FINAL)
       └────────┴─ SUPERSEDED by a newer checkpoint, before a nonce is spent

CONFLICT stops the origin until a person resumes it. Signed bytes are stored before they are first sent, so every step
may be run again after a crash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from anchors.ports import Displaced, Evidence, Included, Outcome, SignedTransaction
from ledger import Checkpoint, RootHash

_BACKOFF_MAX_SECONDS: Final = 300
REBROADCAST_SECONDS: Final = 15
_AT_ONCE: Final = frozenset({"contract.stale-head", "chain.nonce-taken"})


class State(StrEnum):
    """Where an anchoring stands."""

    PLANNED = "planned"
    BUILT = "built"
    SIGNED = "signed"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"
    PROVEN = "proven"
    SUPERSEDED = "superseded"
    ADOPTED = "adopted"
    REVERTED = "reverted"
    CONFLICT = "conflict"


_S = State
NEXT: Final[Mapping[State, frozenset[State]]] = {
    _S.PLANNED: frozenset({_S.BUILT, _S.SUPERSEDED, _S.ADOPTED, _S.REVERTED, _S.CONFLICT}),
    _S.BUILT: frozenset({_S.SIGNED, _S.SUPERSEDED, _S.REVERTED, _S.CONFLICT}),
    _S.SIGNED: frozenset({_S.SENT}),
    _S.SENT: frozenset({_S.SENT, _S.INCLUDED, _S.REVERTED, _S.ADOPTED, _S.CONFLICT}),
    _S.INCLUDED: frozenset({_S.FINAL, _S.SENT, _S.CONFLICT}),
    _S.ADOPTED: frozenset({_S.FINAL, _S.PLANNED, _S.CONFLICT}),
    _S.FINAL: frozenset({_S.PROVEN, _S.CONFLICT}),
    _S.REVERTED: frozenset({_S.PLANNED}),
    _S.CONFLICT: frozenset({_S.PLANNED}),
    _S.PROVEN: frozenset(),
    _S.SUPERSEDED: frozenset(),
}
ENDED: Final = frozenset(state for state, after in NEXT.items() if not after)


@dataclass(frozen=True, slots=True)
class AnchorScope:
    """What an outbox is about: one log on one contract of one chain."""

    chain_id: int
    contract: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One checkpoint on its way to the chain. ``revision`` counts stored changes; times are unix seconds.

    ``reason`` is the code of the last setback; nothing is done before ``next_action_at``. The transaction's members
    (``anchorer`` to ``raw``) are set from SIGNED on, the block's from INCLUDED on.
    """

    scope: AnchorScope
    size: int
    root: bytes
    state: State
    revision: int = 0
    reason: str | None = None
    attempts: int = 0
    next_action_at: int = 0
    calldata: bytes | None = field(default=None, repr=False)
    anchorer: bytes | None = None
    nonce: int | None = None
    tx_hash: bytes | None = None
    raw: bytes | None = field(default=None, repr=False)
    block_number: int | None = None
    block_hash: bytes | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The tree to be anchored."""
        return Checkpoint(self.scope.origin, self.size, RootHash(self.root))

    @property
    def transaction(self) -> SignedTransaction:
        """The stored transaction; ValueError before SIGNED."""
        if self.raw is None or self.tx_hash is None or self.anchorer is None or self.nonce is None:
            raise ValueError("no transaction has been signed")
        return SignedTransaction(self.raw, self.tx_hash, self.anchorer, self.nonce)


def plan(scope: AnchorScope, checkpoint: Checkpoint) -> Submission:
    """A new submission for a checkpoint of the log."""
    return Submission(scope, checkpoint.size, checkpoint.root, State.PLANNED)


def enter(submission: Submission, state: State, *, reason: str | None = None) -> Submission:
    """The submission in another state; ValueError for a step the table does not have."""
    if state not in NEXT[submission.state]:
        raise ValueError(f"no step from {submission.state.value} to {state.value}")
    return replace(submission, state=state, reason=reason)


def build(submission: Submission, calldata: bytes) -> Submission:
    """PLANNED → BUILT: the call was made from the chain's head and its simulation passed."""
    return replace(enter(submission, State.BUILT), calldata=calldata)


def sign(submission: Submission, transaction: SignedTransaction) -> Submission:
    """BUILT → SIGNED: to be committed before anything is sent."""
    return replace(
        enter(submission, State.SIGNED),
        anchorer=transaction.sender,
        nonce=transaction.nonce,
        tx_hash=transaction.tx_hash,
        raw=transaction.raw,
    )


def send(submission: Submission, *, now: int, reason: str | None = None) -> Submission:
    """SIGNED or SENT → SENT: the bytes were handed over (again)."""
    return replace(enter(submission, State.SENT, reason=reason), next_action_at=now + REBROADCAST_SECONDS)


def refuse(submission: Submission, code: str, *, now: int) -> Submission:
    """The contract, or the chain, would not have it: plan again later, or stop for a person.

    CONFLICT for another root at this size, and for a consistency proof refused twice. A head that moved and a nonce
    that was taken are tried again at once, all else after a pause that doubles.
    """
    again = code == "contract.bad-consistency" and submission.reason == code
    if code == "contract.conflict" or again:
        return enter(submission, State.CONFLICT, reason=code)
    pause = 0 if code in _AT_ONCE else min(_BACKOFF_MAX_SECONDS, 2 ** min(submission.attempts, 16))
    return replace(
        enter(submission, State.REVERTED, reason=code), attempts=submission.attempts + 1, next_action_at=now + pause
    )


def replan(submission: Submission) -> Submission:
    """REVERTED, ADOPTED or CONFLICT → PLANNED: begin again from the chain's head. The nonce is spent, or still ours."""
    return replace(enter(submission, State.PLANNED, reason=submission.reason), next_action_at=0)


def take_outcome(submission: Submission, outcome: Outcome, *, now: int) -> Submission:
    """What a SENT transaction's fate means; unchanged while it is pending."""
    if isinstance(outcome, Included):
        if not outcome.succeeded:
            return refuse(submission, "chain.transaction-failed", now=now)
        included = enter(submission, State.INCLUDED)
        return replace(included, block_number=outcome.block_number, block_hash=outcome.block_hash)
    if isinstance(outcome, Displaced):
        return refuse(submission, "chain.nonce-taken", now=now)
    return submission


def take_evidence(submission: Submission, evidence: Evidence, *, now: int) -> Submission:
    """INCLUDED or ADOPTED → FINAL, once a sealed block shows our root; SENT again if our block is no longer there."""
    if evidence.root != submission.root:
        return enter(submission, State.CONFLICT, reason="contract.conflict")
    same_height = evidence.block_number == submission.block_number
    if submission.state is State.INCLUDED and same_height and evidence.block_hash != submission.block_hash:
        return send(submission, now=now, reason="chain.reorganised")
    return _at_block(enter(submission, State.FINAL), evidence)


def prove(submission: Submission, evidence: Evidence) -> Submission:
    """FINAL → PROVEN: a proof made of that evidence passed the verifier and is stored in the same transaction."""
    return _at_block(enter(submission, State.PROVEN), evidence)


def _at_block(submission: Submission, evidence: Evidence) -> Submission:
    return replace(submission, block_number=evidence.block_number, block_hash=evidence.block_hash)
