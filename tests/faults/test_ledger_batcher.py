"""Group commit: nothing is answered early, each caller learns its own outcome, and faults double or lose nothing."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection as Pipe

import pytest
from sqlalchemy import Engine

from ledger import leaf_hash, open_checkpoint, verify_receipt
from ledger.batcher import Answer, Batcher, PendingEntry
from ledger.database import open_engine, reading
from ledger.reading import LogReader
from ledger.store import Appended, SqlLog
from signing import LedgerError, MalformedError, RefusedError, UnavailableError
from tests.support.ledger_logs import KEY, ORIGIN, POLICY, SIGNER, append, check_log, new_log, numbered

PATIENCE = 30
"""Seconds after which a test that waits in vain fails."""


class Gate:
    """An append that waits until it is let through; notes what came in each batch."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.batches: list[list[bytes]] = []
        self.open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, batch: Sequence[bytes]) -> Appended:
        """One committed append."""
        self.batches.append(list(batch))
        self.entered.set()
        assert self.open.wait(PATIENCE)
        return append(self.engine, batch)


def test_single_appends_of_many_threads(engine: Engine) -> None:
    new_log(engine)
    answers: dict[bytes, Answer] = {}
    batches = []

    def counted(batch: Sequence[bytes]) -> Appended:
        batches.append(len(batch))
        return append(engine, batch)

    with Batcher(counted) as batcher:

        def call(number: int) -> None:
            for entry in numbered(number * 10, number * 10 + 10):
                answers[entry] = batcher.append(entry, timeout=PATIENCE)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    stored = check_log(engine)
    assert len(answers) == 160 == sum(batches)
    assert len(batches) < 80
    for entry, answer in answers.items():
        assert (stored[answer.index], answer.leaf, answer.duplicate) == (entry, leaf_hash(entry), False)
        assert open_checkpoint(answer.checkpoint_note, KEY) == answer.checkpoint
        assert answer.checkpoint.size > answer.index


def test_a_repeated_entry_gets_the_first_index(engine: Engine) -> None:
    new_log(engine)
    gate = Gate(engine)
    with Batcher(gate) as batcher:
        pending = [batcher.submit(entry) for entry in (b"a", b"a", POLICY)]
        gate.open.set()
        answers = [each.result(PATIENCE) for each in pending]
        assert batcher.append(b"a", timeout=PATIENCE).duplicate
    assert [(answer.index, answer.duplicate) for answer in answers] == [(1, False), (1, True), (0, True)]
    assert check_log(engine) == [POLICY, b"a"]


def test_nothing_is_answered_before_the_commit(engine: Engine) -> None:
    new_log(engine)
    gate = Gate(engine)
    with Batcher(gate) as batcher:
        pending = batcher.submit(b"a")
        assert gate.entered.wait(PATIENCE)
        with pytest.raises(UnavailableError) as caught:
            pending.result(timeout=0.05)
        assert caught.value.code == "log.unknown-outcome"
        gate.open.set()
        assert pending.result(PATIENCE).index == 1


def test_a_full_queue_pushes_back(engine: Engine) -> None:
    new_log(engine)
    gate = Gate(engine)
    with Batcher(gate, max_queue=3, max_queue_bytes=100, max_batch=2) as batcher:
        first = batcher.submit(b"first")
        assert gate.entered.wait(PATIENCE)
        waiting = [batcher.submit(entry) for entry in numbered(0, 2)]
        for entry in (b"x" * 100, b"x" * 60_000):
            with pytest.raises(UnavailableError) as caught:
                batcher.submit(entry)
            assert caught.value.code == "log.busy"
        waiting.append(batcher.submit(b"third"))
        with pytest.raises(UnavailableError) as caught:
            batcher.submit(b"fourth")
        assert caught.value.code == "log.busy"
        gate.open.set()
        assert first.result(PATIENCE).index == 1
        assert [pending.result(PATIENCE).index for pending in waiting] == [2, 3, 4]
        assert batcher.append(b"x" * 90, timeout=PATIENCE).index == 5
    assert [len(batch) for batch in gate.batches] == [1, 2, 1, 1]


def test_close_answers_what_was_taken_and_takes_no_more(engine: Engine) -> None:
    new_log(engine)
    gate = Gate(engine)
    batcher = Batcher(gate)
    pending = [batcher.submit(entry) for entry in numbered(0, 50)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    gate.open.set()
    closing.join(PATIENCE)
    assert sorted(each.result(timeout=0).index for each in pending) == list(range(1, 51))
    with pytest.raises(UnavailableError) as caught:
        batcher.submit(b"late")
    assert caught.value.code == "log.busy"
    batcher.close()
    assert len(check_log(engine)) == 51


def test_an_entry_too_large_fails_alone(engine: Engine) -> None:
    new_log(engine)
    origin = "example.gov/small"
    with engine.begin() as connection:
        SqlLog(connection, origin).create(b"p", signer=SIGNER, known_head=None, entry_limit=10)
    gate = threading.Event()

    def small(batch: Sequence[bytes]) -> Appended:
        assert gate.wait(PATIENCE)
        with engine.begin() as connection:
            return SqlLog(connection, origin).append(batch, signer=SIGNER, known_head=None)

    with Batcher(small) as batcher:
        with pytest.raises(MalformedError):
            batcher.submit(b"x" * 65_536)
        pending = [batcher.submit(entry) for entry in (b"a", b"x" * 11, b"b")]
        gate.set()
        assert [outcome(each) for each in pending] == [1, "form.entry-size", 2]


def outcome(pending: PendingEntry) -> int | str:
    """The index, or the code of the error."""
    try:
        return pending.result(PATIENCE).index
    except LedgerError as error:
        return error.code


class BrokenError(Exception):
    """Stands for what a database driver raises."""


def test_a_commit_that_fails_and_one_that_is_reported_failed(engine: Engine) -> None:
    """Not done, done but reported failed, done: no caller is told a lie, and a repeat settles it."""
    new_log(engine)
    faults = iter(["before", "after", "refused", None, None])

    def faulty(batch: Sequence[bytes]) -> Appended:
        fault = next(faults)
        if fault == "refused":
            raise RefusedError("log.frozen", "the log is frozen")
        if fault == "before":
            raise BrokenError("connection lost before the commit")
        appended = append(engine, batch)
        if fault == "after":
            raise BrokenError("connection lost after the commit")
        return appended

    with Batcher(faulty) as batcher:
        for entry, code in ((b"lost", "log.unknown-outcome"), (b"kept", "log.unknown-outcome"), (b"no", "log.frozen")):
            with pytest.raises(LedgerError) as caught:
                batcher.append(entry, timeout=PATIENCE)
            assert caught.value.code == code
            assert isinstance(caught.value.__cause__, BrokenError if code == "log.unknown-outcome" else RefusedError)
        answers = [batcher.append(entry, timeout=PATIENCE) for entry in (b"kept", b"lost")]
    assert [(answer.index, answer.duplicate) for answer in answers] == [(1, True), (2, False)]
    assert check_log(engine) == [POLICY, b"kept", b"lost"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_thread_that_ended() -> None:
    go = threading.Event()

    def ends(batch: Sequence[bytes]) -> Appended:
        assert go.wait(PATIENCE)
        raise SystemExit

    batcher = Batcher(ends, max_batch=1)
    pending = [batcher.submit(b"a"), batcher.submit(b"b")]
    go.set()
    assert [outcome(each) for each in pending] == ["log.unknown-outcome", "log.busy"]
    with pytest.raises(UnavailableError):
        batcher.submit(b"c")
    batcher.close()


def test_a_forked_child_is_refused() -> None:
    def never(batch: Sequence[bytes]) -> Appended:
        raise AssertionError

    with Batcher(never) as batcher:
        process = os.fork()
        if process == 0:
            try:
                batcher.submit(b"a")
            except UnavailableError as error:
                batcher.close()
                os._exit(error.code == "log.busy")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 1


def submit_and_tell(url: str, pipe: Pipe) -> None:
    """Append from eight threads for ever, and tell each answer."""
    engine = open_engine(url)
    lock = threading.Lock()
    batcher = Batcher(lambda batch: append(engine, batch))

    def call(number: int) -> None:
        count = 0
        while True:
            entry = b"%d of %d" % (count, number)
            answer = batcher.append(entry, timeout=PATIENCE)
            with lock:
                pipe.send((entry, answer.index, answer.checkpoint_note))
            count += 1

    for number in range(8):
        threading.Thread(target=call, args=(number,)).start()


@pytest.mark.parametrize("delay", [0.07, 0.33])
def test_kill_9_keeps_all_that_was_answered_once(engine: Engine, database_url: str, delay: float) -> None:
    new_log(engine)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=submit_and_tell, args=(database_url, sender))
    process.start()
    sender.close()
    told = [receiver.recv()]
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    drain(receiver.recv, told)
    receiver.close()
    process.close()
    stored = check_log(engine)
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        for entry, index, note in told:
            assert stored[index] == entry
            shown = open_checkpoint(note, KEY)
            assert log.checkpoint_at(shown.size) == note
            verify_receipt(log.receipt(index, shown.size), entry, KEY)


def drain(receive: Callable[[], tuple[bytes, int, bytes]], told: list[tuple[bytes, int, bytes]]) -> None:
    """All that was still in the pipe."""
    try:
        while True:
            told.append(receive())
    except EOFError:
        return
