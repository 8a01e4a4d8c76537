"""What the service does beside the requests, again and again: one thread for each, so that none holds up another."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from api.http.problems import describe
from signing import LedgerError

MAX_WAIT_SECONDS: Final = 300
OK: Final = "ok"
_log = logging.getLogger("ematerials.rounds")


class Rounds:
    """A thread that calls ``do`` every so many seconds, and later and later while there is trouble.

    ``do`` returns what troubles it, or raises it; None if all is well. Trouble is logged when it begins, not each time.
    ``code`` says how the last round ended: None before the first, ``ok``, or the code of the trouble.
    """

    def __init__(
        self, name: str, do: Callable[[], Exception | None], *, every_seconds: int, wanted: bool, unnamed: str
    ) -> None:
        """Unless ``wanted``, as the settings say, it never does anything. ``unnamed`` is for trouble without a code."""
        self.code: str | None = None
        self._do = do
        self._name = name
        self._every = every_seconds
        self._wanted = wanted
        self._unnamed = unnamed
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        if self._wanted:
            self._thread.start()

    def stop(self) -> None:
        """End after the round in progress, whose requests the settings bound."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            trouble = self._round()
            self._tell(trouble)
            failures = 0 if trouble is None else failures + 1
            self._stopping.wait(min(MAX_WAIT_SECONDS, self._every * 2 ** min(failures, 9)))

    def _round(self) -> Exception | None:
        try:
            return self._do()
        except Exception as error:  # this thread must outlive whatever another service or a driver does
            return error

    def _tell(self, trouble: Exception | None) -> None:
        code, text = OK, ""
        if isinstance(trouble, LedgerError):
            code, text = trouble.code, str(trouble)
        elif trouble is not None:
            code, text = self._unnamed, describe(trouble)
        if text and code != self.code:
            _log.warning("%s: %s: %s", self._name, code, text)
        self.code = code
