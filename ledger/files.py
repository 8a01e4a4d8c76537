"""Write files that are there whole or not at all, also after a power cut.

A directory is opened before anything in it changes and fsynced through that descriptor afterwards: reopened later, it
might have been evicted, and its write error lost (tessera#749).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signing import UnavailableError


@contextmanager
def locked_directory(path: Path) -> Iterator[None]:
    """Make the directory and hold its lock; raises UnavailableError (``export.busy``) if another process has it."""
    make_directory(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError("export.busy", "another process is writing to that directory") from None
        yield
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory and its parents, each durable in its own parent."""
    if path.is_dir():
        return
    make_directory(path.parent)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        path.mkdir(exist_ok=True)
        os.fsync(parent)
    finally:
        os.close(parent)


def write_file(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, durably, replacing what was there: temporary file, fsync, rename, fsync of the folder.

    The caller holds the directory's lock, so one temporary name is enough; one left by a crash is overwritten.
    """
    make_directory(path.parent)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        temporary = path.parent / f".{path.name}.tmp"
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(path)
        os.fsync(folder)
    finally:
        os.close(folder)
