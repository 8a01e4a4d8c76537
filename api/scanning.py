"""Scan spans of a log in processes of their own, each with its own connection, and keep how far that came."""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import URL, Engine

from ledger.database import open_engine, reading
from ledger.files import write_file
from ledger.fsck import Course, Scan
from ledger.fsck_position import POSITION_MAX_BYTES, Position, format_position, parse_position
from ledger.fsck_scan import Scanned, Span, scan_span
from signing import NoteKey, UnavailableError

ScanAt = Callable[[URL], Scan | None]
"""The ``Scan`` over a database, or None to let the caller do it."""


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextmanager
def scanning(processes: int) -> Iterator[ScanAt]:
    """Start processes that scan. Enter before this process opens the database: on Linux they are forks, which begin
    at once, and SQLite's locks must not be carried into one.

    While it scans, a process that is killed raises UnavailableError (``fsck.process``).
    """
    if processes == 1:
        yield lambda _: None
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context)
    pool.submit(cores).result()  # with forks, this starts all of them

    def scan_at(url: URL) -> Scan:
        text = url.render_as_string(hide_password=False)
        return lambda spans: _scan(pool, 2 * processes, text, spans)

    try:
        yield scan_at
    finally:
        pool.shutdown(cancel_futures=True)


def _scan(pool: ProcessPoolExecutor, ahead: int, url: str, spans: Iterable[Span]) -> Iterator[Scanned | None]:
    waiting: deque[Future[Scanned | None]] = deque()
    try:
        for span in spans:
            waiting.append(pool.submit(_scan_here, url, span))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor as error:
        raise UnavailableError("fsck.process", "a process that scans the log was killed") from error


def _scan_here(url: str, span: Span) -> Scanned | None:
    with _engine(url).begin() as connection:
        return scan_span(connection, span)


@cache
def _engine(url: str) -> Engine:
    return reading(open_engine(url))


@contextmanager
def course_of(
    key: NoteKey, scan: Scan | None, state: Path | None, progress: Callable[[int, int], None]
) -> Iterator[Course]:
    """How to go through the logs: that of ``key`` on from the file ``state``, which is written on the way and removed
    when the check has ended, whatever it found; raises MalformedError if the file is of another log or form.
    """
    start = {}
    if state is not None and state.exists():
        with state.open("rb") as stream:
            start[key.name] = parse_position(stream.read(POSITION_MAX_BYTES + 1), key.format())

    def reached(origin: str, position: Position, done: int, size: int) -> None:
        if state is not None and origin == key.name:
            write_file(state, format_position(key.format(), position))
        progress(done, size)

    yield Course(scan=scan, start=start, reached=reached)
    if state is not None:
        state.unlink(missing_ok=True)
