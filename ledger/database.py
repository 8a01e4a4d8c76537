"""Open the database so that what is committed is durable, and so that writers queue instead of failing.

* SQLite: a file, write-ahead log, ``synchronous=FULL`` (a commit is on disk when it returns). The driver's own
  transaction control is off; each transaction begins with BEGIN IMMEDIATE, which takes the write lock at once and waits
  for it, because a transaction that reads first and writes later can't wait: SQLite fails it.
* PostgreSQL through psycopg 3: READ COMMITTED; a session with ``synchronous_commit=off`` is set to ``on``.
  The server must run with ``fsync=on``.
"""

import sqlite3
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.statements import BINARY
from signing import MalformedError

BUSY_TIMEOUT_SECONDS: Final = 30
_CACHE_KIBIBYTES: Final = 32 * 1024
_CHECKPOINT_PAGES: Final = 4000
"""SQLite copies the write-ahead log into the file after so many pages of 4 KiB: one page that many appends changed,
such as those of an index, is then copied once for all of them.
"""
_READ_ONLY: Final = "ledger_read_only"


def open_engine(url: str, *, busy_timeout_seconds: int = BUSY_TIMEOUT_SECONDS) -> Engine:
    """The engine of ``sqlite:///<file>`` or ``postgresql://…``; connects to nothing yet.

    Every transaction of it may write: on SQLite they therefore run one after the other (see ``reading``).
    A writer that waited ``busy_timeout_seconds`` for its turn fails with SQLAlchemy's OperationalError.
    Raises MalformedError (``form.database-url``), whose text never holds the URL: it may carry a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise MalformedError("form.database-url", "database URL: not a URL") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _open_sqlite(parsed, busy_timeout_seconds)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return _open_postgresql(parsed, busy_timeout_seconds)
    raise MalformedError("form.database-url", "database URL: neither sqlite nor postgresql")


def reading(engine: Engine) -> Engine:
    """The same database for reading only: each transaction sees one unchanging state and makes no writer wait.

    A write in such a transaction fails with SQLAlchemy's OperationalError or InternalError.
    """
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_READ_ONLY: True})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _open_sqlite(url: URL, busy_timeout_seconds: int) -> Engine:
    if not url.database or url.database == ":memory:":
        raise MalformedError("form.database-url", "database URL: SQLite needs a file, memory is not durable")
    engine = create_engine(url, connect_args={"timeout": busy_timeout_seconds}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")  # what a savepoint may take back: no temporary file for it
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased leaves no free page behind

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = bool(connection.get_execution_options().get(_READ_ONLY, False))
        if connection.info.get(_READ_ONLY, False) is not read_only:
            connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
            connection.info[_READ_ONLY] = read_only
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _open_postgresql(url: URL, busy_timeout_seconds: int) -> Engine:
    from psycopg.pq import Format  # only where there is a PostgreSQL

    engine = create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute(f"SET lock_timeout = '{busy_timeout_seconds}s'")
        cursor.close()
        connection.commit()

    @event.listens_for(engine, "before_cursor_execute")
    def set_form(_: Connection, cursor: Any, __: str, ___: Any, context: ExecutionContext | None, ____: bool) -> None:
        if context is not None and context.execution_options.get(BINARY):
            cursor.format = Format.BINARY

    return engine
