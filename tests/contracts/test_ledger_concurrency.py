"""Several processes, each with several threads, append to one log at once, on both databases."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise

from sqlalchemy import Engine

from ledger import open_checkpoint, verify_extension
from ledger.database import open_engine, reading
from ledger.reading import LogReader
from ledger.store import Appended, SqlLog
from tests.support.ledger_logs import KEY, ORIGIN, POLICY, SIGNER, append, check_log, make_tables, new_log

PROCESSES, THREADS, BATCHES = 3, 2, 6
SHARED = [b"shared %d" % number for number in range(12)]


def batches_of(process: int, thread: int) -> list[list[bytes]]:
    """Batches of three entries: one of its own, one that all others submit too, one of this process's threads."""
    return [
        [b"own %d %d %d" % (process, thread, number), SHARED[number % 12], b"process %d %d" % (process, number)]
        for number in range(BATCHES)
    ]


def appender(url: str, process: int) -> list[tuple[list[bytes], Appended]]:
    """One process: threads on one engine, each appending its batches."""
    engine = open_engine(url)

    def work(thread: int) -> list[tuple[list[bytes], Appended]]:
        return [(batch, append(engine, batch)) for batch in batches_of(process, thread)]

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            return [answer for answers in pool.map(work, range(THREADS)) for answer in answers]
    finally:
        engine.dispose()


def check_answers(answers: Sequence[tuple[list[bytes], Appended]], entries: list[bytes]) -> None:
    """Each answer names the one place of its entry, and exactly one answer claims to be the first."""
    first_claims = dict.fromkeys(entries[1:], 0)
    for batch, appended in answers:
        checkpoint = open_checkpoint(appended.checkpoint_note, KEY)
        for entry, index, duplicate in zip(batch, appended.indices, appended.duplicates, strict=True):
            assert entries[index] == entry
            assert index < checkpoint.size
            first_claims[entry] += not duplicate
    assert set(first_claims.values()) == {1}


def check_chain(engine: Engine) -> None:
    """All checkpoints are one chain, each extending the last."""
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        sizes = list(log.published_sizes(0, log.size()))
        heads = [open_checkpoint(log.checkpoint_at(size) or b"", KEY) for size in sizes]
        for old, new in pairwise(heads):
            verify_extension(old, new, log.consistency_proof(old.size, new.size))


def test_many_writers(engine: Engine, database_url: str) -> None:
    new_log(engine)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        answers = [
            answer for answers in pool.map(appender, [database_url] * PROCESSES, range(PROCESSES)) for answer in answers
        ]
    entries = check_log(engine)
    expected = {
        entry
        for process in range(PROCESSES)
        for thread in range(THREADS)
        for batch in batches_of(process, thread)
        for entry in batch
    }
    assert entries[0] == POLICY
    assert set(entries[1:]) == expected
    check_answers(answers, entries)
    check_chain(engine)


def test_many_creators(engine: Engine) -> None:
    make_tables(engine)

    def create(_: int) -> Appended:
        with engine.begin() as connection:
            return SqlLog(connection, ORIGIN).create(POLICY, signer=SIGNER, known_head=None)

    with ThreadPoolExecutor(6) as pool:
        created = list(pool.map(create, range(6)))
    assert {appended.indices for appended in created} == {(0,)}
    assert sum(not appended.duplicates[0] for appended in created) == 1
    assert check_log(engine) == [POLICY]


def test_a_reader_is_never_shown_an_unsigned_entry(engine: Engine) -> None:
    new_log(engine)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [append(engine, [b"%d" % number]) for number in range(40)])
        while not writing.done():
            with reading(engine).connect() as connection:
                log = LogReader(connection, ORIGIN)
                size = open_checkpoint(log.checkpoint(), KEY).size
                assert size == log.size()
                assert log.entry(size) is None
                log.receipt(size - 1)
        writing.result()
    check_log(engine)


def test_readers_do_not_block_the_writer(engine: Engine) -> None:
    new_log(engine)
    with reading(engine).connect() as connection:
        assert LogReader(connection, ORIGIN).size() == 1
        assert append(engine, [b"a"]).indices == (1,)
