"""One writer per chain: an advisory lock on a file beside the database, freed by the system when the process dies."""

import fcntl
import os
from pathlib import Path

from signing.errors import UnavailableError


class WriterLock:
    """Holds the lock from construction to ``release``.

    Raises UnavailableError (``devchain.locked``) at once if another process, or another opener in this one, has it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise UnavailableError(
                "devchain.locked", "the development chain is open for writing elsewhere; open it read-only"
            ) from None

    def release(self) -> None:
        """Free the lock; the file stays."""
        os.close(self._descriptor)
