"""What processes were told by a log before they died, and the check that all of it is and stays true.

A worker writes one line of JSON for each answer it got, after it got it: entry, index and the checkpoint that it was
shown. ``check_told`` is the one judge of all tests that break things under a log.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from ledger import leaf_hash, open_checkpoint, verify_extension, verify_receipt
from ledger.database import reading
from ledger.reading import LogReader
from tests.support.ledger_logs import KEY, ORIGIN, check_log

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@dataclass
class Told:
    """Answers, as they came: the index of each entry, and every checkpoint that was shown, by size."""

    indices: dict[bytes, set[int]] = field(default_factory=dict)
    shown: dict[int, set[bytes]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def answer(self, entry: bytes, index: int, note: bytes) -> None:
        """One entry was acknowledged."""
        self.indices.setdefault(entry, set()).add(index)
        self.shown.setdefault(open_checkpoint(note, KEY).size, set()).add(note)

    def hear(self, lines: Iterable[bytes]) -> None:
        """Lines of a worker; one that was cut off was not told."""
        for line in lines:
            if line.endswith(b"\n"):
                heard = json.loads(line)
                if isinstance(heard, str):
                    self.failures.append(heard)
                else:
                    entry, index, note = heard
                    self.answer(entry.encode(), index, note.encode())


def check_told(engine: Engine, told: Told, *, submitted: Iterable[bytes] | None = None) -> list[bytes]:
    """Every acknowledged entry is there, once, where it was said to be; every checkpoint shown still stands.

    ``submitted`` are all entries that anybody handed in: nothing else is in the log behind its entry 0.
    """
    entries = check_log(engine)  # fsck, the slow tree, no entry twice
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        head = open_checkpoint(log.checkpoint(), KEY)
        for entry, indices in told.indices.items():
            assert indices == {log.index_of(leaf_hash(entry))}, f"{entry!r}: told {indices}"
            assert entries[min(indices)] == entry
            verify_receipt(log.receipt(min(indices)), entry, KEY)
        for size, notes in told.shown.items():
            assert notes == {log.checkpoint_at(size)}, f"another checkpoint of size {size} was shown"
            verify_extension(open_checkpoint(min(notes), KEY), head, log.consistency_proof(size, head.size))
    if submitted is not None:
        assert set(entries[1:]) <= set(submitted)
    return entries


class Writer:
    """A process that appends until it is killed (``ledger_writer``); what it tells is heard as it comes."""

    def __init__(self, url: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.support.ledger_writer", url, *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines: list[bytes] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)

    def wait_for_more(self, count: int) -> None:
        """Until so many entries more were acknowledged."""
        deadline, wanted = time.monotonic() + PATIENCE_SECONDS, self._acknowledged() + count
        while self._acknowledged() < wanted:
            assert self._process.poll() is None, "the writer ended"
            assert time.monotonic() < deadline, "the writer is stuck"
            time.sleep(0.01)

    def _acknowledged(self) -> int:
        return sum(line.startswith(b"[") for line in self.lines)

    def kill(self, told: Told) -> None:
        """End it by SIGKILL; fails if it wrote on standard error."""
        self._process.kill()
        self._listener.join()
        assert self._process.stderr is not None
        errors = self._process.stderr.read()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        told.hear(self.lines)
        assert errors == b"", errors.decode()
