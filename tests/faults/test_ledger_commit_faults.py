"""COMMIT and ROLLBACK fail in the database itself: not done, done but reported failed, and nobody is told a lie.

The faults are real: a deferred constraint that COMMIT refuses, a session that the server ends, a file descriptor that
is gone. What is asked each time is the same: was anything acknowledged that is not there, is anything there twice.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from api.db import Database
from ledger.batcher import Batcher
from ledger.database import open_engine
from ledger.store import SqlLog
from materials.registry.register import register
from signing import UnavailableError
from tests.support.ledger_logs import ORIGIN, POLICY, SIGNER, append, check_log, new_log
from tests.support.materials_home import NOW, HomeKit, submission


def make_refusing_tables(engine: Engine) -> None:
    """A child table whose rows need a parent, but only when the transaction commits."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql(
            "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
        )


def spoil(connection: Connection) -> None:
    """Let COMMIT be refused."""
    connection.exec_driver_sql("INSERT INTO child VALUES (1)")


def end_session(connection: Connection, word: str) -> None:
    """Let ``word`` be the last thing that the session does, then lose it: the server ends it.

    SQLite has no session to lose; there it is an I/O error that comes after it.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(word)
        raise OperationalError(word, None, sqlite3.OperationalError("disk I/O error"))
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    connection.exec_driver_sql(word)
    with connection.engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)")
    connection.exec_driver_sql("SELECT 1")


def lose(connection: Connection) -> None:
    """Never commit."""
    end_session(connection, "ROLLBACK")


def commit_and_lose(connection: Connection) -> None:
    """Commit, and let no answer come back."""
    end_session(connection, "COMMIT")


@contextmanager
def once_at(engine: Engine, moment: str, happen: Callable[[Connection], None]) -> Iterator[None]:
    """The next ``commit`` or ``rollback`` of ``engine`` meets the fault, later ones don't."""
    met: list[Connection] = []

    def hook(connection: Connection) -> None:
        if not met:
            met.append(connection)
            happen(connection)

    event.listen(engine, moment, hook)
    try:
        yield
    finally:
        event.remove(engine, moment, hook)
    assert met


@dataclass(frozen=True)
class Fault:
    """What happens at COMMIT, and whether the commit is done all the same."""

    happen: Callable[[Connection], None]
    done: bool


REFUSED, SESSION_LOST, ANSWER_LOST = (
    Fault(spoil, done=False),
    Fault(lose, done=False),
    Fault(commit_and_lose, done=True),
)
each_fault = pytest.mark.parametrize("fault", [REFUSED, SESSION_LOST, ANSWER_LOST], ids=["refused", "lost", "done"])


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """With a log, and tables that can spoil a commit."""
    engine = open_engine(database_url)
    make_refusing_tables(engine)
    yield engine
    engine.dispose()


@each_fault
def test_a_commit_of_the_log_fails(engine: Engine, fault: Fault) -> None:
    new_log(engine)
    with once_at(engine, "commit", fault.happen), pytest.raises(DBAPIError):
        append(engine, [b"a", b"b"])
    done = [b"a", b"b"] if fault.done else []
    assert check_log(engine) == [POLICY, *done]
    again = append(engine, [b"b", b"c"])
    assert (again.indices, again.duplicates) == (((2, 3), (True, False)) if done else ((1, 2), (False, False)))
    check_log(engine)


@each_fault
def test_a_commit_of_the_batcher_fails(engine: Engine, fault: Fault) -> None:
    new_log(engine)
    with Batcher(lambda batch: append(engine, batch)) as batcher:
        with once_at(engine, "commit", fault.happen), pytest.raises(UnavailableError) as caught:
            batcher.append(b"a")
        assert caught.value.code == "log.unknown-outcome"
        answer = batcher.append(b"a")
    assert (answer.index, answer.duplicate) == (1, fault.done)
    assert check_log(engine) == [POLICY, b"a"]


@each_fault
def test_a_commit_of_a_registration_fails(engine: Engine, tmp_path: Path, fault: Fault) -> None:
    kit = HomeKit(tmp_path / "vault")
    kit.create(engine)
    with once_at(engine, "commit", fault.happen), pytest.raises(DBAPIError), kit.unit(engine) as ports:
        register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
    with kit.unit(engine) as ports:
        again = register(ports, kit.home(), submission(), kit.keys, now=NOW, random_bytes=os.urandom)
        assert again.is_new is not fault.done
        assert again.record.log_index == 1
        assert ports.log.entry(2) is None
        assert b"".join(ports.vault.read_file(again.record.jti, 0))
    with engine.begin() as connection:
        kit.vault(connection).sweep(created_before=2**40)
    assert len(list(kit.folder.glob("*/*"))) == 1


def test_a_rollback_fails(engine: Engine) -> None:
    """The session ends while an append is being undone: the database undoes it."""
    new_log(engine)
    with once_at(engine, "rollback", lose), pytest.raises(DBAPIError), engine.begin() as connection:
        append_and_fail(connection)
    assert check_log(engine) == [POLICY]
    assert append(engine, [b"b"]).indices == (1,)


def append_and_fail(connection: Connection) -> None:
    """An append, and then a mistake of the caller's."""
    append_on(connection)
    raise ZeroDivisionError


def append_on(connection: Connection) -> None:
    """An append of ``a`` that is not committed."""
    SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)


@pytest.mark.parametrize("fault", [SESSION_LOST, ANSWER_LOST], ids=["lost", "done"])
def test_what_fails_at_commit_has_one_stable_code(database_url: str, fault: Fault) -> None:
    database = Database(database_url)
    new_log(database.engine)
    with (
        once_at(database.engine, "commit", fault.happen),
        pytest.raises(UnavailableError) as caught,
        database.write() as connection,
    ):
        append_on(connection)
    assert caught.value.code == "database.unavailable"
    assert check_log(database.engine) == ([POLICY, b"a"] if fault.done else [POLICY])
    database.close()
