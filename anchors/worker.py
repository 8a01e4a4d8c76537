"""Carries the newest checkpoint to the chain and its proof back, one durable step at a time.

Each step reads the outbox, talks to the chain outside any transaction, and commits what it learned. It may be killed
anywhere and run again, and several workers may run at once: one at a time has the lease, every change is
compare-and-swap under it, signed bytes are stored first, and sending them twice is harmless.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final, NoReturn

from sqlalchemy import Connection

from anchors.capture import AnchorTarget, capture_proof
from anchors.contract import encode_anchor, origin_id
from anchors.desk import Desk, Transactions, Work
from anchors.equivocation import EquivocationError
from anchors.guard import LogView
from anchors.outbox import (
    ENDED,
    NEXT,
    Call,
    Fee,
    Pace,
    State,
    Submission,
    build,
    enter,
    fate,
    lose_block,
    refuse,
    replan,
    send,
    take_evidence,
    take_outcome,
)
from anchors.policy import AnchorPolicy
from anchors.ports import Answers, Chain, ChainHead, Evidence, Pending, Quote
from anchors.proof_desk import ProofDesk
from anchors.signed import WINDOW
from anchors.upkeep import Upkeep
from signing import LedgerError, RefusedError, UnavailableError, VerificationError, sha256

_MAX_STEPS: Final = 32
_GAS_MAX: Final = 3_000_000
_PRICE_CAP: Final = 10
_POLICY: Final = AnchorPolicy()
_PACE: Final = Pace()
"""A replacement pays at most so many times the price of the settings."""


class AnchorWorker:
    """Anchors one log on one contract. Holds no state of its own: the outbox in the database is the truth."""

    def __init__(
        self,
        chain: Chain,
        target: AnchorTarget,
        *,
        transactions: Transactions,
        log: Callable[[Connection], LogView],
        owner: str,
        policy: AnchorPolicy = _POLICY,
        pace: Pace = _PACE,
    ) -> None:
        """``log`` reads the log in the given transaction; ``lambda c: SqlLog(c, origin)`` fits.

        ``owner`` names this worker and no other one, in this process or elsewhere, in the lease.
        """
        self._chain = chain
        self._target = target
        self._pace = pace
        self._desk = Desk(target, transactions=transactions, log=log, owner=owner, policy=policy)
        proofs = ProofDesk(target, transactions=transactions, owner=owner)
        self._upkeep = Upkeep(chain, target, self._desk, proofs, pace)

    def run(self, *, now: int, requested: bool = False) -> Submission | None:
        """Advance until nothing more can be done now; the last state reached, None if nothing was to do.

        First it looks whether the chain still holds what was proven. ``requested``: whatever the policy says, and
        without waiting for the end of a pause. Raises as ``advance`` does; what was reached before is stored. The lease
        is given back.
        """
        last: Submission | None = None
        with self._session(now):
            self._upkeep.look_back(now=now)
            for _ in range(_MAX_STEPS):
                begins = last is None or last.state in ENDED  # no pause in the midst of a submission is passed over
                stepped = self.advance(now=now, requested=requested and begins)
                if stepped is None or stepped == last:
                    break
                last = stepped
        return last

    def recapture(self, *, now: int) -> int:
        """Capture some of the proofs anew whose validators seal no more (chain.md §4.4); how many were.

        For each look of a service, and after each run. Raises as ``Upkeep.recapture`` does. The lease is given back.
        """
        with self._session(now):
            return self._upkeep.recapture(now=now)

    @contextmanager
    def _session(self, now: int) -> Iterator[None]:
        """Keep what validators did wrong, and give the lease back; a process that dies here does neither."""
        try:
            yield
        except LedgerError as error:
            with suppress(UnavailableError):
                if isinstance(error, EquivocationError):
                    self._desk.keep(error, now=now)
                self._desk.release()
            raise
        self._desk.release()

    def advance(self, *, now: int, requested: bool = False) -> Submission | None:
        """Take one step and commit it; None when nothing is due: the newest checkpoint is anchored, or must wait.

        The same submission comes back unchanged while the chain needs time. Raises UnavailableError (chain or database
        away, ``outbox.leased``, ``outbox.fenced``, ``outbox.busy``: call again later), VerificationError
        (``log.behind-chain``, ``log.fork``, ``contract.conflict`` …: the origin has stopped in CONFLICT until
        ``resume``; ``chain.equivocation``: so have all on this chain).
        """
        work = self._desk.current(now=now, requested=requested)
        if work is None:
            return None
        try:
            return self._step(work, now, requested=requested)
        except EquivocationError as error:
            self._desk.keep(error, now=now)
            if work.submission.state is not State.CONFLICT and State.CONFLICT in NEXT[work.submission.state]:
                self._desk.store(work, enter(work.submission, State.CONFLICT, reason=error.code))
            raise

    def _step(self, work: Work, now: int, *, requested: bool) -> Submission | None:
        match work.submission.state:
            case State.PLANNED:
                return self._build(work, now)
            case State.BUILT:
                return self._sign(work, now)
            case State.SIGNED:
                return self._send(work, now)
            case State.SENT:
                return self._follow(work, now)
            case State.INCLUDED | State.ADOPTED:
                return self._finalise(work, now)
            case State.FINAL:
                return self._prove(work, now)
            case State.REVERTED:
                waits = now < work.submission.next_action_at and not requested
                return work.submission if waits else self._desk.store(work, replan(work.submission))
            case State.CONFLICT | State.PROVEN | State.SUPERSEDED:
                return self._halt(work.submission)

    def resume(self, *, now: int) -> None:
        """Let an origin in CONFLICT begin again from the chain's head: a person's decision, after finding the cause.

        Anchoring also goes on after an equivocation, whose evidence stays.
        """
        self._desk.resume(now=now)

    def _build(self, work: Work, now: int) -> Submission:
        """PLANNED: compare log and chain, take the newest checkpoint, make the call from the head, simulate it."""
        submission = work.submission
        head, proof = self._guarded_head(work, now)
        newer = self._desk.supersede(work, now=now)
        if newer is not None:
            return newer
        if head.size >= submission.size:
            return self._desk.store(work, enter(submission, State.ADOPTED))
        note_hash = sha256(self._desk.note(submission.size))
        calldata = encode_anchor(
            origin=origin_id(submission.scope.origin),
            old_size=head.size,
            new_size=submission.size,
            new_root=submission.root,
            note_hash=note_hash,
            proof=proof,
        )
        built = build(submission, Call(head.size, note_hash, calldata))
        quote = self._quote(work, calldata, now)
        return quote if isinstance(quote, Submission) else self._desk.store(work, built)

    def _quote(self, work: Work, calldata: bytes, now: int) -> Quote | Submission:
        """What the call needs, or the submission as it is stored after the contract refused the simulation."""
        try:
            return self._chain.quote(self._desk.sender, calldata)
        except RefusedError as error:
            return self._desk.store(work, refuse(work.submission, error.code, now=now))

    def _guarded_head(self, work: Work, now: int) -> tuple[ChainHead, tuple[bytes, ...]]:
        """The chain's head and the consistency proof from it up; CONFLICT unless the log extends it."""
        head = self._chain.head(work.submission.scope.origin)
        try:
            return head, self._desk.guard(head, work.submission.size, now=now)
        except VerificationError as error:
            self._desk.store(work, enter(work.submission, State.CONFLICT, reason=error.code))
            raise

    def _sign(self, work: Work, now: int) -> Submission:
        """BUILT: allot the nonce and commit the signed bytes, in one transaction, before anything is sent."""
        submission = work.submission
        head, _ = self._guarded_head(work, now)
        if head.size != submission.old_size:  # the call is from another head: it would be refused, or change nothing
            return self._desk.store(work, replan(submission))
        quote = self._quote(work, submission.calldata or b"", now)
        if isinstance(quote, Submission):
            return quote
        gas = quote.gas_limit
        if submission.reason == "chain.out-of-gas" and submission.gas_limit is not None:
            gas = min(_GAS_MAX, max(gas, 2 * submission.gas_limit))
        price = self._target.gas_price if quote.gas_price is None else quote.gas_price
        signed = self._desk.sign(work, Fee(gas, price), chain_nonce=quote.nonce)
        if signed is None:
            self._fill(work, range(quote.nonce, quote.nonce + WINDOW))
            raise UnavailableError("outbox.window", f"{WINDOW} transactions of this account are on their way already")
        return signed

    def _send(self, work: Work, now: int) -> Submission:
        """SIGNED or SENT: hand over the stored bytes; whether they were accepted is for the receipt to say."""
        reason: str | None = None
        holders: tuple[str, ...] = ()
        try:
            holders = self._chain.submit(work.submission.transaction)
        except RefusedError as error:
            reason = error.code
        sent = send(work.submission, now=now, pace=self._pace, endpoints=holders, reason=reason)
        return self._desk.store(work, sent)

    def _follow(self, work: Work, now: int) -> Submission:
        """SENT: look for the receipt of every version of it; after a while send again, later replace where paid."""
        submission = work.submission
        versions = [(version, self._chain.outcome(version)) for version in self._desk.versions(submission)]
        transaction, outcome = fate(versions)
        if not isinstance(outcome, Pending):
            return self._desk.store(work, take_outcome(submission, transaction, outcome, now=now))
        if now < submission.next_action_at:
            return submission
        if submission.sent_at is not None and now >= submission.sent_at + self._pace.replace:
            head, _ = self._guarded_head(work, now)
            if head.size >= submission.size:
                return self._desk.store(work, enter(submission, State.ADOPTED, reason=submission.reason))
            work = replace(work, submission=self._repriced(work, now))
        self._fill_gap(work)
        return self._send(work, now)

    def _repriced(self, work: Work, now: int) -> Submission:
        """The submission with bytes that pay an eighth more; as it is where nothing is paid, or enough already."""
        submission = work.submission
        price, limit, ours = submission.gas_price, submission.gas_limit, submission.anchorer == self._desk.sender
        if not price or limit is None or not ours:
            return submission
        higher = price + -(-price // 8)
        if higher > _PRICE_CAP * self._target.gas_price:
            return submission
        return self._desk.reprice(work, Fee(limit, higher), now=now)

    def _fill_gap(self, work: Work) -> None:
        """Send what is missing before this nonce, in order: a lower one that was lost holds up all later ones."""
        submission = work.submission
        try:
            first = self._chain.quote(self._desk.sender, submission.calldata or b"").nonce
        except RefusedError:  # it can't succeed any more, but its nonce must still be used up
            for earlier in self._desk.before(submission):
                with suppress(RefusedError):  # mined long ago, as a rule
                    self._chain.submit(earlier)
            return
        if submission.anchorer == self._desk.sender:
            self._fill(work, range(first, min(submission.transaction.nonce, first + WINDOW)))

    def _fill(self, work: Work, nonces: range) -> None:
        for nonce in nonces:
            with suppress(RefusedError):
                self._chain.submit(self._desk.filler(work, nonce))

    def _evidence(self, submission: Submission) -> Evidence | Answers:
        """Evidence at the block of inclusion, or at a later one if that state is gone: the contract is write-once."""
        origin, size = submission.scope.origin, submission.size
        if submission.block_number is not None:
            try:
                return self._chain.evidence(origin, size, block_number=submission.block_number)
            except UnavailableError:
                pass
        return self._chain.evidence(origin, size)

    def _finalise(self, work: Work, now: int) -> Submission:
        """INCLUDED or ADOPTED: a sealed block must show our root; if it is proved absent, begin that part again."""
        try:
            evidence = self._evidence(work.submission)
        except VerificationError as error:
            return self._lost(work, error, now)
        stored = self._desk.store(work, take_evidence(work.submission, evidence, now=now, pace=self._pace))
        return self._halt(stored) if stored.state is State.CONFLICT else stored

    def _lost(self, work: Work, error: VerificationError, now: int) -> Submission:
        """Only a proved absence says that the block is gone."""
        if error.code != "anchor.absent":
            raise error
        return self._desk.store(work, lose_block(work.submission, now=now, pace=self._pace))

    def _prove(self, work: Work, now: int) -> Submission:
        """FINAL: capture header and proofs, verify the whole offline, store it with the end of the submission."""
        submission = work.submission
        try:
            evidence = self._evidence(submission)
        except VerificationError as error:
            return self._lost(work, error, now)
        proof = capture_proof(self._target, self._desk.note(submission.size), evidence)
        return self._desk.finish(work, evidence, proof, now=now)

    def _halt(self, submission: Submission) -> NoReturn:
        """CONFLICT: say so every time until a person resumes it."""
        code = submission.reason or "contract.conflict"
        raise VerificationError(code, f"anchoring of this log stopped at size {submission.size}: {code}")
