"""The outbox of one log on one chain, kept under a lease: every step of the worker is one transaction of these."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from anchors.account import account_address
from anchors.capture import AnchorTarget
from anchors.contradictions import SqlEquivocations
from anchors.equivocation import EquivocationError
from anchors.guard import LogView, check_chain_head
from anchors.leases import Lease, SqlLeases
from anchors.outbox import Fee, State, Submission, enter, plan, prove, replace_transaction, replan, sign
from anchors.policy import AnchorPolicy, is_due
from anchors.ports import Answers, ChainHead, Evidence, SignedTransaction
from anchors.signed import WINDOW, SqlTransactions
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.transaction import sign_transaction
from ledger import Checkpoint, known_lines, open_checkpoint
from signing import UnavailableError, VerificationError, open_note

_COVER_SECONDS: Final = 30
_FILL_GAS: Final = 21_000  # of a transfer, Yellow Paper, appendix G

Transactions = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that commits when its block ends and rolls back when it raises (``engine.begin``)."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be worked on, and the right to do so."""

    submission: Submission
    lease: Lease


class Desk:
    """All that the worker reads and writes. Raises UnavailableError ``outbox.*`` if another process was faster."""

    def __init__(
        self,
        target: AnchorTarget,
        *,
        transactions: Transactions,
        log: Callable[[Connection], LogView],
        owner: str,
        policy: AnchorPolicy,
    ) -> None:
        self._target = target
        self._transactions = transactions
        self._log = log
        self._owner = owner
        self._policy = policy
        self.sender: Final = account_address(target.account)

    def current(self, *, now: int, requested: bool) -> Work | None:
        """The submission to work on, under a lease that was renewed: the one in flight, or one that is begun now.

        BUILT gives way to a newer checkpoint; PLANNED does so once the chain answers (``supersede``), so that a chain
        that is away for long leaves one row behind, not thousands. Raises VerificationError (``chain.equivocation``)
        until a person has looked at the evidence.
        """
        scope = self._target.scope
        with self._transactions() as connection:
            self._check_reviewed(connection)
            outbox = SqlOutbox(connection, scope)
            submission, newest = outbox.in_flight(), self._newest(connection)
            if submission is None:
                last = outbox.proven()
                if newest.size <= last.size:
                    self._cover(connection, now)
                    return None
                if not is_due(self._policy, log_size=newest.size, last=last, now=now, requested=requested):
                    return None
            lease = SqlLeases(connection).take(scope.chain_id, self.sender, owner=self._owner, now=now)
            if submission is not None and submission.state is State.BUILT and newest.size > submission.size:
                outbox.save(enter(submission, State.SUPERSEDED), lease)
                submission = None
            if submission is None:
                outbox.add(plan(scope, newest, now=now), lease)
                submission = outbox.in_flight()
            return None if submission is None else Work(submission, lease)

    def has_proven(self) -> bool:
        """Whether any submission was proven."""
        with self._transactions() as connection:
            return SqlOutbox(connection, self._target.scope).proven().size > 0

    def keep(self, error: EquivocationError, *, now: int) -> None:
        """Keep the evidence; from then on nothing is done until ``resume``."""
        with self._transactions() as connection:
            SqlEquivocations(connection, self._target.scope.chain_id).keep(error, now=now)

    def supersede(self, work: Work, *, now: int) -> Submission | None:
        """PLANNED: the submission of a newer checkpoint in place of this one; None if this one is the newest."""
        with self._transactions() as connection:
            outbox, newest = SqlOutbox(connection, self._target.scope), self._newest(connection)
            if newest.size <= work.submission.size:
                return None
            outbox.save(enter(work.submission, State.SUPERSEDED), work.lease)
            outbox.add(plan(self._target.scope, newest, now=now), work.lease)
            return outbox.in_flight()

    def guard(self, head: ChainHead, size: int, *, now: int) -> tuple[bytes, ...]:
        """The consistency proof from the chain's head up to ``size``, empty if there is nothing to extend.

        Raises VerificationError (``log.behind-chain``, ``log.fork``) unless the log extends the chain's head.
        """
        with self._transactions() as connection:
            log = self._log(connection)
            check_chain_head(log, head, self._target.log_key)
            SqlAnchorProofs(connection, self._target.scope).see_head(head.size, head.root, now=now)
            return tuple(log.consistency_proof(head.size, size)) if 0 < head.size < size else ()

    def note(self, size: int) -> bytes:
        """The signed checkpoint of that size, with the log's own line only: witnesses may add theirs at any time."""
        with self._transactions() as connection:
            note = self._log(connection).checkpoint_at(size)
        if note is None:
            raise UnavailableError("log.unsigned", "the log no longer has the checkpoint that is to be anchored")
        return known_lines(open_note(note, [self._target.log_key]))

    def store(self, work: Work, submission: Submission) -> Submission:
        """Commit what was learned."""
        with self._transactions() as connection:
            return SqlOutbox(connection, self._target.scope).save(submission, work.lease)

    def sign(self, work: Work, fee: Fee, *, chain_nonce: int) -> Submission | None:
        """BUILT → SIGNED: allot the nonce and commit the signed bytes, in one transaction; None: the window is full."""
        with self._transactions() as connection:
            SqlLeases(connection).hold(work.lease)
            signed = SqlTransactions(connection, self._target.scope.chain_id, self.sender)
            nonce = signed.next_nonce(chain_nonce)
            if nonce - chain_nonce >= WINDOW:
                return None
            transaction = self._call(work.submission, nonce, fee)
            signed.put(transaction, gas_price=fee.gas_price)
            outbox = SqlOutbox(connection, self._target.scope)
            return outbox.save(sign(work.submission, transaction, fee), work.lease)

    def reprice(self, work: Work, fee: Fee, *, now: int) -> Submission:
        """SENT: commit other bytes of the same nonce that pay more, before they are sent."""
        submission = work.submission
        transaction = self._call(submission, submission.transaction.nonce, fee)
        with self._transactions() as connection:
            SqlLeases(connection).hold(work.lease)
            signed = SqlTransactions(connection, self._target.scope.chain_id, self.sender)
            signed.put(transaction, gas_price=fee.gas_price)
            outbox = SqlOutbox(connection, self._target.scope)
            return outbox.save(replace_transaction(submission, transaction, fee, now=now), work.lease)

    def _call(self, submission: Submission, nonce: int, fee: Fee) -> SignedTransaction:
        return sign_transaction(
            self._target.account,
            chain_id=submission.scope.chain_id,
            nonce=nonce,
            to=submission.scope.contract,
            calldata=submission.calldata or b"",
            gas_limit=fee.gas_limit,
            gas_price=fee.gas_price,
        )

    def versions(self, submission: Submission) -> list[SignedTransaction]:
        """All that was signed for the nonce of a submission, the one that pays most first."""
        current = submission.transaction
        with self._transactions() as connection:
            signed = SqlTransactions(connection, self._target.scope.chain_id, current.sender)
            return signed.versions(current.nonce) or [current]

    def before(self, submission: Submission) -> list[SignedTransaction]:
        """The last stored transactions of the same account with lower nonces, ascending."""
        current = submission.transaction
        with self._transactions() as connection:
            return SqlTransactions(connection, self._target.scope.chain_id, current.sender).before(current.nonce)

    def filler(self, work: Work, nonce: int) -> SignedTransaction:
        """What is stored for a nonce; if that is nothing, a transfer of nothing to ourselves, committed first."""
        with self._transactions() as connection:
            signed = SqlTransactions(connection, self._target.scope.chain_id, self.sender)
            stored = signed.versions(nonce)
            if stored:
                return stored[0]
            SqlLeases(connection).hold(work.lease)
            transaction = sign_transaction(
                self._target.account,
                chain_id=self._target.scope.chain_id,
                nonce=nonce,
                to=self.sender,
                calldata=b"",
                gas_limit=_FILL_GAS,
                gas_price=self._target.gas_price,
            )
            signed.put(transaction, gas_price=self._target.gas_price)
            return transaction

    def finish(self, work: Work, evidence: Evidence | Answers, proof: bytes, *, now: int) -> Submission:
        """FINAL → PROVEN, with the proof."""
        submission = work.submission
        with self._transactions() as connection:
            stored = SqlOutbox(connection, self._target.scope).save(prove(submission, evidence), work.lease)
            finished = SqlAnchorProofs(connection, self._target.scope)
            finished.put(submission.size, proof)
            finished.see_head(submission.size, submission.root, now=now)
            finished.cover(at=submission.planned_at)
            return stored

    def resume(self, *, now: int) -> None:
        """CONFLICT → PLANNED; equivocations are reviewed."""
        scope = self._target.scope
        with self._transactions() as connection:
            SqlEquivocations(connection, scope.chain_id).review(now=now)
            outbox = SqlOutbox(connection, scope)
            submission = outbox.in_flight()
            if submission is not None and submission.state is State.CONFLICT:
                leases = SqlLeases(connection)
                lease = leases.take(scope.chain_id, self.sender, owner=self._owner, now=now)
                outbox.save(replan(submission), lease)
                leases.release(lease)

    def release(self) -> None:
        """Let another process anchor at once, if the lease is ours."""
        scope = self._target.scope
        with self._transactions() as connection:
            leases = SqlLeases(connection)
            lease = leases.holder(scope.chain_id, self.sender)
            if lease is not None and lease.owner == self._owner:
                leases.release(lease)

    def _check_reviewed(self, connection: Connection) -> None:
        number = SqlEquivocations(connection, self._target.scope.chain_id).unreviewed()
        if number is not None:
            message = (
                f"two blocks {number} are validly sealed: both are kept, see 'anchor status'; anchoring stands still"
            )
            raise VerificationError("chain.equivocation", message)

    def _newest(self, connection: Connection) -> Checkpoint:
        return open_checkpoint(self._log(connection).checkpoint(), self._target.log_key)

    def _cover(self, connection: Connection, now: int) -> None:
        known = SqlAnchorProofs(connection, self._target.scope)
        seen = known.seen()
        if seen is not None and now >= seen.covered_at + _COVER_SECONDS:
            known.cover(at=now)
