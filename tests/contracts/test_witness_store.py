"""What a witness remembers: compare and set, durable before it answers, on both databases."""

import hashlib
import multiprocessing
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from ledger.database import open_engine, reading
from ledger.witness import Conflict, Cosigned, Cosigner, Suspicion, TrustedLogs, open_request
from ledger.witness_store import EVIDENCE_MAX, SqlWitness
from ledger.witness_tables import evidence, heads
from signing import UnavailableError
from tests.support.ledger_reference import mth
from tests.support.together import run_together
from tests.support.witness_desk import NAME, NOW, PUBLIC, SIGNER, ask, ask_and_hang, head_of, kept, make_tables
from tests.support.witness_log import HandLog, read_cosignature

OTHER = hashlib.sha256(b"other").digest()


@pytest.fixture
def log(engine: Engine) -> HandLog:
    make_tables(engine)
    return HandLog()


def check_cosigned(answer: object, log: HandLog, size: int, time: int = NOW) -> None:
    assert isinstance(answer, Cosigned)
    assert read_cosignature(answer.lines, log.text(size), NAME, PUBLIC) == time


def test_a_log_as_it_grows(engine: Engine, log: HandLog) -> None:
    assert head_of(engine, log) is None
    old = 0
    for size in (0, 1, 1, 2, 5, 5, 8):
        check_cosigned(ask(engine, log, log.request(old, size), NOW + size), log, size, NOW + size)
        old = size
    head = head_of(engine, log)
    assert head is not None
    assert (head.checkpoint.size, head.checkpoint.root, head.time) == (8, mth(log.entries), NOW + 8)
    assert head.note.startswith(log.checkpoint(8))
    read_cosignature(head.note.removeprefix(log.checkpoint(8)), log.text(8), NAME, PUBLIC)
    assert kept(engine) == []


def test_the_worked_example_and_its_place(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 3))
    check_cosigned(ask(engine, log, log.request(3, 8)), log, 8)
    with reading(engine).connect() as connection:
        witness = SqlWitness(connection)
        head = witness.head("e34c8eecd70f62bf659506329a0657335d8f1661bd09a0ea62e0b3addcdeec00")
        assert head is not None
        assert hashlib.sha256(head.note).hexdigest() == (
            "2c7177fcd5f64ef6d601f786bede9ead904142194f0e462c6ad049a1fb102355"
        )
        assert witness.head("0" * 64) is None
        assert witness.head(hashlib.sha256(b"x").hexdigest()) is None


def test_conflicts_name_the_size_and_change_nothing(engine: Engine, log: HandLog) -> None:
    assert ask(engine, log, log.request(3, 8)) == Conflict(0)
    with reading(engine).connect() as connection:
        assert list(SqlWitness(connection).heads()) == []
    ask(engine, log, log.request(0, 5))
    before = head_of(engine, log)
    for old, size in ((0, 8), (3, 8), (6, 8), (8, 8), (0, 0), (3, 3)):
        assert ask(engine, log, log.request(old, size), NOW + 9) == Conflict(5)
    assert head_of(engine, log) == before
    assert kept(engine) == []


def test_a_rollback_is_never_cosigned(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 8))
    for size in range(8):
        for old in range(size + 1):
            assert ask(engine, log, log.request(old, size)) == Conflict(8)


def test_the_same_again_gives_a_fresh_time(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 8))
    check_cosigned(ask(engine, log, log.request(8, 8), NOW + 60), log, 8, NOW + 60)


def test_a_fork_is_refused_and_kept_as_evidence(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 8))
    held = head_of(engine, log)
    assert held is not None
    liar = HandLog(entries=[*log.entries[:7], b"another", b"more"])
    fork, longer, empty = liar.request(8, 8), liar.request(8, 9), log.request(0, 0, note=log.checkpoint(0, OTHER))
    for request, code in ((fork, "witness.fork"), (longer, "witness.proof")):
        for _ in range(2):
            answer = ask(engine, log, request, NOW + 5)
            assert isinstance(answer, Suspicion)
            assert answer.code == code
    assert ask(engine, log, empty) == Conflict(8)
    assert [(each.code, each.size, each.request, each.held, each.time) for each in kept(engine)] == [
        ("witness.fork", 8, fork, held.note, NOW + 5),
        ("witness.proof", 9, longer, held.note, NOW + 5),
    ]
    assert kept(engine)[0].root == mth(liar.entries[:8])
    assert head_of(engine, log) == held
    log.entries.append(b"honest")
    check_cosigned(ask(engine, log, log.request(8, 9), NOW + 6), log, 9, NOW + 6)
    assert len(kept(engine)) == 2


def test_evidence_against_a_log_never_cosigned(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 0, note=log.checkpoint(0, OTHER)))
    assert [(each.code, each.held) for each in kept(engine)] == [("witness.empty-root", b"")]
    check_cosigned(ask(engine, log, log.request(0, 8)), log, 8)


def test_evidence_has_an_end(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 8))
    row = {"origin": log.origin, "size": 9, "time": NOW, "request": b"", "held": b""}
    rows = [{**row, "code": "witness.proof", "root": number.to_bytes(32)} for number in range(EVIDENCE_MAX)]
    with engine.begin() as connection:
        connection.execute(evidence.insert(), rows)
    log.entries.append(b"x")
    ask(engine, log, log.request(8, 9, hashes=[OTHER]))
    assert len(kept(engine)) == EVIDENCE_MAX
    ask(engine, log, log.request(8, 8, note=log.checkpoint(8, OTHER)))
    assert [each.code for each in kept(engine)].count("witness.fork") == 1


def test_a_clock_that_went_back_is_noticed(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 3))
    with pytest.raises(UnavailableError) as caught:
        ask(engine, log, log.request(3, 8), NOW - 1)
    assert caught.value.code == "witness.clock"
    check_cosigned(ask(engine, log, log.request(3, 8)), log, 8)


@pytest.mark.parametrize("change", [{"size": 2}, {"root": OTHER}, {"note": b"x"}])
def test_a_damaged_row_is_no_ground_to_accuse_a_log(engine: Engine, log: HandLog, change: dict[str, object]) -> None:
    ask(engine, log, log.request(0, 3))
    with engine.begin() as connection:
        connection.execute(update(heads).values(**change))
    with pytest.raises(UnavailableError) as caught:
        ask(engine, log, log.request(3, 8))
    assert caught.value.code == "witness.damaged"
    assert kept(engine) == []


def test_logs_do_not_meet(engine: Engine, log: HandLog) -> None:
    other = HandLog("example.gov/others", bytes([4]) * 32)
    ask(engine, log, log.request(0, 8))
    check_cosigned(ask(engine, other, other.request(0, 3)), other, 3)
    with reading(engine).connect() as connection:
        origins = [head.checkpoint.origin for head in SqlWitness(connection).heads()]
    assert origins == [log.origin, other.origin]


@pytest.mark.parametrize("start", [0, 3])
def test_of_two_at_once_one_is_cosigned(engine: Engine, log: HandLog, start: int) -> None:
    """All ask from the same old size, with different sizes and forks: one moves the witness, no other does."""
    if start:
        ask(engine, log, log.request(0, start))
    fork = HandLog(entries=[*log.entries[:3], b"f", b"o", b"r", b"k", b"!"])
    gate = threading.Barrier(8)
    answers: list[object] = []

    def asking(asker: HandLog, size: int) -> Callable[[], None]:
        def work() -> None:
            gate.wait()
            answers.append(ask(engine, asker, asker.request(start, size)))

        return work

    run_together(*(asking(asker, size) for asker in (log, fork) for size in (4, 5, 7, 8)))
    head = head_of(engine, log)
    assert head is not None
    assert sum(isinstance(answer, Cosigned) for answer in answers) == 1
    assert [answer for answer in answers if not isinstance(answer, Cosigned)] == [Conflict(head.checkpoint.size)] * 7


def test_many_feeders_of_one_growing_log(engine: Engine, log: HandLog) -> None:
    """Threads retry after each conflict; the cosigned sizes only grow, and all end at the last."""
    cosigned: list[int] = []

    def feed() -> None:
        old, size = 0, 1
        while size <= 8:
            answer = ask(engine, log, log.request(old, size))
            if isinstance(answer, Conflict):
                old = answer.size
                size = max(size, old)
                continue
            assert isinstance(answer, Cosigned)
            cosigned.append(size)
            old, size = size, size + 1

    run_together(*[feed] * 4)
    head = head_of(engine, log)
    assert head is not None
    assert head.checkpoint.size == 8
    assert set(cosigned) <= set(range(1, 9))


@pytest.mark.parametrize("committed", [False, True])
def test_killed_before_or_after_the_commit(engine: Engine, database_url: str, log: HandLog, committed: bool) -> None:
    ask(engine, log, log.request(0, 3))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (database_url, log.seed, log.request(3, 8), committed, there)
    process = context.Process(target=ask_and_hang, args=arguments)
    process.start()
    assert here.poll(60)
    process.kill()
    process.join()
    fork = HandLog(entries=[*log.entries[:7], b"another"])
    if committed:  # nobody saw the answer, but it may have been sent: the witness is bound by it
        assert ask(engine, fork, fork.request(3, 8)) == Conflict(8)
        check_cosigned(ask(engine, log, log.request(8, 8)), log, 8)
    else:
        check_cosigned(ask(engine, fork, fork.request(3, 8)), fork, 8)
        assert ask(engine, log, log.request(3, 8)) == Conflict(8)


def test_a_commit_that_fails_leaves_all_as_it_was(engine: Engine, log: HandLog) -> None:
    ask(engine, log, log.request(0, 3))
    with engine.connect() as connection, connection.begin() as transaction:
        signed = open_request(log.request(3, 8), TrustedLogs.parse([log.vkey]))
        SqlWitness(connection).add(signed, Cosigner(NAME, SIGNER), NOW)
        transaction.rollback()
    assert ask(engine, log, log.request(8, 8)) == Conflict(3)


def test_what_is_remembered_outlives_the_process(engine: Engine, database_url: str, log: HandLog) -> None:
    ask(engine, log, log.request(0, 8))
    ask(engine, log, log.request(8, 8, note=log.checkpoint(8, OTHER)))
    engine.dispose()
    again = open_engine(database_url)
    assert ask(again, log, log.request(0, 8)) == Conflict(8)
    assert len(kept(again)) == 1
    again.dispose()


steps = st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 8), st.integers(0, 2))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=12))
def test_whatever_is_asked_what_was_cosigned_is_one_history(
    engine: Engine, asked: list[tuple[bool, int, int, int]]
) -> None:
    """Two forks that part after 4 entries, any order, good and bad proofs: the cosigned trees extend one another."""
    make_tables(engine)
    with engine.begin() as connection:
        connection.execute(heads.delete())
        connection.execute(evidence.delete())
    honest = HandLog()
    fork = HandLog(entries=[*honest.entries[:4], b"f", b"o", b"r", b"k"])
    cosigned: list[list[bytes]] = [[]]
    for forked, old, size, how in asked:
        log = fork if forked else honest
        if old > size:
            continue
        request = log.request(old, size, hashes=[OTHER] if how == 0 else None)
        if isinstance(ask(engine, log, request), Cosigned):
            cosigned.append(log.entries[:size])
    for before, after in pairwise(cosigned):
        assert after[: len(before)] == before
    with reading(engine).connect() as connection:
        rows = connection.execute(select(heads.c.size)).scalars().all()
    assert list(rows) in ([], [len(cosigned[-1])])
