"""Let the disk be full: no file of a process may grow beyond a size, and the operating system says so (EFBIG).

Needs no root: a process may lower and raise its own limit, and that of another of the same user.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

LIMITED_CLI = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from api.cli.app import main
main()
"""


def limited_cli(limit: int, *arguments: str | Path) -> list[str]:
    """The command ``ematerials``, in which no file grows beyond ``limit`` bytes."""
    return [sys.executable, "-c", LIMITED_CLI, str(limit), *map(str, arguments)]


@contextmanager
def files_end_at(limit: int, process: int) -> Iterator[None]:
    """No file of ``process`` grows beyond ``limit`` bytes meanwhile."""
    _set_limit(process, str(limit))
    try:
        yield
    finally:
        _set_limit(process, "unlimited")


def _set_limit(process: int, limit: str) -> None:
    """The soft limit, set as the user who may: the process's own (a server that root started runs as another)."""
    owner = Path(f"/proc/{process}").stat().st_uid
    command = ["prlimit", f"--pid={process}", f"--fsize={limit}:unlimited"]
    subprocess.run(command, user=None if owner == os.getuid() else owner, check=True)


def process_of(connection: Connection) -> int:
    """The process that writes the files of the database: this one, or the server's for this session."""
    if connection.dialect.name == "sqlite":
        return os.getpid()
    pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return pid
