"""Child ledgers in the log of their parent, on both databases: order, repetition, forks, two at once, changed rows."""

from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Engine, delete, select, update

from ledger.child import CHILD_HEADER, open_child_entry, parse_child_entry
from ledger.child_store import LoggedChild, SqlChildren
from ledger.child_tables import children, metadata
from ledger.database import reading
from ledger.fsck_children import check_children
from ledger.reading import LogReader
from ledger.store import SqlLog
from ledger.witness import Conflict, Suspicion, TrustedLogs, open_request
from signing import LedgerError, MalformedError, NoteKey, VerificationError
from tests.support.ledger_logs import ORIGIN, SIGNER, findings, new_log
from tests.support.ledger_reference import mth
from tests.support.together import run_together
from tests.support.witness_log import HandLog

CHILD = "district.example/licences"


@pytest.fixture
def child(engine: Engine) -> HandLog:
    new_log(engine)
    with engine.begin() as connection:
        metadata.create_all(connection)
    return HandLog(CHILD)


def take(engine: Engine, log: HandLog, request: bytes) -> LoggedChild | Conflict | Suspicion:
    signed = open_request(request, TrustedLogs.parse([log.vkey]))
    with engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        return SqlChildren(connection, ORIGIN).take(
            signed, lambda entry: log.append([entry], signer=SIGNER, known_head=None).indices[0]
        )


def entry_at(engine: Engine, index: int) -> bytes:
    with engine.connect() as connection:
        entry = LogReader(connection, ORIGIN).entry(index)
    assert entry is not None
    return entry


def wrong(engine: Engine) -> list[str]:
    with reading(engine).connect() as connection:
        return [finding.where for finding in check_children(connection, [ORIGIN])]


def test_a_child_that_grows(engine: Engine, child: HandLog) -> None:
    for old, size, index in ((0, 2, 1), (2, 3, 2), (3, 8, 3)):
        request = child.request(old, size)
        taken = take(engine, child, request)
        assert isinstance(taken, LoggedChild)
        assert (taken.checkpoint.size, taken.checkpoint.root, taken.index) == (size, mth(child.entries[:size]), index)
        entry = entry_at(engine, index)
        assert entry == CHILD_HEADER + request
        assert open_child_entry(entry, NoteKey.parse(child.vkey)) == taken.checkpoint
    with engine.connect() as connection:
        logged = SqlChildren(connection, ORIGIN)
        assert logged.last(CHILD) == taken
        assert [logged.covering(CHILD, size) is not None for size in (1, 3, 8, 9)] == [True, True, True, False]
        covering = logged.covering(CHILD, 4)
        assert covering is not None
        assert covering.checkpoint.size == 8
        assert list(logged.newest()) == [taken]
        assert logged.last("other.example") is None
    assert findings(engine) == []
    assert wrong(engine) == []


def test_the_same_again_is_the_same_entry(engine: Engine, child: HandLog) -> None:
    first = take(engine, child, child.request(0, 3))
    assert take(engine, child, child.request(0, 3)) == first
    assert take(engine, child, child.request(3, 3)) == first  # as one asks who knows what was taken
    with engine.connect() as connection:
        assert LogReader(connection, ORIGIN).size() == 2


def test_lines_of_others_stay_out_of_the_entry(engine: Engine, child: HandLog) -> None:
    other = HandLog("witness.example/w", bytes([9]) * 32)
    note = child.checkpoint(2) + other.line(child.text(2))
    assert isinstance(take(engine, child, child.request(0, 2, note=note)), LoggedChild)
    assert entry_at(engine, 1) == CHILD_HEADER + child.request(0, 2)


def test_what_does_not_extend_the_last_is_not_taken(engine: Engine, child: HandLog) -> None:
    take(engine, child, child.request(0, 3))
    assert take(engine, child, child.request(0, 8)) == Conflict(3)
    assert take(engine, child, child.request(2, 8)) == Conflict(3)
    forked = replace(child, entries=[b"other", *child.entries[1:]])
    codes = [
        suspicion.code
        for request in (forked.request(3, 8), forked.request(3, 3), child.request(3, 8, hashes=[]))
        if isinstance(suspicion := take(engine, child, request), Suspicion)
    ]
    assert codes == ["witness.proof", "witness.fork", "witness.proof"]
    with pytest.raises(MalformedError):
        take(engine, child, child.request(0, 0))
    with engine.connect() as connection:
        assert LogReader(connection, ORIGIN).size() == 2
    assert isinstance(take(engine, child, child.request(3, 8)), LoggedChild)


def test_of_two_at_once_one_is_first(engine: Engine, child: HandLog) -> None:
    take(engine, child, child.request(0, 2))
    requests = [child.request(2, size) for size in (3, 4, 5, 8)] * 2
    answers: list[object] = []
    run_together(*[partial(lambda request: answers.append(take(engine, child, request)), each) for each in requests])
    taken = [answer for answer in answers if isinstance(answer, LoggedChild)]
    assert len(taken) == 2
    assert taken[0] == taken[1]
    assert [answer for answer in answers if answer not in taken] == [Conflict(taken[0].checkpoint.size)] * 6
    assert wrong(engine) == []


@pytest.mark.parametrize(
    "change",
    [{"root": bytes(32)}, {"old_size": 1}, {"entry_index": 1}, {"entry_index": 99}, {"child": "x"}, {"origin": "y"}],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_is_found(engine: Engine, child: HandLog, change: dict[str, object]) -> None:
    for old, size in ((0, 2), (2, 3), (3, 8)):
        take(engine, child, child.request(old, size))
    with engine.begin() as connection:
        connection.execute(update(children).where(children.c.size == 3).values(change))
    assert wrong(engine)


def test_a_removed_row_is_found_by_the_next(engine: Engine, child: HandLog) -> None:
    for old, size in ((0, 2), (2, 3), (3, 8)):
        take(engine, child, child.request(old, size))
    with engine.begin() as connection:
        connection.execute(delete(children).where(children.c.size == 3))
        assert connection.execute(select(children)).all()
    assert wrong(engine) == [f"log_children origin={ORIGIN} child={CHILD} size=8"]


def test_each_changed_byte_of_an_entry_is_refused() -> None:
    child = HandLog(CHILD)
    entry, key = CHILD_HEADER + child.request(3, 8), NoteKey.parse(child.vkey)
    good = open_child_entry(entry, key)
    proof_lines = range(entry.index(b"old "), entry.index(b"\n\n"))
    for at in range(len(entry)):
        changed = entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :]
        try:
            opened = open_child_entry(changed, key)
        except LedgerError:
            continue
        assert at in proof_lines  # growth is for those to check who have the entry before
        assert opened == good
    with pytest.raises(VerificationError):
        open_child_entry(entry, NoteKey.parse(HandLog(CHILD, bytes([2]) * 32).vkey))


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        CHILD_HEADER,
        CHILD_HEADER * 2 + HandLog(CHILD).request(0, 2),
        HandLog(CHILD).request(0, 2),
        CHILD_HEADER + HandLog(CHILD).request(2, 2),
        CHILD_HEADER + HandLog(CHILD).request(0, 2) + HandLog("w", bytes(32)).line(HandLog(CHILD).text(2)),
    ],
)
def test_what_is_no_child_entry(entry: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_child_entry(entry)
