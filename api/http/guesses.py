"""Slows down guessing: after a few misses about one material, questions about it are refused for a while.

Whoever asks whether a file belongs to a material gets a yes only for the exact file; without this limit, a file with
few possible contents (a form with a name and a number) could be found by trying them all.
"""

from collections import OrderedDict
from threading import Lock
from typing import Final

from signing import RefusedError

MAX_MISSES: Final = 10
PERIOD_SECONDS: Final = 3600
_MAX_SUBJECTS: Final = 100_000


class GuessLimit:
    """Counts misses per subject within a period, in memory; thread-safe. Drops the oldest of too many."""

    def __init__(self) -> None:
        self._misses: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._lock = Lock()

    def check(self, subject: str, now: int) -> None:
        """Raise RefusedError (``verify.too-many-guesses``) if ``subject`` has no guess left."""
        with self._lock:
            count, since = self._misses.get(subject, (0, now))
        if count >= MAX_MISSES and now < since + PERIOD_SECONDS:
            raise RefusedError("verify.too-many-guesses", "too many files did not match this material; ask later")

    def miss(self, subject: str, now: int) -> None:
        """Count a guess that was wrong."""
        with self._lock:
            count, since = self._misses.pop(subject, (0, now))
            self._misses[subject] = (count + 1, since) if now < since + PERIOD_SECONDS else (1, now)
            if len(self._misses) > _MAX_SUBJECTS:
                self._misses.popitem(last=False)
