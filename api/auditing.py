"""The shell of ``log audit``: fetch a log's files, over HTTP or from a folder, and keep what was seen in a file."""

import asyncio
import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from ledger.audit import Audited, audit_log
from ledger.audit_memory import MEMORY_MAX_BYTES, Memory, format_memory, parse_memory
from ledger.files import write_file
from ledger.log_source import LogSource, Wanted
from signing import NoteKey, UnavailableError

Progress = Callable[[int, int], None]
"""Hears how many entries are checked, and of how many."""

_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5
_SAVE_SECONDS: Final = 2
_GONE: Final = (404, 410)
_HEADERS: Final = {"accept-encoding": "gzip, identity", "user-agent": "ematerials-log-audit"}


class FolderLog:
    """A ``LogSource`` over the files of an exported log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, wanted: Sequence[Wanted]) -> list[bytes | None]:
        """See ``LogSource``."""
        return [self._read(each) for each in wanted]

    def _read(self, wanted: Wanted) -> bytes | None:
        try:
            with (self._directory / wanted.path).open("rb") as stream:
                return stream.read(wanted.max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnavailableError("audit.unreachable", f"{wanted.path}: {error.strerror}") from error


class HttpLog:
    """A ``LogSource`` over HTTP: ``url`` is the log's prefix, and ``timeout`` the seconds that one file may take.

    The files of one call are fetched side by side. No answer, a status of 429 or 5xx, or a body that breaks off is
    tried again twice; a redirect is never followed. A body in gzip is decoded no further than the file may be long.
    Raises UnavailableError (``audit.unreachable``, ``audit.answer``).
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._runner = asyncio.Runner()
        try:
            self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, headers=_HEADERS)
        except (httpx.InvalidURL, ValueError) as error:  # of a proxy in the environment
            raise UnavailableError("audit.unreachable", f"HTTP can't be used: {type(error).__name__}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def read(self, wanted: Sequence[Wanted]) -> list[bytes | None]:
        """See ``LogSource``."""
        return self._runner.run(self._read(wanted))

    async def _read(self, wanted: Sequence[Wanted]) -> list[bytes | None]:
        answers = await asyncio.gather(*(self._persist(each) for each in wanted), return_exceptions=True)
        found: list[bytes | None] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            found.append(answer)
        return found

    async def _persist(self, wanted: Wanted) -> bytes | None:
        for attempt in range(1, _ATTEMPTS):
            try:
                return await self._fetch(wanted)
            except UnavailableError as error:
                if error.code != "audit.unreachable":
                    raise
            await asyncio.sleep(_PAUSE_SECONDS * attempt)
        return await self._fetch(wanted)

    async def _fetch(self, wanted: Wanted) -> bytes | None:
        path = wanted.path
        try:
            async with asyncio.timeout(self._timeout), self._client.stream("GET", f"{self._url}/{path}") as response:
                if response.status_code in _GONE:
                    return None
                if response.status_code == httpx.codes.OK:
                    return await _content(response, wanted)
                status = response.status_code
        except (httpx.HTTPError, TimeoutError) as error:
            raise UnavailableError("audit.unreachable", f"{path}: no answer: {type(error).__name__}") from error
        except (httpx.InvalidURL, ValueError) as error:
            raise UnavailableError("audit.answer", f"{path}: not a URL or an answer of HTTP") from error
        again = status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR
        raise UnavailableError("audit.unreachable" if again else "audit.answer", f"{path}: HTTP {status}")


async def _content(response: httpx.Response, wanted: Wanted) -> bytes:
    """The decoded body, cut one byte after the longest that is allowed."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise UnavailableError("audit.answer", f"{wanted.path}: in an encoding that was not asked for")
    decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    content = bytearray()
    try:
        async for piece in response.aiter_raw():
            left = wanted.max_bytes + 1 - len(content)
            content += piece[:left] if decoder is None else decoder.decompress(piece, left)
            if len(content) > wanted.max_bytes:
                return bytes(content)
            if decoder is not None and decoder.unused_data:
                raise UnavailableError("audit.answer", f"{wanted.path}: goes on after the end of its gzip stream")
    except zlib.error:
        raise UnavailableError("audit.answer", f"{wanted.path}: says gzip, but is not") from None
    if decoder is not None and not decoder.eof:
        raise UnavailableError("audit.answer", f"{wanted.path}: its gzip stream breaks off")
    return bytes(content)


def audit(
    source: LogSource, key: NoteKey, *, state: Path | None, from_start: bool, progress: Progress = lambda *_: None
) -> Audited:
    """Audit a log and keep what was seen in the file ``state``, if one is given; errors as of ``audit_log``.

    ``from_start`` reads all entries again. Raises UnavailableError (``audit.busy``) while another audit has the file.
    """
    if state is None:
        return audit_log(source, key, Memory(), keep=lambda memory, size: progress(memory.checked, size))
    with _locked(state):
        memory = _load(state)
        keeper = _Keeper(state, memory, progress)
        try:
            return audit_log(source, key, replace(memory, checked=0) if from_start else memory, keep=keeper.keep)
        finally:
            keeper.save()


class _Keeper:
    """Writes what is remembered: at once where a note came, else every few seconds, and at the end."""

    def __init__(self, path: Path, memory: Memory, progress: Progress) -> None:
        self._path = path
        self._saved = self._memory = memory
        self._progress = progress
        self._saved_at = time.monotonic()

    def keep(self, memory: Memory, size: int) -> None:
        """Remember ``memory``."""
        self._memory = memory
        noted = replace(memory, checked=self._saved.checked)
        if noted != self._saved or time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self.save()
        self._progress(memory.checked, size)

    def save(self) -> None:
        """Make it durable."""
        if self._memory != self._saved:
            write_file(self._path, format_memory(self._memory))
        self._saved, self._saved_at = self._memory, time.monotonic()


def _load(state: Path) -> Memory:
    if not state.exists():
        return Memory()
    with state.open("rb") as stream:
        return parse_memory(stream.read(MEMORY_MAX_BYTES + 1))


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Hold the lock of a state file, a file beside it: the state file itself is replaced."""
    descriptor = os.open(state.with_name(f"{state.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError("audit.busy", "another audit is using that state file") from None
        yield
    finally:
        os.close(descriptor)
