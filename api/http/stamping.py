"""Time stamps beside the requests: one thread that has new checkpoints stamped, if services are set.

A thread of its own, so that a service that does not answer never holds up anchoring. What failed is tried again.
"""

import logging
from threading import Event, Thread
from typing import Final

from api.http.problems import describe
from api.timestamping import stamp_checkpoints
from api.workspace import Workspace
from signing import LedgerError

MAX_WAIT_SECONDS: Final = 300
_log = logging.getLogger("ematerials.timestamps")


class Stamping:
    """The thread; ``start`` and ``stop`` once each. Without services in the settings it does nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="stamping", daemon=True)
        self._trouble: str | None = None

    def start(self) -> None:
        """Begin."""
        if self._workspace.settings.timestamps.urls:
            self._thread.start()

    def stop(self) -> None:
        """End after the request in progress, which the settings bound."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            failures = failures + 1 if self._look() else 0
            every = self._workspace.settings.service.anchor_every_seconds
            self._stopping.wait(min(MAX_WAIT_SECONDS, 2 ** min(failures, 9)) if failures else every)

    def _look(self) -> bool:
        """Have what is new stamped; whether anything failed. Trouble is logged when it begins, not each time."""
        try:
            outcomes = [attempt.outcome for attempt in stamp_checkpoints(self._workspace)]
            errors: list[Exception] = [outcome for outcome in outcomes if isinstance(outcome, LedgerError)]
        except Exception as error:  # this thread must outlive whatever a service or a driver does
            errors = [error]
        first = errors[0] if errors else None
        code = first.code if isinstance(first, LedgerError) else "timestamp.failed"
        if first is not None and code != self._trouble:
            _log.warning("time stamps: %s: %s", code, describe(first))
        self._trouble = code if errors else None
        return bool(errors)
