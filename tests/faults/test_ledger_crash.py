"""An append that is cut off at any moment leaves the log as it was or as it should be, never between."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from ledger import leaf_hash, verify_receipt
from ledger.database import open_engine, reading
from ledger.reading import LogReader
from ledger.store import SqlLog
from signing import PublicKey, UnavailableError, VerificationError
from tests.support.ledger_logs import KEY, ORIGIN, POLICY, SIGNER, append, check_log, grow_to, new_log, numbered


class CutError(Exception):
    """Where the test cuts an append off."""


@contextmanager
def cut_at_statement(engine: Engine, number: int) -> Iterator[list[str]]:
    """Raise instead of sending statement ``number``, or just after it was sent if ``number`` is negative."""
    sent: list[str] = []

    def before(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if len(sent) == number:
            raise CutError
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", before)


def test_cut_before_each_statement(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 255)
    expected = [POLICY, *numbered(1, 255)]
    batch = [b"new a", b"entry 7", b"new b"]  # makes a tile full
    number, finished = 0, False
    while not finished:
        with cut_at_statement(engine, number) as sent:
            try:
                with engine.begin() as connection:
                    SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=None)
                finished = True
            except CutError:
                pass
        if not finished:
            assert check_log(engine) == expected
        number += 1
    assert number > 10
    assert any("log_tiles" in statement for statement in sent)
    assert check_log(engine) == [*expected, b"new a", b"new b"]


def test_cut_between_append_and_commit(engine: Engine) -> None:
    new_log(engine)
    with engine.connect() as connection:
        lost = SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)
    assert check_log(engine) == [POLICY]
    again = append(engine, [b"b"])
    assert again.indices == lost.indices
    assert again.checkpoint != lost.checkpoint  # which is why no note may be shown before the commit


def test_cut_after_the_commit(engine: Engine) -> None:
    new_log(engine)

    @event.listens_for(engine, "commit")
    def after(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        event.remove(engine, "commit", after)
        raise CutError

    with pytest.raises(CutError):
        append(engine, [b"a"])
    engine.dispose()
    assert check_log(engine) == [POLICY, b"a"]
    again = append(engine, [b"a"])
    assert (again.indices, again.duplicates) == ((1,), (True,))


class BadSigner:
    """A signing device that fails in one way or another."""

    def __init__(self, signature: bytes | None) -> None:
        self._signature = signature

    @property
    def public_key(self) -> PublicKey:
        """The log's own."""
        return SIGNER.public_key

    def sign(self, message: bytes) -> bytes:
        """A false signature, or none."""
        if self._signature is None:
            raise CutError
        return self._signature


@pytest.mark.parametrize(
    ("signature", "error"), [(None, CutError), (b"\0" * 64, UnavailableError), (b"", UnavailableError)]
)
def test_a_signer_that_fails(engine: Engine, signature: bytes | None, error: type[Exception]) -> None:
    new_log(engine)
    with engine.begin() as connection, pytest.raises(error):
        SqlLog(connection, ORIGIN).append([b"a"], signer=BadSigner(signature), known_head=None)
    assert check_log(engine) == [POLICY]


def append_and_tell(url: str, pipe: Pipe) -> None:
    """Append for ever, and tell each index after its commit."""
    engine = open_engine(url)
    number = 0
    while True:
        batch = [b"%d %d" % (number, at) for at in range(number % 7 + 1)]
        pipe.send((batch, append(engine, batch).indices))
        number += 1


@pytest.mark.parametrize("delay", [0.05, 0.21, 0.4])
def test_kill_9_loses_and_doubles_nothing(engine: Engine, database_url: str, delay: float) -> None:
    new_log(engine)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=append_and_tell, args=(database_url, sender))
    process.start()
    sender.close()
    told = [receiver.recv()]
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    try:
        while True:
            told.append(receiver.recv())
    except EOFError:
        receiver.close()
    process.close()
    entries = check_log(engine)
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        for batch, indices in told:
            for entry, index in zip(batch, indices, strict=True):
                assert log.index_of(leaf_hash(entry)) == index
                verify_receipt(log.receipt(index), entry, KEY)
    last, indices = told[-1]
    assert append(engine, last).indices == indices
    assert append(engine, [b"after"]).indices == (len(entries),)
    check_log(engine)


def test_a_restored_backup_does_not_sign(tmp_path: Path) -> None:
    """The chain has a head that the backup lacks: refused, until the log is restored to where it was."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    engine = open_engine(url)
    new_log(engine)
    engine.dispose()
    backup = (tmp_path / "log.db").read_bytes()
    anchored = append(engine, [b"a"]).checkpoint
    engine.dispose()
    (tmp_path / "log.db").write_bytes(backup)
    with pytest.raises(VerificationError) as caught:
        append(engine, [b"b"], known_head=anchored)
    assert caught.value.code == "log.behind-chain"
    append(engine, [b"b"])
    with pytest.raises(VerificationError) as caught:
        append(engine, [b"c"], known_head=anchored)
    assert caught.value.code == "log.fork"
    engine.dispose()
