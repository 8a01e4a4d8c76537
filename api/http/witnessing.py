"""Witnesses beside the requests: one thread that has new checkpoints cosigned, if the settings name witnesses.

A thread of its own, so that a witness that does not answer holds up nothing. What failed is tried again; what the
policy lacks is logged when that begins, and shown by ``/readyz`` for as long as it lasts.
"""

import logging
from threading import Event, Thread
from typing import Final

from api.http.problems import describe
from api.witnessing import ask_witnesses
from api.workspace import Workspace
from signing import LedgerError, VerificationError

MAX_WAIT_SECONDS: Final = 300
QUORUM_MET: Final = "ok"
_log = logging.getLogger("ematerials.witnesses")


class Witnesses:
    """The thread; ``start`` and ``stop`` once each. Without witnesses in the settings it does nothing.

    ``code`` says how the last round ended: None before it or without witnesses, ``ok`` if the quorum was met and no
    witness said anything that a person must look at.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="witnesses", daemon=True)
        self.code: str | None = None

    def start(self) -> None:
        """Begin."""
        if self._workspace.settings.witnesses is not None:
            self._thread.start()

    def stop(self) -> None:
        """End after the requests in progress, which the settings bound."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            trouble = self._trouble()
            code = QUORUM_MET if trouble is None else _code_of(trouble)
            if trouble is not None and code != self.code:
                _log.warning(
                    "witnesses: %s: %s", code, trouble if isinstance(trouble, LedgerError) else describe(trouble)
                )
            self.code = code
            failures = 0 if trouble is None else failures + 1
            every = self._workspace.settings.service.anchor_every_seconds
            self._stopping.wait(min(MAX_WAIT_SECONDS, every * 2 ** min(failures, 6)))

    def _trouble(self) -> Exception | None:
        """Ask once: an alarm, or else what the policy lacks, or else nothing."""
        try:
            asked = ask_witnesses(self._workspace)
        except Exception as error:  # this thread must outlive whatever a witness or a driver does
            return error
        outcomes = [attempt.outcome for attempt in asked.attempts]
        alarms = [outcome for outcome in outcomes if isinstance(outcome, VerificationError)]
        return next(iter(alarms), asked.missing)


def _code_of(error: Exception) -> str:
    return error.code if isinstance(error, LedgerError) else "witness.failed"
