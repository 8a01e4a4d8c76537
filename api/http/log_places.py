"""Which log a request is about, and what of it: the home's own under ``/log/``, another one under ``/logs/<number>/``.

There is one URL for each resource: the raw path must be spelt exactly so. A path with percent escapes, leading zeros or
doubled slashes is not found; nothing is redirected.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Path, Request
from sqlalchemy import Connection

from api.http.deps import Home
from api.workspace import Workspace
from ledger.heads import log_of_number
from ledger.reading import LogReader
from ledger.tile_cache import TileCache
from signing import MalformedError, RefusedError, parse_decimal

OWN_PREFIX: Final = "/log"
OTHERS_PREFIX: Final = "/logs"
_MAX_NUMBER: Final = 2**31 - 1


class TileCaches:
    """The tiles that proofs were made from last, of each log; ``limit`` is how many tiles of one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._caches: dict[str, TileCache] = {}

    def of(self, origin: str) -> TileCache:
        """That of one log, which must be there: so no caller can fill the memory with names."""
        return self._caches.setdefault(origin, TileCache(self._limit))


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A log as a request names it: by its ``number`` in the database, None for the home's own. ``path`` is what follows
    its prefix, exactly as it was sent.
    """

    workspace: Workspace
    caches: TileCaches
    number: int | None
    path: str

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, LogReader]]:
        """The log, in one read-only snapshot; raises RefusedError (``log.no-log``)."""
        with self.workspace.database.read() as connection:
            origin = self._origin(connection)
            yield connection, LogReader(connection, origin, self.caches.of(origin))

    def _origin(self, connection: Connection) -> str:
        own = self.workspace.settings.origin
        if self.number is None:
            return own
        terms = log_of_number(connection, self.number)
        if terms is None or terms.origin == own:  # which has its own place
            raise RefusedError("log.no-log", "no log of that number is served here: see /logs")
        return terms.origin


def number_in_path(number: Annotated[str, Path(description="见 /logs · see /logs", examples=["2"])]) -> int:
    """The number of a log in a path under ``/logs/``."""
    try:
        return parse_decimal(number, what="log number", maximum=_MAX_NUMBER)
    except MalformedError:
        raise RefusedError("log.no-log", "not the number of a log: see /logs") from None


def _place(workspace: Home, request: Request) -> LogPlace:
    raw: str = request.scope["raw_path"].decode("latin-1")
    if raw != request.scope["path"]:  # only unescaped ASCII gets here unchanged
        raise RefusedError("log.no-tile", "not the one path of a resource of this log")
    caches: TileCaches = request.app.state.tile_caches
    number = request.path_params.get("number")
    if number is None:
        return LogPlace(workspace, caches, None, raw.removeprefix(f"{OWN_PREFIX}/"))
    return LogPlace(workspace, caches, number_in_path(number), raw.removeprefix(f"{OTHERS_PREFIX}/{number}/"))


Place = Annotated[LogPlace, Depends(_place)]
