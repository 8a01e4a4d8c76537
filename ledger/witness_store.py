"""What a witness remembers, in SQL: compare and set in one transaction (C2SP tlog-witness).

The row of a log is locked from the comparison to the commit, so that two requests can't both extend the same size, and
none can roll it back. **The commit is the caller's; no cosignature may leave the process before it.** Evidence is kept
by the same commit, although the answer is a refusal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger.checkpoint import Checkpoint, read_checkpoint
from ledger.hashing import EMPTY_ROOT
from ledger.witness import Conflict, Cosigned, Cosigner, SignedRequest, Suspicion, cosign_request, find_fork, judge
from ledger.witness_tables import evidence, heads
from signing import LedgerError, UnavailableError, sha256

EVIDENCE_MAX: Final = 1000
"""Requests kept for each log and kind: whoever signs lies without end shall not fill the disk."""


@dataclass(frozen=True, slots=True)
class WitnessedHead:
    """The checkpoint of a log that was cosigned last, at ``time`` (Unix seconds); ``note`` has both signatures."""

    checkpoint: Checkpoint
    time: int
    note: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A request, signed by the log, for a head that it could not or did not prove.

    ``code`` as in ``Suspicion``; ``size`` and ``root`` as claimed; ``held`` is the note that it did not extend, with
    both signatures, or empty; ``time`` is when it first came.
    """

    origin: str
    code: str
    size: int
    root: bytes
    time: int
    request: bytes = field(repr=False)
    held: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EvidenceHead:
    """What ``Evidence`` is about, without its bytes."""

    code: str
    size: int
    root: bytes
    time: int


class SqlWitness:
    """The memory of one witness on one connection of ``open_engine``; it never commits.

    Database errors are SQLAlchemy's: roll back, answer that it failed, and let the log ask again. After a commit of
    unknown outcome too: the answer to the next request says which size holds.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, signed: SignedRequest, cosigner: Cosigner, now: int) -> Cosigned | Conflict | Suspicion:
        """Steps 5 to 8 for a request; what it returns is the answer once the transaction is committed.

        Raises UnavailableError and then has written nothing: ``witness.clock`` if ``now`` is before the last
        cosignature of this log, ``witness.signer``, ``witness.damaged`` if the stored head contradicts itself.
        """
        with self._connection.begin_nested():
            row = self.lock(signed.request.head.origin)
            last = _head(row)
            known = None if last is None else last.checkpoint
            verdict = judge(signed.request, known)
            suspicion = verdict if isinstance(verdict, Suspicion) else find_fork(signed.request, known)
            if suspicion is not None:
                self._keep(signed, suspicion, b"" if last is None else last.note, now)
            if verdict is not None:
                return verdict
            if now < row.time:
                raise UnavailableError("witness.clock", "the clock is behind the last cosignature of this log")
            lines = cosign_request(signed, cosigner, now)
            self._set(row, signed, lines, now)
        return Cosigned(lines)

    def head(self, origin_hash: str) -> WitnessedHead | None:
        """The checkpoint cosigned last of the log whose origin has this hex SHA-256; None if there is none."""
        row = self._connection.execute(select(heads).where(heads.c.origin_hash == origin_hash)).one_or_none()
        return None if row is None else _head(row)

    def heads(self) -> Iterator[WitnessedHead]:
        """The checkpoints cosigned last, by origin."""
        for row in self._connection.execute(select(heads).where(heads.c.time > 0).order_by(heads.c.origin)):
            if (head := _head(row)) is not None:
                yield head

    def evidence(self) -> Iterator[Evidence]:
        """All that was kept, by origin, oldest first."""
        columns = (evidence.c.origin, evidence.c.code, evidence.c.size, evidence.c.root)
        query = select(*columns, evidence.c.time, evidence.c.request, evidence.c.held)
        for row in self._connection.execute(query.order_by(evidence.c.origin, evidence.c.time, evidence.c.size)):
            yield Evidence(*row)

    def evidence_of(self, origin_hash: str) -> list[EvidenceHead]:
        """What was kept of the log whose origin has this hex SHA-256, oldest first, without the bytes."""
        query = select(evidence.c.code, evidence.c.size, evidence.c.root, evidence.c.time).where(_is_of(origin_hash))
        rows = self._connection.execute(query.order_by(evidence.c.time, evidence.c.size))
        return [EvidenceHead(*row) for row in rows]

    def find_evidence(self, origin_hash: str, code: str, size: int, root: bytes) -> Evidence | None:
        """One of them, with the bytes; None if there is none."""
        columns = (evidence.c.origin, evidence.c.code, evidence.c.size, evidence.c.root, evidence.c.time)
        same = (evidence.c.code == code) & (evidence.c.size == size) & (evidence.c.root == root)
        query = select(*columns, evidence.c.request, evidence.c.held).where(_is_of(origin_hash), same)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Evidence(*row)

    def count_evidence(self) -> int:
        """How much was kept, of all logs."""
        return self._connection.scalar(select(func.count()).select_from(evidence)) or 0

    def lock(self, origin: str) -> Row[Any]:
        """Wait for the log's row, which nobody else moves until the transaction ends.

        ``add`` does so itself; whoever reads the clock does it before, so that no wait lies between.
        """
        query = select(heads).where(heads.c.origin == origin).with_for_update()
        row = self._connection.execute(query).one_or_none()
        if row is not None:
            return row
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        first = {
            "origin": origin,
            "origin_hash": sha256(origin.encode()).hex(),
            "size": 0,
            "root": EMPTY_ROOT,
            "time": 0,
            "note": b"",
            "cosignatures": b"",
        }
        self._connection.execute(dialect.insert(heads).values(first).on_conflict_do_nothing())
        return self._connection.execute(query).one()

    def _set(self, row: Row[Any], signed: SignedRequest, lines: bytes, now: int) -> None:
        head = signed.request.head
        moved = self._connection.execute(
            update(heads)
            .where(heads.c.origin == head.origin, heads.c.size == row.size, heads.c.root == row.root)
            .values(size=head.size, root=head.root, time=now, note=signed.note, cosignatures=lines)
        )
        if moved.rowcount != 1:
            raise _damaged("the row moved while it was locked")

    def _keep(self, signed: SignedRequest, suspicion: Suspicion, held: bytes, now: int) -> None:
        origin, request = signed.request.head.origin, signed.request
        of_kind = (evidence.c.origin == origin) & (evidence.c.code == suspicion.code)
        same = of_kind & (evidence.c.size == request.head.size) & (evidence.c.root == request.root)
        if self._connection.scalar(select(evidence.c.time).where(same)) is not None:
            return
        count = self._connection.scalar(select(func.count()).select_from(evidence).where(of_kind)) or 0
        if count >= EVIDENCE_MAX:
            return
        self._connection.execute(
            insert(evidence).values(
                origin=origin,
                code=suspicion.code,
                size=request.head.size,
                root=request.root,
                time=now,
                request=request.raw,
                held=held,
            )
        )


def _is_of(origin_hash: str) -> ColumnElement[bool]:
    """Evidence of that log: each log that ever asked has a row of its own."""
    return evidence.c.origin.in_(select(heads.c.origin).where(heads.c.origin_hash == origin_hash))


def _head(row: Row[Any]) -> WitnessedHead | None:
    """The head in a row, whose columns must say what its note says; None if nothing was cosigned yet."""
    if row.time == 0:
        return None
    try:
        checkpoint = read_checkpoint(row.note)
    except LedgerError:
        raise _damaged("the note can't be read") from None
    if (checkpoint.origin, checkpoint.size, checkpoint.root) != (row.origin, row.size, row.root):
        raise _damaged("size or root are not those of the note")
    return WitnessedHead(checkpoint, row.time, row.note + row.cosignatures)


def _damaged(what: str) -> UnavailableError:
    return UnavailableError("witness.damaged", f"witness_heads: {what}; nothing is cosigned")
