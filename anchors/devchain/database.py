"""The SQLite file of the development chain: connection, schema, transactions, and the table of trie nodes.

Durable at the end of a transaction (WAL, synchronous=FULL); undone as a whole when it raises or the process dies.
One connection guarded by one lock, so a chain may be used from several threads. Nodes are never removed: every state
stays provable and the file only grows.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from signing.errors import MalformedError, UnavailableError

_SCHEMA_VERSION: Final = 1
_BUSY_MILLISECONDS: Final = 10_000

_SCHEMA: Final = """
CREATE TABLE chain (chain_id INTEGER NOT NULL);
CREATE TABLE node (hash BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE validator (address BLOB PRIMARY KEY, secret BLOB NOT NULL, active INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL);
CREATE TABLE tx (
    hash BLOB PRIMARY KEY, number INTEGER NOT NULL REFERENCES block ON DELETE CASCADE, position INTEGER NOT NULL,
    raw BLOB NOT NULL, succeeded INTEGER NOT NULL, gas_used INTEGER NOT NULL, cumulative_gas_used INTEGER NOT NULL,
    first_log INTEGER NOT NULL, UNIQUE (number, position)
) WITHOUT ROWID;
CREATE TABLE log (
    number INTEGER NOT NULL REFERENCES block ON DELETE CASCADE, log_index INTEGER NOT NULL,
    position INTEGER NOT NULL, address BLOB NOT NULL, topics BLOB NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (number, log_index)
) WITHOUT ROWID;
CREATE INDEX log_by_address ON log (address, number);
"""


class Database:
    """An open chain file. ``lock`` guards every use of ``connection``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.lock = threading.RLock()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Open for writing; make an empty file, readable by its owner only, if there is none."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = cls(_connect(f"file:{quote(str(path))}?mode=rw"))
        try:
            is_new = database.version() == 0
            database.connection.execute("PRAGMA journal_mode = WAL")
            database.connection.execute("PRAGMA synchronous = FULL")
            database.connection.execute("PRAGMA foreign_keys = ON")
            if is_new:
                database.connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {_SCHEMA_VERSION};COMMIT;")
            database.check_version()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open_read_only(cls, path: Path) -> Self:
        """Open beside a writer; sees what is committed. Raises UnavailableError (``devchain.absent``)."""
        if not path.exists():
            raise UnavailableError("devchain.absent", "there is no development chain at this path yet")
        database = cls(_connect(f"file:{quote(str(path))}?mode=ro"))
        try:
            database.check_version()
        except BaseException:
            database.close()
            raise
        return database

    def version(self) -> int:
        """Return the schema version; 0 for a new file. Raises MalformedError if the file is no SQLite database."""
        try:
            version: int = self.connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError:
            raise MalformedError("devchain.file", "the file is not a development chain") from None
        return version

    def check_version(self) -> None:
        """Raise UnavailableError (``devchain.absent``) for an empty chain, MalformedError for a foreign version."""
        version = self.version()
        if version == 0:
            raise UnavailableError("devchain.absent", "the development chain has not been created yet")
        if version != _SCHEMA_VERSION:
            raise MalformedError("devchain.file", f"development chain: schema {version} is not {_SCHEMA_VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed and durable at the end, undone if the block raises."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the chain: everything read in the block is of the same moment."""
        with self.lock:
            if self.connection.in_transaction:
                yield self.connection
                return
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        with self.lock:
            self.connection.close()


class NodeTable(MutableMapping[bytes, bytes]):
    """Trie nodes and code: reads from the database, new ones kept aside until ``store``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._fresh: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> bytes:
        body = self._fresh.get(key)
        if body is None:
            row = self._connection.execute("SELECT body FROM node WHERE hash = ?", (key,)).fetchone()
            if row is None:
                raise KeyError(key)
            body = bytes(row[0])
        return body

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._fresh[key] = value

    def __delitem__(self, key: bytes) -> None:
        self._fresh.pop(key, None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._fresh)

    def __len__(self) -> int:
        return len(self._fresh)

    def store(self) -> None:
        """Write what is new, inside the caller's transaction."""
        self._connection.executemany("INSERT OR IGNORE INTO node VALUES (?, ?)", self._fresh.items())


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    return connection
