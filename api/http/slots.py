"""How many verifications for strangers run at once: anyone may ask, and a hostile bundle costs seconds and memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from signing import UnavailableError

AT_ONCE: Final = 4
WAIT_SECONDS: Final = 2
"""Short: whoever waits holds a thread of the service. An honest bundle takes some milliseconds."""


class VerificationSlots:
    """At most ``at_once`` holders in this process; safe for use by several threads."""

    def __init__(self, at_once: int = AT_ONCE, wait_seconds: float = WAIT_SECONDS) -> None:
        self._free = BoundedSemaphore(at_once)
        self._wait_seconds = wait_seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """One slot while the block runs; raises UnavailableError (``verify.busy``) if none gets free in time."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise UnavailableError("verify.busy", "too many verifications at once: try again in a few seconds")
        try:
            yield
        finally:
            self._free.release()
