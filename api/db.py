"""Transactions: one per request or command, opened and committed here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import OperationalError as SqlOperationalError

from ledger.database import open_engine, reading
from signing import UnavailableError

DAMAGED: Final = "database.damaged"


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
        """Raises UnavailableError for a database that is away (``database.unavailable``) or none (``.damaged``)."""
        try:
            yield
        except SqlOperationalError as error:
            raise UnavailableError("database.unavailable", f"the database does not answer: {_reason(error)}") from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:  # a rule broken, a value too large: ours to mend
                raise
            raise UnavailableError(DAMAGED, f"the database can't be read: {_reason(error)}") from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _reason(error: DBAPIError) -> str:
    """The driver's own words, without the statement and its parameters."""
    return str(error.orig).splitlines()[0][:200] if error.orig else type(error).__name__


def database_url(url: str, workspace: Path) -> str:
    """A relative SQLite path is relative to the workspace."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((workspace / url.removeprefix(prefix)).absolute())
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
