"""Looking after what is proven: each method is one transaction, under the lease wherever it changes anything."""

from typing import Final

from sqlalchemy import Connection

from anchors.account import account_address
from anchors.capture import AnchorTarget
from anchors.desk import Transactions
from anchors.leases import Lease, SqlLeases
from anchors.outbox import REORGANISED, Pace, State, Submission, enter, lose_block, recapture
from anchors.ports import Answers, ChainHead, Evidence
from anchors.store import LookedThrough, SqlAnchorProofs, SqlOutbox

_PAUSE_SECONDS: Final = 600
_EXAMINED: Final = 256


class ProofDesk:
    """What is read and written there. Raises UnavailableError ``outbox.*`` if another process was faster."""

    def __init__(self, target: AnchorTarget, *, transactions: Transactions, owner: str) -> None:
        self._target = target
        self._transactions = transactions
        self._owner = owner

    def lost(self, head: ChainHead) -> Submission | None:
        """The largest submission that is said to be proven, if ``head``, of a later block, is too small to hold it."""
        with self._transactions() as connection:
            above = SqlOutbox(connection, self._target.scope).proven_above(head.size)
        return above[0] if above and (above[0].block_number or 0) <= head.as_of_block else None

    def reopen(self, head: ChainHead, *, final: bool, now: int, pace: Pace) -> None:
        """Begin again what was proven beyond ``head`` and is proved to be lost; its proofs go.

        The largest is sent again, unless a newer one is in flight; the others, covered by it, are superseded. With
        ``final`` (a chain that can lose nothing) the largest goes into CONFLICT, and all proofs stay as evidence.
        """
        with self._transactions() as connection:
            outbox, lease = SqlOutbox(connection, self._target.scope), self._lease(connection, now)
            proofs = SqlAnchorProofs(connection, self._target.scope)
            above = outbox.proven_above(head.size)
            again = above[0] if above and outbox.in_flight() is None else None
            for each in above if not final else ():
                proofs.drop(each.size)
                if each != again:
                    outbox.save(enter(each, State.SUPERSEDED, reason=REORGANISED), lease)
            if again is not None:
                conflict = enter(again, State.CONFLICT, reason=REORGANISED)
                outbox.save(conflict if final else lose_block(again, now=now, pace=pace), lease)

    def newest(self, *, now: int) -> int | None:
        """The largest tree with a proof, if it is time to look through the proofs, or there are some still to look at.

        That is every ten minutes, and whenever a proof was added. None: not now.
        """
        with self._transactions() as connection:
            proofs = SqlAnchorProofs(connection, self._target.scope)
            newest, done = proofs.newest(), proofs.looked_through()
        if newest is None or (newest[0] <= done.size and now < done.looked_at + _PAUSE_SECONDS):
            return None
        return newest[0]

    def examine(self, under: bytes) -> list[tuple[int, bytes]]:
        """The next proofs to look at, by size; from the first one on if profile or validators are new since."""
        with self._transactions() as connection:
            proofs = SqlAnchorProofs(connection, self._target.scope)
            done = proofs.looked_through()
            return proofs.after(done.size if done.under == under else 0, limit=_EXAMINED)

    def renew(self, size: int, evidence: Evidence | Answers, proof: bytes, *, now: int) -> None:
        """Put a proof in place of the one of that size, and its block into the submission, unless that was lost."""
        with self._transactions() as connection:
            outbox, lease = SqlOutbox(connection, self._target.scope), self._lease(connection, now)
            submission = outbox.at(size)
            if submission is not None and submission.state is State.PROVEN:
                outbox.save(recapture(submission, evidence), lease)
                SqlAnchorProofs(connection, self._target.scope).put(size, proof)

    def looked(self, under: bytes, size: int, *, now: int) -> None:
        """All proofs up to ``size`` are as they should be."""
        with self._transactions() as connection:
            self._lease(connection, now)
            SqlAnchorProofs(connection, self._target.scope).look_through(LookedThrough(under, size, now))

    def forget(self, size: int, head: ChainHead, *, now: int) -> None:
        """The chain has lost this one, and a larger tree covers it: nothing is begun again, but its proof goes."""
        with self._transactions() as connection:
            outbox, lease = SqlOutbox(connection, self._target.scope), self._lease(connection, now)
            submission = outbox.at(size)
            proven = submission is not None and submission.state is State.PROVEN
            if submission is not None and proven and (submission.block_number or 0) <= head.as_of_block:
                outbox.save(enter(submission, State.SUPERSEDED, reason=REORGANISED), lease)
                SqlAnchorProofs(connection, self._target.scope).drop(size)

    def _lease(self, connection: Connection, now: int) -> Lease:
        sender = account_address(self._target.account)
        return SqlLeases(connection).take(self._target.scope.chain_id, sender, owner=self._owner, now=now)
