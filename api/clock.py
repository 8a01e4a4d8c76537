"""The only place that reads the clock and draws random bytes; everything else takes both as parameters."""

import secrets
import time

random_bytes = secrets.token_bytes


def now() -> int:
    """The current time in Unix seconds."""
    return int(time.time())


def pause() -> None:
    """Wait a second for something outside."""
    time.sleep(1)
