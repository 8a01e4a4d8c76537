"""Carries the newest checkpoint to the chain and its proof back, one durable step at a time.

Each step reads the outbox, talks to the chain outside any transaction, and commits what it learned. It may be killed
anywhere and run again, and several workers may run at once: every change is compare-and-swap, sent bytes are stored
first, and sending them twice is harmless.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NoReturn

from sqlalchemy import Connection

from anchors.account import account_address
from anchors.capture import AnchorTarget, capture_proof
from anchors.contract import encode_anchor, origin_id
from anchors.guard import LogView, check_chain_head, head_checkpoint
from anchors.outbox import (
    State,
    Submission,
    build,
    enter,
    plan,
    prove,
    refuse,
    replan,
    send,
    sign,
    take_evidence,
    take_outcome,
)
from anchors.ports import Chain, ChainHead, Evidence, Pending
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.transaction import sign_transaction
from ledger import open_checkpoint
from signing import RefusedError, UnavailableError, VerificationError, sha256

_MAX_STEPS: Final = 32

Transactions = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that commits when its block ends and rolls back when it raises (``engine.begin``)."""


class AnchorWorker:
    """Anchors one log on one contract. Holds no state of its own: the outbox in the database is the truth."""

    def __init__(
        self,
        chain: Chain,
        target: AnchorTarget,
        *,
        transactions: Transactions,
        log: Callable[[Connection], LogView],
    ) -> None:
        """``log`` reads the log in the given transaction; ``lambda c: SqlLog(c, origin)`` fits."""
        self._chain = chain
        self._target = target
        self._transactions = transactions
        self._log = log
        self._sender = account_address(target.account)

    def run(self, *, now: int) -> Submission | None:
        """Advance until nothing more can be done now; the last state reached, None if nothing was to do.

        Raises as ``advance`` does; what was reached before is stored.
        """
        last: Submission | None = None
        for _ in range(_MAX_STEPS):
            stepped = self.advance(now=now)
            if stepped is None or stepped == last:
                break
            last = stepped
        return last

    def advance(self, *, now: int) -> Submission | None:
        """Take one step and commit it; None when the newest checkpoint is anchored and proved, or the log is empty.

        The same submission comes back unchanged while the chain needs time. Raises UnavailableError (chain or database
        away: call again later), VerificationError (``log.behind-chain``, ``log.fork``, ``contract.conflict`` …: the
        origin has stopped in CONFLICT until ``resume``).
        """
        submission = self._current()
        if submission is None:
            return None
        match submission.state:
            case State.PLANNED:
                return self._build(submission, now)
            case State.BUILT:
                return self._sign(submission, now)
            case State.SIGNED:
                return self._send(submission, now)
            case State.SENT:
                return self._follow(submission, now)
            case State.INCLUDED | State.ADOPTED:
                return self._finalise(submission, now)
            case State.FINAL:
                return self._prove(submission)
            case State.REVERTED:
                return submission if now < submission.next_action_at else self._store(replan(submission))
            case State.CONFLICT | State.PROVEN | State.SUPERSEDED:
                return self._halt(submission)

    def resume(self) -> None:
        """Let an origin in CONFLICT begin again from the chain's head: a person's decision, after finding the cause."""
        with self._transactions() as connection:
            outbox = SqlOutbox(connection, self._target.scope)
            submission = outbox.in_flight()
            if submission is not None and submission.state is State.CONFLICT:
                outbox.save(replan(submission))

    def _current(self) -> Submission | None:
        """The submission to work on: the one in flight, superseded or begun now if a newer checkpoint is there."""
        with self._transactions() as connection:
            outbox = SqlOutbox(connection, self._target.scope)
            submission = outbox.in_flight()
            newest = open_checkpoint(self._log(connection).checkpoint(), self._target.log_key)
            if submission is None:
                if newest.size == 0 or outbox.at(newest.size) is not None:
                    return None
            elif submission.state in (State.PLANNED, State.BUILT) and newest.size > submission.size:
                outbox.save(enter(submission, State.SUPERSEDED))
            else:
                return submission
            outbox.add(plan(self._target.scope, newest))
            return outbox.in_flight()

    def _store(self, submission: Submission) -> Submission:
        with self._transactions() as connection:
            return self._save(connection, submission)

    def _save(self, connection: Connection, submission: Submission) -> Submission:
        outbox = SqlOutbox(connection, self._target.scope)
        outbox.save(submission)
        stored = outbox.at(submission.size)
        if stored is None:
            raise UnavailableError("outbox.busy", "the outbox lost a submission that was just stored")
        return stored

    def _build(self, submission: Submission, now: int) -> Submission:
        """PLANNED: compare log and chain, make the call from the chain's head, simulate it."""
        head, proof = self._guarded_head(submission)
        if head.size >= submission.size:
            return self._store(enter(submission, State.ADOPTED))
        calldata = encode_anchor(
            origin=origin_id(submission.scope.origin),
            old_size=head.size,
            new_size=submission.size,
            new_root=submission.root,
            note_hash=sha256(self._note(submission)),
            proof=proof,
        )
        try:
            self._chain.quote(self._sender, calldata)
        except RefusedError as error:
            return self._store(refuse(submission, error.code, now=now))
        return self._store(build(submission, calldata))

    def _guarded_head(self, submission: Submission) -> tuple[ChainHead, tuple[bytes, ...]]:
        """The chain's head and the consistency proof from it up; CONFLICT unless the log extends it."""
        head = self._chain.head(submission.scope.origin)
        try:
            return head, self._proof_from(head, submission)
        except VerificationError as error:
            self._store(enter(submission, State.CONFLICT, reason=error.code))
            raise

    def _proof_from(self, head: ChainHead, submission: Submission) -> tuple[bytes, ...]:
        with self._transactions() as connection:
            log = self._log(connection)
            check_chain_head(log, head, self._target.log_key)
            known = head_checkpoint(head, submission.scope.origin)
            if known is None:
                return ()
            SqlAnchorProofs(connection, submission.scope).see_head(known)
            return tuple(log.consistency_proof(head.size, submission.size)) if head.size < submission.size else ()

    def _note(self, submission: Submission) -> bytes:
        with self._transactions() as connection:
            note = self._log(connection).checkpoint_at(submission.size)
        if note is None:
            raise UnavailableError("log.unsigned", "the log no longer has the checkpoint that is to be anchored")
        return note

    def _sign(self, submission: Submission, now: int) -> Submission:
        """BUILT: allot the nonce and commit the signed bytes, in one transaction, before anything is sent."""
        calldata = submission.calldata or b""
        try:
            quote = self._chain.quote(self._sender, calldata)
        except RefusedError as error:
            return self._store(refuse(submission, error.code, now=now))
        with self._transactions() as connection:
            nonce = SqlOutbox(connection, submission.scope).next_nonce(self._sender, quote.nonce)
            transaction = sign_transaction(
                self._target.account,
                chain_id=submission.scope.chain_id,
                nonce=nonce,
                to=submission.scope.contract,
                calldata=calldata,
                gas_limit=quote.gas_limit,
                gas_price=self._target.gas_price,
            )
            return self._save(connection, sign(submission, transaction))

    def _send(self, submission: Submission, now: int) -> Submission:
        """SIGNED or SENT: hand over the stored bytes; whether they were accepted is for ``outcome`` to say."""
        reason = None
        try:
            self._chain.submit(submission.transaction)
        except RefusedError as error:
            reason = error.code
        return self._store(send(submission, now=now, reason=reason))

    def _follow(self, submission: Submission, now: int) -> Submission:
        """SENT: look for the receipt; after a while look whether another anchorer was first, else send again."""
        outcome = self._chain.outcome(submission.transaction)
        if not isinstance(outcome, Pending):
            return self._store(take_outcome(submission, outcome, now=now))
        if now < submission.next_action_at:
            return submission
        head, _ = self._guarded_head(submission)
        if head.size >= submission.size:
            return self._store(enter(submission, State.ADOPTED))
        self._fill_gap(submission)
        return self._send(submission, now)

    def _fill_gap(self, submission: Submission) -> None:
        """Send what this account signed before, in order: a lower nonce that was lost holds up all later ones."""
        with self._transactions() as connection:
            earlier = SqlOutbox(connection, submission.scope).transactions_before(submission.transaction)
        for transaction in earlier:
            try:
                self._chain.submit(transaction)
            except RefusedError:
                continue  # mined long ago, as a rule

    def _evidence(self, submission: Submission) -> Evidence:
        """Evidence at the block of inclusion, or at a later one if that state is gone: the contract is write-once."""
        origin, size = submission.scope.origin, submission.size
        if submission.block_number is not None:
            try:
                return self._chain.evidence(origin, size, block_number=submission.block_number)
            except UnavailableError:
                pass
        return self._chain.evidence(origin, size)

    def _finalise(self, submission: Submission, now: int) -> Submission:
        """INCLUDED or ADOPTED: a sealed block must show our root; if it is proved absent, begin that part again."""
        try:
            evidence = self._evidence(submission)
        except VerificationError:
            included = submission.state is State.INCLUDED
            gone = send(submission, now=now, reason="chain.reorganised") if included else replan(submission)
            return self._store(gone)
        stored = self._store(take_evidence(submission, evidence, now=now))
        return self._halt(stored) if stored.state is State.CONFLICT else stored

    def _prove(self, submission: Submission) -> Submission:
        """FINAL: capture header and proofs, verify the whole offline, store it with the end of the submission."""
        evidence = self._evidence(submission)
        proof = capture_proof(self._target, self._note(submission), evidence)
        with self._transactions() as connection:
            finished = SqlAnchorProofs(connection, submission.scope)
            finished.put(submission.size, proof)
            finished.see_head(submission.checkpoint)
            return self._save(connection, prove(submission, evidence))

    def _halt(self, submission: Submission) -> NoReturn:
        """CONFLICT: say so every time until a person resumes it."""
        code = submission.reason or "contract.conflict"
        raise VerificationError(code, f"anchoring of this log stopped at size {submission.size}: {code}")
