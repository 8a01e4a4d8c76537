"""The outbox, the finished proofs and the newest head in SQL. Bound to one connection: the caller commits."""

from dataclasses import asdict
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchors.outbox import ENDED, AnchorScope, State, Submission
from anchors.ports import SignedTransaction
from anchors.tables import heads, proofs, submissions
from ledger import Checkpoint, RootHash
from signing import UnavailableError, VerificationError

_GAP_WINDOW: Final = 8
_OTHER_COLUMNS: Final = ("scope", "state", "revision")


def _of_scope(table: Table, scope: AnchorScope) -> ColumnElement[bool]:
    columns = table.c
    return (
        (columns.chain_id == scope.chain_id) & (columns.contract == scope.contract) & (columns.origin == scope.origin)
    )


def _busy() -> UnavailableError:
    return UnavailableError("outbox.busy", "another worker changed the outbox at the same time; run again")


def _insert(connection: Connection, table: Table, values: dict[str, object]) -> None:
    try:
        connection.execute(insert(table).values(**values))
    except IntegrityError:
        raise _busy() from None


class SqlOutbox:
    """Submissions of one scope. Changes are compare-and-swap on ``revision``: of two workers one gets ``outbox.busy``.

    What a method wrote is durable when the caller's transaction commits; it must be rolled back after an error.
    """

    def __init__(self, connection: Connection, scope: AnchorScope) -> None:
        self._connection = connection
        self._scope = scope

    def _one(self, where: ColumnElement[bool]) -> Submission | None:
        query = select(submissions).where(_of_scope(submissions, self._scope), where)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else self._submission(row)

    def _submission(self, row: Row[tuple[object, ...]]) -> Submission:
        members = {name: row._mapping[name] for name in Submission.__slots__ if name != "scope"}
        try:
            state = State(members["state"])
        except ValueError:
            raise VerificationError("outbox.damaged", "anchor_submissions: a row has a state that is none") from None
        return Submission(scope=self._scope, **{**members, "state": state})

    def in_flight(self) -> Submission | None:
        """The one submission that has not ended."""
        return self._one(submissions.c.in_flight.is_(True))

    def at(self, size: int) -> Submission | None:
        """The submission of that size, whatever its state."""
        return self._one(submissions.c.size == size)

    def sizes(self) -> list[int]:
        """Sizes of all submissions, rising."""
        query = select(submissions.c.size).where(_of_scope(submissions, self._scope)).order_by(submissions.c.size)
        return list(self._connection.scalars(query))

    def add(self, submission: Submission) -> None:
        """Store a new submission; UnavailableError (``outbox.busy``) if it exists or another one is in flight."""
        _insert(self._connection, submissions, {**_columns(submission), "revision": submission.revision})

    def save(self, submission: Submission) -> None:
        """Replace the stored submission of the same ``revision``, which is raised by one.

        Raises UnavailableError (``outbox.busy``) if that is not the stored revision, or if the nonce is taken.
        """
        change = (
            update(submissions)
            .where(
                _of_scope(submissions, self._scope),
                submissions.c.size == submission.size,
                submissions.c.revision == submission.revision,
            )
            .values(**_columns(submission), revision=submission.revision + 1)
        )
        try:
            changed = self._connection.execute(change).rowcount
        except IntegrityError:
            raise _busy() from None
        if changed != 1:
            raise _busy()

    def next_nonce(self, anchorer: bytes, chain_nonce: int) -> int:
        """The nonce for a new transaction of ``anchorer``: never one that stored bytes already use."""
        used = select(func.max(submissions.c.nonce)).where(self._of_account(anchorer))
        highest = self._connection.scalar(used)
        return chain_nonce if highest is None else max(chain_nonce, highest + 1)

    def transactions_before(self, transaction: SignedTransaction) -> list[SignedTransaction]:
        """The last stored transactions of the account with lower nonces, ascending: what may be missing before it."""
        columns = submissions.c
        query = (
            select(columns.raw, columns.tx_hash, columns.nonce)
            .where(self._of_account(transaction.sender), columns.nonce < transaction.nonce)
            .order_by(columns.nonce.desc())
            .limit(_GAP_WINDOW)
        )
        rows = self._connection.execute(query).all()
        return [SignedTransaction(row.raw, row.tx_hash, transaction.sender, row.nonce) for row in reversed(rows)]

    def _of_account(self, anchorer: bytes) -> ColumnElement[bool]:
        return (submissions.c.chain_id == self._scope.chain_id) & (submissions.c.anchorer == anchorer)


def _columns(submission: Submission) -> dict[str, object]:
    values = {name: value for name, value in asdict(submission).items() if name not in _OTHER_COLUMNS}
    return {
        **values,
        **asdict(submission.scope),
        "state": submission.state.value,
        "in_flight": None if submission.state in ENDED else True,
    }


class SqlAnchorProofs:
    """Finished proofs and the newest head of one scope."""

    def __init__(self, connection: Connection, scope: AnchorScope) -> None:
        self._connection = connection
        self._scope = scope

    def put(self, size: int, proof: bytes) -> None:
        """Store the proof of one size, replacing an earlier one of it (a re-capture proves the same)."""
        where = (_of_scope(proofs, self._scope), proofs.c.size == size)
        if not self._connection.execute(update(proofs).where(*where).values(proof=proof)).rowcount:
            _insert(self._connection, proofs, {**asdict(self._scope), "size": size, "proof": proof})

    def covering(self, size: int) -> tuple[int, bytes] | None:
        """Size and ``anchor-proof/v1`` bytes of the smallest anchored tree of at least ``size`` entries."""
        query = (
            select(proofs.c.size, proofs.c.proof)
            .where(_of_scope(proofs, self._scope), proofs.c.size >= size)
            .order_by(proofs.c.size)
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.size, row.proof)

    def see_head(self, head: Checkpoint) -> None:
        """Remember the largest tree the chain was proved to hold; a smaller one changes nothing."""
        known = self.last_head()
        if known is None:
            _insert(self._connection, heads, {**asdict(self._scope), "size": head.size, "root": head.root})
        elif known.size < head.size:
            change = update(heads).where(_of_scope(heads, self._scope), heads.c.size < head.size)
            self._connection.execute(change.values(size=head.size, root=head.root))

    def last_head(self) -> Checkpoint | None:
        """The largest tree the chain was proved to hold: the log's ``known_head`` while the chain is away."""
        query = select(heads.c.size, heads.c.root).where(_of_scope(heads, self._scope))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Checkpoint(self._scope.origin, row.size, RootHash(row.root))
