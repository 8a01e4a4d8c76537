"""Check everything that anchoring keeps in the database against signatures, the log and itself.

Nothing is believed because it is stored: proofs must verify, transactions must be the signed ones, sizes and roots must
be those of checkpoints the log signed. What the chain holds now is for ``check_chain_head`` with a live chain.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from anchors.guard import LogView, check_chain_head
from anchors.outbox import ENDED, AnchorScope, State, Submission
from anchors.ports import ChainHead
from anchors.profile import TrustProfile
from anchors.proof import read_anchor_proof
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.transaction import check_transaction
from anchors.verify import VerifiedAnchor, verify_anchor_proof
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
        yield from _attempt("anchor_heads", self._head)

    def _signed(self, size: int) -> Checkpoint:
        note = self._log.checkpoint_at(size)
        if note is None:
            raise VerificationError("fsck.anchor-checkpoint", "the log never signed a checkpoint of this size")
        return open_checkpoint(note, self._log_key)

    def _proof(self, size: int, data: bytes) -> VerifiedAnchor:
        anchor = verify_anchor_proof(read_anchor_proof(data), self._profiles, log_key=self._log_key)
        if anchor.checkpoint.size != size or anchor.checkpoint != self._signed(size):
            raise VerificationError("fsck.anchor-checkpoint", "the proof is of another checkpoint than its row")
        return anchor

    def _submission(self, size: int) -> None:
        row = self._outbox.at(size)
        if row is None or row.root != self._signed(size).root:
            raise VerificationError("fsck.anchor-checkpoint", "the root is not that of the log's checkpoint")
        if row.state in _WITH_TRANSACTION and row.raw is None:
            raise VerificationError("fsck.outbox", "a transaction is said to be signed, but its bytes are not there")
        if row.raw is not None:
            check_transaction(row.transaction, to=self._scope.contract, calldata=row.calldata or b"")
        if row.state is State.PROVEN:
            self._proven(row)

    def _proven(self, row: Submission) -> None:
        found = self._proofs.covering(row.size)
        if found is None or found[0] != row.size:
            raise VerificationError("fsck.outbox", "the submission is said to be proven, but its proof is not there")
        anchor = self._proof(row.size, found[1])
        if (anchor.as_of_block, anchor.as_of_hash) != (row.block_number, row.block_hash):
            raise VerificationError("fsck.outbox", "the block is not that of the stored proof")

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
