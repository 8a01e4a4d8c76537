"""The head row of each log: its terms, its size and its frontier. Who holds its lock is the one writer of the log."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger.statements import Statement
from ledger.tables import heads
from ledger.terms import LogTerms
from ledger.tree import Frontier
from signing import MalformedError, NoteKey, UnavailableError, VerificationError

_LOCK: Final = Statement(
    "SELECT * FROM log_heads WHERE origin = ?", postgresql="SELECT * FROM log_heads WHERE origin = ? FOR UPDATE"
)
_MOVE: Final = Statement("UPDATE log_heads SET size = ?, frontier = ? WHERE origin = ? AND size = ?")


def damaged(message: str) -> VerificationError:
    """The error for stored bytes that contradict each other: nothing may be signed on top of them."""
    return VerificationError("log.damaged", f"{message}; nothing was signed, run fsck")


@dataclass(frozen=True, slots=True)
class Head:
    """A log as its head row has it."""

    terms: LogTerms
    frontier: Frontier


def lock_head(connection: Connection, origin: str) -> Head:
    """The head row, locked until the transaction ends.

    Raises UnavailableError ``log.unknown``, VerificationError ``log.damaged``.
    """
    found = _LOCK.rows(connection, origin)
    if not found:
        raise UnavailableError("log.unknown", "this database holds no log of that origin")
    row = found[0]
    terms = _terms(row)
    try:
        return Head(terms, Frontier.from_bytes(row.size, row.frontier))
    except MalformedError:
        raise damaged("log_heads: the frontier is not of the form") from None


def create_head(connection: Connection, key: NoteKey, entry_limit: int) -> Head:
    """The head row of the log of ``key``, made if there is none, and locked."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    while True:
        number = (connection.scalar(select(func.max(heads.c.log))) or 0) + 1
        terms = LogTerms(key.name, number, key.format(), entry_limit, frozen=False)
        row = {"origin": key.name, "log": number, "size": 0, "frontier": b"", **_columns(terms)}
        connection.execute(dialect.insert(heads).values(row).on_conflict_do_nothing())
        try:
            return lock_head(connection, key.name)
        except UnavailableError:
            continue  # another log took that number in the meantime


def move_head(connection: Connection, old: Head, grown: Frontier) -> None:
    """Compare and swap: the row must still be at the size it was locked with. Raises VerificationError."""
    if _MOVE.run(connection, grown.size, grown.to_bytes(), old.terms.origin, old.frontier.size) != 1:
        raise damaged("log_heads: the head moved while it was locked")


def write_terms(connection: Connection, terms: LogTerms) -> None:
    """Change the terms of a log whose head is locked."""
    connection.execute(update(heads).where(heads.c.origin == terms.origin).values(_columns(terms)))


def list_logs(connection: Connection) -> list[LogTerms]:
    """The terms of every log in the database, by origin. Raises VerificationError ``log.damaged``."""
    return [_terms(row) for row in connection.execute(select(heads).order_by(heads.c.origin))]


def list_origins(connection: Connection) -> list[str]:
    """The origins of all head rows, whatever else is in them."""
    return [origin for origin in connection.scalars(select(heads.c.origin)) if isinstance(origin, str)]


def log_of_number(connection: Connection, number: int) -> LogTerms | None:
    """The terms of the log with this number, if there is one. Raises VerificationError ``log.damaged``."""
    row = connection.execute(select(heads).where(heads.c.log == number)).one_or_none()
    return None if row is None else _terms(row)


def _terms(row: Row[Any]) -> LogTerms:
    terms = LogTerms(row.origin, row.log, row.vkey, row.entry_limit, bool(row.frozen))
    if terms.digest() != row.terms_digest:
        raise damaged("log_heads: the log's terms are not those that were written")
    return terms


def _columns(terms: LogTerms) -> dict[str, object]:
    return {
        "vkey": terms.vkey,
        "entry_limit": terms.entry_limit,
        "frozen": terms.frozen,
        "terms_digest": terms.digest(),
    }
