"""The outbox, the finished proofs and the newest head in SQL. Bound to one connection: the caller commits."""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchors.leases import Lease, SqlLeases
from anchors.outbox import ENDED, AnchorScope, State, Submission
from anchors.policy import Anchored
from anchors.rows import check_row
from anchors.tables import heads, proofs, recaptures, submissions, transactions
from ledger import Checkpoint, RootHash
from signing import UnavailableError, VerificationError

_OTHER_COLUMNS: Final = ("scope", "state", "revision", "raw", "endpoints")


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
    """Submissions of one scope. Every change is made under a lease, and compare-and-swap on ``revision``.

    What a method wrote is durable when the caller's transaction commits; it must be rolled back after an error. The
    signed bytes of a submission are those of its ``tx_hash`` in ``SqlTransactions``.
    """

    def __init__(self, connection: Connection, scope: AnchorScope) -> None:
        self._connection = connection
        self._scope = scope

    def _one(self, *where: ColumnElement[bool]) -> Submission | None:
        same = (transactions.c.chain_id == submissions.c.chain_id) & (transactions.c.tx_hash == submissions.c.tx_hash)
        query = (
            select(submissions, transactions.c.raw)
            .outerjoin(transactions, same)
            .where(_of_scope(submissions, self._scope), *where)
            .order_by(submissions.c.size.desc())
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else self._submission(row)

    def _submission(self, row: Row[tuple[object, ...]]) -> Submission:
        members = {name: row._mapping[name] for name in Submission.__slots__ if name != "scope"}
        try:
            state = State(members["state"])
        except ValueError:
            raise VerificationError("outbox.damaged", "anchor_submissions: a row has a state that is none") from None
        endpoints = tuple(str(members["endpoints"]).splitlines())
        return check_row(Submission(scope=self._scope, **{**members, "state": state, "endpoints": endpoints}))

    def in_flight(self) -> Submission | None:
        """The one submission that has not ended."""
        return self._one(submissions.c.in_flight.is_(True))

    def at(self, size: int) -> Submission | None:
        """The submission of that size, whatever its state."""
        return self._one(submissions.c.size == size)

    def proven(self) -> Anchored:
        """The largest submission whose proof is stored; of size 0 if there is none."""
        found = self._one(submissions.c.state == State.PROVEN.value)
        return Anchored() if found is None else Anchored(found.size, found.planned_at)

    def proven_above(self, size: int) -> list[Submission]:
        """Submissions of larger trees whose proof is stored, the largest first."""
        larger = (submissions.c.state == State.PROVEN.value) & (submissions.c.size > size)
        query = select(submissions.c.size).where(_of_scope(submissions, self._scope), larger)
        sizes = self._connection.scalars(query.order_by(submissions.c.size.desc())).all()
        return [found for found in map(self.at, sizes) if found is not None]

    def first_planned(self) -> int | None:
        """When a checkpoint was first chosen to be anchored; None if that never happened."""
        query = select(func.min(submissions.c.planned_at)).where(_of_scope(submissions, self._scope))
        first: int | None = self._connection.scalar(query.where(submissions.c.planned_at > 0))
        return first

    def sizes(self) -> list[int]:
        """Sizes of all submissions, rising."""
        query = select(submissions.c.size).where(_of_scope(submissions, self._scope)).order_by(submissions.c.size)
        return list(self._connection.scalars(query))

    def add(self, submission: Submission, lease: Lease) -> None:
        """Store a new submission.

        Raises UnavailableError: ``outbox.busy`` if it exists or another one is in flight, ``outbox.fenced``.
        """
        SqlLeases(self._connection).hold(lease)
        _insert(self._connection, submissions, {**_columns(submission, lease), "revision": submission.revision})

    def save(self, submission: Submission, lease: Lease) -> Submission:
        """Replace the stored submission of the same ``revision``, which is raised by one; the one now stored.

        Raises UnavailableError: ``outbox.busy`` if that is not the stored revision, ``outbox.fenced``.
        """
        SqlLeases(self._connection).hold(lease)
        change = (
            update(submissions)
            .where(
                _of_scope(submissions, self._scope),
                submissions.c.size == submission.size,
                submissions.c.revision == submission.revision,
            )
            .values(**_columns(submission, lease), revision=submission.revision + 1)
        )
        stored = self.at(submission.size) if self._connection.execute(change).rowcount == 1 else None
        if stored is None:
            raise _busy()
        return stored


def _columns(submission: Submission, lease: Lease) -> dict[str, object]:
    values = {name: value for name, value in asdict(submission).items() if name not in _OTHER_COLUMNS}
    return {
        **values,
        **asdict(submission.scope),
        "state": submission.state.value,
        "endpoints": "\n".join(submission.endpoints),
        "fence": lease.fence,
        "in_flight": None if submission.state in ENDED else True,
    }


@dataclass(frozen=True, slots=True)
class SeenHead:
    """The largest tree that the chain was proved to hold (size 0: none yet), and when its head was last proved.

    ``covered_at``: when all entries of the log were last known to be anchored. Unix seconds, 0: never.
    """

    size: int
    root: bytes
    seen_at: int
    covered_at: int


@dataclass(frozen=True, slots=True)
class LookedThrough:
    """All proofs of trees up to ``size`` are as ``under`` (a digest of profile and validators) wants them."""

    under: bytes = bytes(32)
    size: int = 0
    looked_at: int = 0


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

    def newest(self) -> tuple[int, bytes] | None:
        """Size and bytes of the proof of the largest anchored tree."""
        query = select(proofs.c.size, proofs.c.proof).where(_of_scope(proofs, self._scope))
        row = self._connection.execute(query.order_by(proofs.c.size.desc()).limit(1)).one_or_none()
        return None if row is None else (row.size, row.proof)

    def after(self, size: int, *, limit: int) -> list[tuple[int, bytes]]:
        """Size and bytes of the next proofs of trees larger than ``size``, ascending."""
        query = select(proofs.c.size, proofs.c.proof).where(_of_scope(proofs, self._scope), proofs.c.size > size)
        rows = self._connection.execute(query.order_by(proofs.c.size).limit(limit))
        return [(row.size, row.proof) for row in rows]

    def drop(self, size: int) -> None:
        """Forget a proof of a block that the chain has lost."""
        self._connection.execute(delete(proofs).where(_of_scope(proofs, self._scope), proofs.c.size == size))

    def looked_through(self) -> LookedThrough:
        """How far the proofs were looked through for those of validators who retired."""
        row = self._connection.execute(select(recaptures).where(_of_scope(recaptures, self._scope))).one_or_none()
        return LookedThrough() if row is None else LookedThrough(row.under, row.size, row.looked_at)

    def look_through(self, done: LookedThrough) -> None:
        """Remember that."""
        values = asdict(done)
        change = update(recaptures).where(_of_scope(recaptures, self._scope)).values(**values)
        if not self._connection.execute(change).rowcount:
            _insert(self._connection, recaptures, {**asdict(self._scope), **values})

    def see_head(self, size: int, root: bytes, *, now: int) -> None:
        """Remember the largest tree the chain was proved to hold, and that it was looked at; it never shrinks."""
        known = self.seen()
        if known is None:
            values = {**asdict(self._scope), "size": size, "root": root, "seen_at": now, "covered_at": 0}
            _insert(self._connection, heads, values)
        elif known.size < size:
            change = update(heads).where(_of_scope(heads, self._scope), heads.c.size < size)
            self._connection.execute(change.values(size=size, root=root, seen_at=max(now, known.seen_at)))
        elif known.seen_at < now:
            change = update(heads).where(_of_scope(heads, self._scope), heads.c.seen_at < now)
            self._connection.execute(change.values(seen_at=now))

    def cover(self, *, at: int) -> None:
        """Remember that all the log had at time ``at`` is anchored; needs a head seen before."""
        change = update(heads).where(_of_scope(heads, self._scope), heads.c.covered_at < at)
        self._connection.execute(change.values(covered_at=at))

    def seen(self) -> SeenHead | None:
        """What is known of the chain's head; None if it was never proved."""
        query = select(heads).where(_of_scope(heads, self._scope))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else SeenHead(row.size, row.root, row.seen_at, row.covered_at)

    def last_head(self) -> Checkpoint | None:
        """The largest tree the chain was proved to hold: the log's ``known_head`` while the chain is away."""
        seen = self.seen()
        return None if seen is None or not seen.size else Checkpoint(self._scope.origin, seen.size, RootHash(seen.root))
