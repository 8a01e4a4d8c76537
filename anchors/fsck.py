"""Check everything that anchoring keeps in the database against signatures, the log and itself.

Nothing is believed because it is stored: proofs must verify, transactions must be the signed ones, sizes and roots must
be those of checkpoints the log signed. What the chain holds now is for ``check_chain_head`` with a live chain.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from anchors.capture import check_stored_proof
from anchors.contradictions import Equivocation, SqlEquivocations
from anchors.equivocation import check_equivocation
from anchors.fsck_columns import check_columns, marked_ended, mispriced
from anchors.guard import LogView, check_chain_head
from anchors.outbox import ENDED, AnchorScope, State, Submission
from anchors.ports import ChainHead
from anchors.profile import TrustProfile
from anchors.signed import SqlTransactions, accounts
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.transaction import check_signed, check_transaction
from anchors.verify import RecordedAnchor, VerifiedAnchor
from ledger import Checkpoint, open_checkpoint
from signing import LedgerError, NoteKey, VerificationError

_WITH_TRANSACTION: Final = frozenset({State.SIGNED, State.SENT, State.INCLUDED})


@dataclass(frozen=True, slots=True)
class AnchorFinding:
    """One thing that is wrong: a stable code, the table and row, and what does not fit."""

    code: str
    where: str
    message: str


class AnchorCheck:
    """The check of one scope; ``profiles`` are the trusted ones, old eras included."""

    def __init__(
        self,
        connection: Connection,
        scope: AnchorScope,
        *,
        log: LogView,
        log_key: NoteKey,
        profiles: Sequence[TrustProfile],
    ) -> None:
        self._connection = connection
        self._outbox = SqlOutbox(connection, scope)
        self._proofs = SqlAnchorProofs(connection, scope)
        self._scope = scope
        self._log = log
        self._log_key = log_key
        self._profiles = profiles

    def findings(self) -> Iterator[AnchorFinding]:
        """Everything that is wrong, proofs first; nothing if all is well. Database errors are SQLAlchemy's."""
        size = 0
        while (found := self._proofs.covering(size + 1)) is not None:
            size, proof = found
            yield from _attempt(f"anchor_proofs size={size}", partial(self._proof, size, proof))
        for size in self._outbox.sizes():
            yield from _attempt(f"anchor_submissions size={size}", partial(self._submission, size))
        yield from _attempt("anchor_submissions in_flight", self._in_flight)
        for account in accounts(self._connection, self._scope.chain_id):
            for signed in SqlTransactions(self._connection, self._scope.chain_id, account).all():
                yield from _attempt(f"anchor_transactions nonce={signed.nonce}", partial(check_signed, signed))
        for size in marked_ended(self._connection):
            yield AnchorFinding("fsck.outbox", f"anchor_submissions size={size}", "the mark in_flight is no mark")
        for nonce in mispriced(self._connection, self._scope.chain_id):
            where = f"anchor_transactions nonce={nonce}"
            yield AnchorFinding("fsck.outbox", where, "the price differs from that in the signed bytes")
        yield from _attempt("anchor_heads", self._head)
        for kept in SqlEquivocations(self._connection, self._scope.chain_id).all():
            yield from _attempt(f"anchor_equivocations number={kept.number}", partial(self._equivocation, kept))

    def _signed(self, size: int) -> Checkpoint:
        note = self._log.checkpoint_at(size)
        if note is None:
            raise VerificationError("fsck.anchor-checkpoint", "the log never signed a checkpoint of this size")
        return open_checkpoint(note, self._log_key)

    def _proof(self, size: int, data: bytes) -> VerifiedAnchor | RecordedAnchor:
        anchor = check_stored_proof(data, self._profiles, log_key=self._log_key)
        if anchor.checkpoint.size != size or anchor.checkpoint != self._signed(size):
            raise VerificationError("fsck.anchor-checkpoint", "the proof is of another checkpoint than its row")
        return anchor

    def _submission(self, size: int) -> None:
        row = self._outbox.at(size)
        if row is None or row.root != self._signed(size).root:
            raise VerificationError("fsck.anchor-checkpoint", "the root is not that of the log's checkpoint")
        if row.raw is None and (row.state in _WITH_TRANSACTION or row.tx_hash is not None):
            raise VerificationError("fsck.outbox", "a transaction is said to be signed, but its bytes are not there")
        if row.raw is not None:
            check_transaction(row.transaction, to=self._scope.contract, calldata=row.calldata or b"")
        check_columns(row)
        if row.state is State.PROVEN:
            self._proven(row)

    def _proven(self, row: Submission) -> None:
        found = self._proofs.covering(row.size)
        if found is None or found[0] != row.size:
            raise VerificationError("fsck.outbox", "the submission is said to be proven, but its proof is not there")
        anchor = self._proof(row.size, found[1])
        proved = (anchor.as_of_block, anchor.as_of_hash) if isinstance(anchor, VerifiedAnchor) else None
        if proved is not None and proved != (row.block_number, row.block_hash):
            raise VerificationError("fsck.outbox", "the block is not that of the stored proof")

    def _equivocation(self, kept: Equivocation) -> None:
        profiles = [profile for profile in self._profiles if profile.chain_id == self._scope.chain_id]
        check_equivocation(kept.number, kept.blocks(), profiles)

    def _in_flight(self) -> None:
        rows = [row for row in map(self._outbox.at, self._outbox.sizes()) if row is not None]
        open_rows = [row for row in rows if row.state not in ENDED]
        current = self._outbox.in_flight()
        if open_rows != ([] if current is None else [current]):
            raise VerificationError("fsck.outbox", "the mark of the submission in flight does not fit the states")

    def _head(self) -> None:
        head = self._proofs.last_head()
        if head is not None:
            check_chain_head(self._log, ChainHead(head.size, head.root, 0, b""), self._log_key)


def _attempt(where: str, check: Callable[[], object]) -> Iterator[AnchorFinding]:
    try:
        check()
    except LedgerError as error:
        yield AnchorFinding(error.code, where, str(error))
    except ValueError:
        yield AnchorFinding("fsck.outbox", where, "the row is not of the form")
