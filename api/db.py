"""Transactions: one per request or command, opened and committed here and nowhere else."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import OperationalError as SqlOperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ledger.database import open_engine, reading
from signing import UnavailableError

DAMAGED: Final = "database.damaged"
_PG_DEADLOCK: Final = "40P01"
_PG_DISK_FULL: Final = "53100"
_PG_INTERNAL: Final = "XX000"  # among others, what the operating system says when a file can't be written
_PG_CORRUPTED: Final = ("XX001", "XX002")


class Database:
    """The engine of one workspace. ``write`` commits when its block ends and rolls back when it raises."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = open_engine(url)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One writing transaction; raises UnavailableError (``database.unavailable``) if the database can't be had."""
        with self.answering(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read-only snapshot."""
        with self.answering(), reading(self.engine).connect() as connection:
            yield connection

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Raises UnavailableError for a database that is away (``database.unavailable``), has no space left
        (``database.full``), or is none (``database.damaged``); or which another transaction kept from its turn
        (``database.conflict``). Nothing was committed, or it is not known: run again.
        """
        try:
            yield
        except PoolTimeoutError as error:
            raise UnavailableError("database.unavailable", "all connections to the database are in use") from error
        except DatabaseError as error:
            unavailable = _unavailable(error)
            if unavailable is None:
                raise
            raise unavailable from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _unavailable(error: DatabaseError) -> UnavailableError | None:
    """What the outside is told; None for what is ours to mend, such as a rule broken or a value too large."""
    reason, said = _reason(error), error.orig
    state = getattr(said, "sqlstate", None)  # of PostgreSQL
    if state == _PG_DISK_FULL or getattr(said, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return UnavailableError("database.full", f"the database has no space left: {reason}")
    if state == _PG_DEADLOCK:
        return UnavailableError("database.conflict", "another transaction stood in the way; nothing was written")
    if type(error) is DatabaseError or state in _PG_CORRUPTED:
        return UnavailableError(DAMAGED, f"the database can't be read: {reason}")
    if isinstance(error, SqlOperationalError) or state == _PG_INTERNAL:
        return UnavailableError("database.unavailable", f"the database does not answer: {reason}")
    return None


def _reason(error: DBAPIError) -> str:
    """The driver's own words, without the statement and its parameters."""
    return str(error.orig).splitlines()[0][:200] if error.orig else type(error).__name__


def database_url(url: str, workspace: Path) -> str:
    """A relative SQLite path is relative to the workspace."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((workspace / url.removeprefix(prefix)).absolute())
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
