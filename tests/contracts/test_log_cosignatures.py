"""Cosignatures beside a log's checkpoints, and the check of what is stored about witnesses, on both databases."""

import base64
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine, Table, delete, select, update

from ledger import open_checkpoint, parse_policy, parse_receipt, verify_receipt
from ledger.cosignatures import SqlCosignatures
from ledger.database import reading
from ledger.fsck_witness import check_cosignatures, check_witness
from ledger.reading import LogReader
from ledger.receipt import format_receipt
from ledger.tables import cosignatures
from ledger.witness import TrustedLogs
from ledger.witness_messages import read_cosignatures
from ledger.witness_tables import evidence, heads
from signing import NoteKey, parse_note
from tests.support.hand_witness import HandWitness
from tests.support.ledger_logs import KEY, ORIGIN, append, check_log, new_log
from tests.support.witness_desk import PUBLIC, ask, make_tables
from tests.support.witness_log import HandLog

WITNESSES = [HandWitness(f"w{number}.example", bytes([number]) * 32, ORIGIN, KEY.public_key) for number in (1, 2)]


def read(engine: Engine, size: int) -> bytes:
    with reading(engine).connect() as connection:
        return LogReader(connection, ORIGIN).checkpoint_at(size) or b""


def attach(engine: Engine, witness: HandWitness, size: int, time: int = 7) -> bytes:
    """One committed line."""
    note = parse_note(read(engine, size))
    answer = witness.line(note.text, time)
    with engine.begin() as connection:
        for line in read_cosignatures(answer, note, [NoteKey.parse(witness.vkey)], latest_time=time):
            SqlCosignatures(connection, ORIGIN).add(size, line)
    return answer


@pytest.fixture
def log(engine: Engine) -> Engine:
    new_log(engine)
    append(engine, [b"a", b"b"])
    make_tables(engine)
    return engine


def test_lines_are_shown_with_the_checkpoint_and_the_own_note_stays(log: Engine) -> None:
    own = read(log, 3)
    second, first = attach(log, WITNESSES[1], 3, 9), attach(log, WITNESSES[0], 3, 8)
    assert read(log, 3) == own + first + second
    assert read(log, 1).count(b"\n") == 5
    assert attach(log, WITNESSES[0], 3, 5) not in read(log, 3)  # the first stays
    with reading(log).connect() as connection:
        reader, kept = LogReader(connection, ORIGIN), SqlCosignatures(connection, ORIGIN)
        assert reader.own_checkpoint_at(3) == own
        assert reader.own_checkpoint_at(2) is None
        assert kept.last_size(NoteKey.parse(WITNESSES[0].vkey)) == 3
        assert kept.last_size(KEY.cosigner()) == 0
        assert SqlCosignatures(connection, "other").last_size(NoteKey.parse(WITNESSES[0].vkey)) == 0


def test_the_log_goes_on_and_receipts_carry_the_lines(log: Engine) -> None:
    attach(log, WITNESSES[0], 3)
    assert append(log, [b"a"]).duplicates == (True,)
    assert append(log, [b"c"]).indices == (3,)
    check_log(log)
    with reading(log).connect() as connection:
        receipt = LogReader(connection, ORIGIN).receipt(1, 3)
    again = parse_receipt(format_receipt(receipt))
    assert verify_receipt(again, b"a", KEY).checkpoint == open_checkpoint(read(log, 3), KEY)
    policy = parse_policy(f"log {KEY.format()}\nwitness w {WITNESSES[0].vkey}\nquorum w\n".encode())
    assert policy.check(again.checkpoint_note).cosigned[0].time == 7


def changed(engine: Engine, table: Table, change: dict[str, object], check: Callable[[Connection], object]) -> object:
    """What ``check`` finds while a row of ``table`` is changed."""
    with engine.begin() as connection:
        rows = [dict(row) for row in connection.execute(table.select()).mappings()]
        connection.execute(update(table).values(**change))
    with reading(engine).connect() as connection:
        found = check(connection)
    with engine.begin() as connection:
        connection.execute(delete(table))
        connection.execute(table.insert(), rows)
    return found


def test_every_changed_column_is_found(log: Engine) -> None:
    hand, other = HandLog(), HandLog("other.example")
    ask(log, hand, hand.request(0, 8))
    ask(log, hand, hand.request(8, 8, hashes=[bytes(32)]))
    attach(log, WITNESSES[0], 3)

    def codes(connection: Connection) -> list[str]:
        witness = check_witness(connection, PUBLIC, logs=TrustedLogs.parse([hand.vkey]))
        findings = [*check_cosignatures(connection, [ORIGIN]), *witness]
        return [found.code for found in findings]

    with reading(log).connect() as connection:
        assert codes(connection) == []
        assert [found.code for found in check_witness(connection)] == ["fsck.witness"] * 2
    lines: dict[str, object] = {"origin": "x", "size": 1, "vkey": WITNESSES[1].vkey, "time": 8, "line": b"x"}
    for column, value in lines.items():
        assert changed(log, cosignatures, {column: value}, codes) == ["fsck.cosignature"], column
    head = {"origin": "x", "origin_hash": "0" * 64, "size": 7, "root": bytes(32), "time": 9, "cosignatures": b""}
    for column, value in [*head.items(), ("time", 0), ("note", other.checkpoint(8))]:
        assert changed(log, heads, {column: value}, codes) == ["fsck.witness"], column
    kept = {"origin": "x", "code": "witness.fork", "size": 7, "root": bytes(32), "request": b"x", "held": b"x"}
    for column, value in [*kept.items(), ("held", b""), ("held", hand.checkpoint(8))]:
        assert changed(log, evidence, {column: value}, codes) == ["fsck.witness"], column
    with reading(log).connect() as connection:  # the log's own signatures too
        note = connection.execute(select(heads.c.note)).scalar_one()
        request, held = connection.execute(select(evidence.c.request, evidence.c.held)).one()
    assert changed(log, heads, {"note": spoilt(note)}, codes) == ["fsck.witness"]
    assert changed(log, evidence, {"request": spoilt(request)}, codes) == ["fsck.witness"]
    assert held.startswith(note)
    held = spoilt(note) + held.removeprefix(note)
    assert changed(log, evidence, {"held": held}, codes) == ["fsck.witness"]


def spoilt(signed: bytes) -> bytes:
    """With another character in its last signature."""
    return signed[:-10] + (b"B" if signed[-10:-9] == b"A" else b"A") + signed[-9:]


def accepted(engine: Engine, policy: str, latest_time: int | None = None, sizes: range = range(1, 100)) -> int | None:
    """The size of the newest checkpoint that a policy accepts."""
    with reading(engine).connect() as connection:
        rule = parse_policy(f"log {KEY.format()}\n{policy}\n".encode())
        kept = SqlCosignatures(connection, ORIGIN)
        note = kept.newest_accepted(rule, latest_time=latest_time, sizes=sizes)
        if sizes == range(1, 100):
            assert kept.newest_accepted(rule, latest_time=latest_time) == note
    return None if note is None else open_checkpoint(note, KEY).size


def test_the_newest_checkpoint_that_a_policy_accepts(log: Engine) -> None:
    names = "".join(f"witness w{number} {each.vkey}\n" for number, each in enumerate(WITNESSES, 1))
    any_one, both = f"{names}group g any w1 w2\nquorum g", f"{names}group g all w1 w2\nquorum g"
    assert [accepted(log, rule) for rule in ("quorum none", any_one, both)] == [3, None, None]
    attach(log, WITNESSES[0], 1)
    attach(log, WITNESSES[1], 1, 9)
    assert [accepted(log, rule) for rule in (any_one, both)] == [1, 1]
    attach(log, WITNESSES[1], 3)
    append(log, [b"c"])
    assert [accepted(log, rule) for rule in ("quorum none", any_one, both)] == [4, 3, 1]
    assert accepted(log, both, latest_time=8) is None  # a cosignature from the future counts for nothing
    assert accepted(log, f"witness w1 {WITNESSES[0].vkey}\nquorum w1") == 1
    for sizes, found in (
        (range(1, 4), 3),
        (range(1, 3), 1),
        (range(2, 3), None),
        (range(2, 4), 3),
        (range(4, 9), None),
    ):
        assert accepted(log, any_one, sizes=sizes) == found, sizes


def test_a_damaged_line_never_makes_a_checkpoint_accepted(log: Engine) -> None:
    rule = f"witness w1 {WITNESSES[0].vkey}\nquorum w1"
    attach(log, WITNESSES[0], 1)
    attach(log, WITNESSES[0], 3)
    *words, text = WITNESSES[0].line(parse_note(read(log, 3)).text, 7).split(b" ")
    blob = base64.b64decode(text)
    forged = b" ".join([*words, base64.b64encode(blob[:-1] + bytes([blob[-1] ^ 1])) + b"\n"])
    with log.begin() as connection:
        connection.execute(update(cosignatures).where(cosignatures.c.size == 3).values(line=forged))
    assert accepted(log, rule) == 1
