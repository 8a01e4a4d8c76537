"""The life of one anchoring, as a pure state machine (chain.md §4.1): values in, values out.

    PLANNED → BUILT → SIGNED → SENT → INCLUDED → FINAL → PROVEN
       │        │               │        └────────┴─ block gone: back to SENT
       │        │               └─ REVERTED (back to PLANNED) or ADOPTED (another anchorer wrote the same; on to FINAL)
       └────────┴─ SUPERSEDED by a newer checkpoint, before a nonce is spent

PROVEN is the end, unless a chain is shown to have lost the block after all: then it goes back as any lost block does,
or, where that can't be, into CONFLICT, which stops the origin until a person resumes it. Signed bytes are stored before
they are first sent, so every step may be run again after a crash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from anchors.ports import Answers, Displaced, Evidence, Included, Outcome, Pending, SignedTransaction
from ledger import Checkpoint, RootHash
from signing import VerificationError

BACKOFF_MAX_SECONDS: Final = 300
HALTING: Final = frozenset({"contract.not-anchorer", "contract.bad-origin"})
"""The contract does not admit the account or the origin: nothing is sent until it does."""

REORGANISED: Final = "chain.reorganised"
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
    _S.BUILT: frozenset({_S.SIGNED, _S.SUPERSEDED, _S.PLANNED, _S.REVERTED, _S.CONFLICT}),
    _S.SIGNED: frozenset({_S.SENT}),
    _S.SENT: frozenset({_S.SENT, _S.INCLUDED, _S.REVERTED, _S.ADOPTED, _S.CONFLICT}),
    _S.INCLUDED: frozenset({_S.FINAL, _S.SENT, _S.CONFLICT}),
    _S.ADOPTED: frozenset({_S.FINAL, _S.PLANNED, _S.CONFLICT}),
    _S.FINAL: frozenset({_S.PROVEN, _S.SENT, _S.PLANNED, _S.CONFLICT}),
    _S.REVERTED: frozenset({_S.PLANNED}),
    _S.CONFLICT: frozenset({_S.PLANNED}),
    _S.PROVEN: frozenset({_S.SENT, _S.PLANNED, _S.SUPERSEDED, _S.CONFLICT}),
    _S.SUPERSEDED: frozenset(),
}
ENDED: Final = frozenset({_S.PROVEN, _S.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class AnchorScope:
    """What an outbox is about: one log on one contract of one chain."""

    chain_id: int
    contract: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the chain makes blocks, in seconds: what waits longer than it should is sent again, then replaced."""

    block_seconds: int = 5

    @property
    def rebroadcast(self) -> int:
        """T1 of chain.md §4.2: the same bytes once more, to every endpoint."""
        return 3 * self.block_seconds

    @property
    def replace(self) -> int:
        """T2: read the head; where a price is paid, replace the transaction by one that pays more."""
        return 20 * self.block_seconds


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the contract that passed a simulation: from which head it extends, and the digest of the note."""

    old_size: int
    note_hash: bytes
    calldata: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fee:
    """What a transaction may cost: gas, and wei for each unit of it."""

    gas_limit: int
    gas_price: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One checkpoint on its way to the chain. ``revision`` counts stored changes; times are unix seconds.

    ``reason`` is the code of the last setback, kept until a receipt is there; nothing is done before
    ``next_action_at``. The call's members (``old_size`` to ``calldata``) are set from BUILT on, the transaction's
    (``anchorer`` to ``gas_price``) from SIGNED on, ``sent_at`` (first sending of these bytes) and ``endpoints`` (all
    that ever held a transaction of this submission) from SENT on, the block's from INCLUDED on.
    """

    scope: AnchorScope
    size: int
    root: bytes
    state: State
    planned_at: int
    revision: int = 0
    reason: str | None = None
    attempts: int = 0
    next_action_at: int = 0
    old_size: int | None = None
    note_hash: bytes | None = None
    calldata: bytes | None = field(default=None, repr=False)
    anchorer: bytes | None = None
    nonce: int | None = None
    tx_hash: bytes | None = None
    raw: bytes | None = field(default=None, repr=False)
    gas_limit: int | None = None
    gas_price: int | None = None
    sent_at: int | None = None
    endpoints: tuple[str, ...] = ()
    receipt_status: int | None = None
    block_number: int | None = None
    block_hash: bytes | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The tree to be anchored."""
        return Checkpoint(self.scope.origin, self.size, RootHash(self.root))

    @property
    def transaction(self) -> SignedTransaction:
        """The stored transaction, from SIGNED on; VerificationError (``outbox.damaged``) if there is none."""
        if self.raw is None or self.tx_hash is None or self.anchorer is None or self.nonce is None:
            raise VerificationError("outbox.damaged", "anchor_submissions: the bytes that were signed are not there")
        return SignedTransaction(self.raw, self.tx_hash, self.anchorer, self.nonce)


def plan(scope: AnchorScope, checkpoint: Checkpoint, *, now: int) -> Submission:
    """A new submission for what is the log's newest checkpoint now."""
    return Submission(scope, checkpoint.size, checkpoint.root, State.PLANNED, now)


def enter(submission: Submission, state: State, *, reason: str | None = None) -> Submission:
    """The submission in another state; ValueError for a step the table does not have."""
    if state not in NEXT[submission.state]:
        raise ValueError(f"no step from {submission.state.value} to {state.value}")
    return replace(submission, state=state, reason=reason)


def build(submission: Submission, call: Call) -> Submission:
    """PLANNED → BUILT: the call was made from the chain's head and its simulation passed."""
    built = enter(submission, State.BUILT, reason=submission.reason)
    return replace(built, old_size=call.old_size, note_hash=call.note_hash, calldata=call.calldata)


def sign(submission: Submission, transaction: SignedTransaction, fee: Fee) -> Submission:
    """BUILT → SIGNED: to be committed before anything is sent."""
    signed = enter(submission, State.SIGNED, reason=submission.reason)
    return replace(_carry(signed, transaction, fee), receipt_status=None, block_number=None, block_hash=None)


def replace_transaction(submission: Submission, transaction: SignedTransaction, fee: Fee, *, now: int) -> Submission:
    """SENT with other bytes of the same nonce that pay more; ValueError for any other nonce or price.

    To be committed before they are sent. The old bytes stay stored: either may be mined.
    """
    same_nonce = (transaction.sender, transaction.nonce) == (submission.anchorer, submission.nonce)
    if not same_nonce or submission.gas_price is None or fee.gas_price <= submission.gas_price:
        raise ValueError("a replacement has the same nonce and a higher price")
    sent = enter(submission, State.SENT, reason=submission.reason)
    return replace(_carry(sent, transaction, fee), next_action_at=now)


def _carry(submission: Submission, transaction: SignedTransaction, fee: Fee) -> Submission:
    return replace(
        submission,
        anchorer=transaction.sender,
        nonce=transaction.nonce,
        tx_hash=transaction.tx_hash,
        raw=transaction.raw,
        gas_limit=fee.gas_limit,
        gas_price=fee.gas_price,
        sent_at=None,
    )


def send(
    submission: Submission, *, now: int, pace: Pace, endpoints: Sequence[str] = (), reason: str | None = None
) -> Submission:
    """SIGNED, SENT, INCLUDED, FINAL or PROVEN → SENT: the bytes were handed over (again), or must be.

    ValueError for another state, or if nothing was signed.
    """
    if submission.raw is None:
        raise ValueError("no transaction has been signed")
    return replace(
        enter(submission, State.SENT, reason=reason or submission.reason),
        next_action_at=now + pace.rebroadcast,
        sent_at=now if submission.sent_at is None else submission.sent_at,
        endpoints=tuple(dict.fromkeys((*submission.endpoints, *endpoints))),
    )


def refuse(submission: Submission, code: str, *, now: int) -> Submission:
    """The contract, or the chain, would not have it: plan again later, or stop for a person.

    CONFLICT for another root at this size, and for a consistency proof refused twice. A head that moved and a nonce
    that was taken are tried again at once; where the account or the origin is not admitted the origin halts, and only
    a simulation is tried every five minutes; all else waits for a pause that doubles.
    """
    again = code == "contract.bad-consistency" and submission.reason == code
    if code == "contract.conflict" or again:
        return enter(submission, State.CONFLICT, reason=code)
    pause = min(BACKOFF_MAX_SECONDS, 2 ** min(submission.attempts, 16))
    pause = 0 if code in _AT_ONCE else BACKOFF_MAX_SECONDS if code in HALTING else pause
    return replace(
        enter(submission, State.REVERTED, reason=code), attempts=submission.attempts + 1, next_action_at=now + pause
    )


def replan(submission: Submission) -> Submission:
    """Back to PLANNED, to begin again from the head; what was signed stays. ValueError if ``NEXT`` lacks the step."""
    return replace(enter(submission, State.PLANNED, reason=submission.reason), next_action_at=0)


def fate(versions: Sequence[tuple[SignedTransaction, Outcome]]) -> tuple[SignedTransaction, Outcome]:
    """What became of a nonce, by all the bytes signed for it: what was mined decides, then what still may be."""
    order = (Included, Pending, Displaced)
    return min(versions, key=lambda version: order.index(type(version[1])))


def take_outcome(submission: Submission, transaction: SignedTransaction, outcome: Outcome, *, now: int) -> Submission:
    """What the fate of a SENT submission's nonce means; unchanged while it is pending.

    ``transaction`` is the one of its versions that ``outcome`` is of. Only a receipt says that it failed.
    """
    if isinstance(outcome, Included):
        mined = replace(
            submission, tx_hash=transaction.tx_hash, raw=transaction.raw, receipt_status=int(outcome.succeeded)
        )
        if not outcome.succeeded:
            return refuse(mined, _failure(submission, outcome), now=now)
        included = enter(mined, State.INCLUDED)
        return replace(included, block_number=outcome.block_number, block_hash=outcome.block_hash)
    if isinstance(outcome, Displaced):
        return refuse(submission, "chain.nonce-taken", now=now)
    return submission


def _failure(submission: Submission, outcome: Included) -> str:
    spent = submission.gas_limit is not None and outcome.gas_used >= submission.gas_limit
    return "chain.out-of-gas" if spent else "chain.transaction-failed"


def take_evidence(submission: Submission, evidence: Evidence | Answers, *, now: int, pace: Pace) -> Submission:
    """INCLUDED or ADOPTED → FINAL, once a sealed block shows our root; SENT again if our block is no longer there."""
    if evidence.root != submission.root:
        return enter(submission, State.CONFLICT, reason="contract.conflict")
    same_height = evidence.block_number == submission.block_number
    if submission.state is State.INCLUDED and same_height and evidence.block_hash != submission.block_hash:
        return lose_block(submission, now=now, pace=pace)
    return _at_block(enter(submission, State.FINAL), evidence)


def lose_block(submission: Submission, *, now: int, pace: Pace) -> Submission:
    """INCLUDED, ADOPTED, FINAL or PROVEN, but proved to be on the chain no more: the same bytes are sent again.

    Back to SENT; ADOPTED, and what has no bytes of our own, back to PLANNED.
    """
    lost = replace(submission, reason=REORGANISED, sent_at=None)
    if submission.state is State.ADOPTED or submission.raw is None:
        return replan(lost)
    sent = send(lost, now=now, pace=pace)
    return replace(sent, next_action_at=now, receipt_status=None, block_number=None, block_hash=None)


def prove(submission: Submission, evidence: Evidence | Answers) -> Submission:
    """FINAL → PROVEN: a proof made of that evidence passed the verifier and is stored in the same transaction."""
    return _at_block(enter(submission, State.PROVEN), evidence)


def recapture(submission: Submission, evidence: Evidence | Answers) -> Submission:
    """PROVEN, by a proof of a later block from now on; ValueError for another state."""
    if submission.state is not State.PROVEN:
        raise ValueError("only what is proven is captured anew")
    return _at_block(submission, evidence)


def _at_block(submission: Submission, evidence: Evidence | Answers) -> Submission:
    return replace(submission, block_number=evidence.block_number, block_hash=evidence.block_hash)
