"""What a log in SQL promises, on SQLite and on PostgreSQL."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import InternalError, OperationalError

from ledger import (
    Checkpoint,
    LeafHash,
    RootHash,
    Tile,
    leaf_hash,
    open_checkpoint,
    verify_consistency,
    verify_inclusion,
    verify_receipt,
)
from ledger.database import reading
from ledger.reading import LogReader
from ledger.store import SqlLog
from signing import MalformedError, UnavailableError, VerificationError
from tests.support.ledger_logs import (
    KEY,
    ORIGIN,
    POLICY,
    SIGNER,
    append,
    check_log,
    findings,
    grow_to,
    make_tables,
    new_log,
    numbered,
)
from tests.support.ledger_reference import mth, path, proof


def test_create_signs_entry_zero(engine: Engine) -> None:
    created = new_log(engine)
    assert (created.indices, created.duplicates) == ((0,), (False,))
    assert open_checkpoint(created.checkpoint_note, KEY) == Checkpoint(ORIGIN, 1, RootHash(leaf_hash(POLICY)))
    assert check_log(engine) == [POLICY]


def test_create_again_gives_the_same_answer(engine: Engine) -> None:
    first = new_log(engine)
    grow_to(engine, 3)
    again = new_log(engine)
    assert (again.indices, again.duplicates) == ((0,), (True,))
    assert open_checkpoint(again.checkpoint_note, KEY).size == 3
    assert first.checkpoint_note != again.checkpoint_note


def test_create_with_another_beginning_is_refused(engine: Engine) -> None:
    new_log(engine)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).create(b"another policy", signer=SIGNER, known_head=None)
    assert caught.value.code == "log.exists"
    check_log(engine)


@pytest.mark.parametrize("origin", ["", "has blank", "has+plus", "line\nbreak", "x" * 256, "\ud800"])
def test_an_origin_that_is_no_key_name_is_refused(engine: Engine, origin: str) -> None:
    make_tables(engine)
    with engine.begin() as connection, pytest.raises(MalformedError):
        SqlLog(connection, origin).create(POLICY, signer=SIGNER, known_head=None)


def test_append_gives_indices_in_order(engine: Engine) -> None:
    new_log(engine)
    given = append(engine, [b"a", b"b", b"c"])
    assert (given.indices, given.duplicates) == ((1, 2, 3), (False, False, False))
    assert given.checkpoint == open_checkpoint(given.checkpoint_note, KEY)
    assert check_log(engine) == [POLICY, b"a", b"b", b"c"]


def test_duplicates_get_the_first_index(engine: Engine) -> None:
    new_log(engine)
    append(engine, [b"a", b"b"])
    given = append(engine, [b"c", b"b", b"c", POLICY, b"d"])
    assert given.indices == (3, 2, 3, 0, 4)
    assert given.duplicates == (False, True, True, True, False)
    assert check_log(engine) == [POLICY, b"a", b"b", b"c", b"d"]


def test_nothing_new_signs_nothing(engine: Engine) -> None:
    created = new_log(engine)
    for batch in ([], [POLICY]):
        assert append(engine, batch).checkpoint_note == created.checkpoint_note
    with engine.connect() as connection:
        assert list(LogReader(connection, ORIGIN).published_sizes(0, 100)) == [1]


def test_entry_size_limit(engine: Engine) -> None:
    new_log(engine)
    with engine.begin() as connection, pytest.raises(MalformedError) as caught:
        SqlLog(connection, ORIGIN).append([b"small", b"x" * 65_536], signer=SIGNER, known_head=None)
    assert caught.value.code == "form.entry-size"
    given = append(engine, [b"", b"x" * 65_535])
    assert given.indices == (1, 2)
    check_log(engine)


def test_an_entry_too_long_is_refused_before_the_log_is_even_looked_for(engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(MalformedError):
        SqlLog(connection, "no.such/log").append([b"x" * 65_536], signer=SIGNER, known_head=None)


def test_unknown_log(engine: Engine) -> None:
    make_tables(engine)
    with engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        for act in (log.size, log.checkpoint, lambda: log.append([b"a"], signer=SIGNER, known_head=None)):
            with pytest.raises(UnavailableError) as caught:
                act()
            assert caught.value.code == "log.unknown"


def test_across_tile_boundaries(engine: Engine) -> None:
    new_log(engine)
    stored = [POLICY]
    for size in (2, 255, 256, 257, 600, 1024, 1025):
        append(engine, numbered(len(stored), size))
        stored += numbered(len(stored), size)
        assert check_log(engine) == stored
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert [log.tile(Tile(0, n)) for n in range(5)][4] is None
        assert log.tile(Tile(1, 0, 4)) == b"".join(mth(stored[n * 256 : n * 256 + 256]) for n in range(4))
        assert log.tile(Tile(1, 0, 5)) is None
        assert log.tile(Tile(0, 4, 1)) == leaf_hash(stored[1024])
        assert log.tile(Tile(0, 2, 88)) == b"".join(map(leaf_hash, stored[512:600]))  # partial, cut from the full one
        assert log.tile(Tile("entries", 4, 2)) is None
        assert log.tile(Tile(63, 0, 1)) is None


def test_second_level_of_full_tiles(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 256 * 256 - 3)
    append(engine, numbered(256 * 256 - 3, 256 * 256 + 300))
    assert findings(engine) == []
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        stored = [POLICY, *numbered(1, 256 * 256)]
        assert log.tile(Tile(2, 0, 1)) == mth(stored)
        assert len(log.tile(Tile(1, 0)) or b"") == 8192
        old = log.inclusion_proof(70, 65_000)
        assert list(old) == path(70, stored[:65_000])


def test_proofs_of_every_size(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 9)
    stored = [POLICY, *numbered(1, 9)]
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        for size in range(1, 10):
            for index in range(size):
                assert list(log.inclusion_proof(index, size)) == path(index, stored[:size])
            for old in range(1, size):
                found = log.consistency_proof(old, size)
                assert list(found) == proof(old, stored[:size])
                verify_consistency(
                    old_size=old,
                    old_root=RootHash(mth(stored[:old])),
                    new_size=size,
                    new_root=RootHash(mth(stored[:size])),
                    proof=found,
                )
            assert log.consistency_proof(0, size) == log.consistency_proof(size, size) == ()


def test_ranges_that_can_not_be(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 3)
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        for index, size in ((3, 3), (0, 4), (-1, 3), (0, 0), (2**63, 2**64), (0, -1)):
            with pytest.raises(MalformedError):
                log.inclusion_proof(index, size)
        for old, new in ((3, 2), (-1, 2), (1, 4), (0, 2**64)):
            with pytest.raises(MalformedError):
                log.consistency_proof(old, new)
        for index, size in ((0, 2), (3, None), (0, 2**70)):
            with pytest.raises(MalformedError):
                log.receipt(index, size)
        assert [log.entry(index) for index in (3, -1, 2**64)] == [None] * 3
        assert [log.checkpoint_at(size) for size in (2, -1, 2**64)] == [None] * 3
        assert log.index_of(LeafHash(b"?" * 32)) is None


def test_receipts_under_old_and_new_checkpoints(engine: Engine) -> None:
    new_log(engine)
    append(engine, [b"a", b"b"])
    append(engine, [b"c"])
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert log.index_of(leaf_hash(b"b")) == 2
        for size in (None, 3, 4):
            receipt = log.receipt(2, size)
            verified = verify_receipt(receipt, b"b", KEY)
            assert (verified.index, verified.checkpoint.size) == (2, size or 4)
            with pytest.raises(VerificationError):
                verify_receipt(receipt, b"c", KEY)


def test_every_checkpoint_is_kept(engine: Engine) -> None:
    notes = {1: new_log(engine).checkpoint_note}
    for size in range(2, 6):
        notes[size] = append(engine, [b"%d" % size]).checkpoint_note
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert {size: log.checkpoint_at(size) for size in notes} == notes
        assert log.checkpoint() == notes[5]
        assert list(log.published_sizes(2, 4)) == [3, 4]


def test_two_logs_in_one_database(engine: Engine) -> None:
    new_log(engine)
    other = "example.gov/district"
    new_log(engine, other)
    append(engine, [b"a"])
    with engine.begin() as connection:
        log = SqlLog(connection, other)
        assert log.append([b"b", b"a"], signer=SIGNER, known_head=None).indices == (1, 2)
        assert (log.size(), LogReader(connection, ORIGIN).size()) == (3, 2)
        assert (log.entry(1), LogReader(connection, ORIGIN).entry(1)) == (b"b", b"a")
        assert log.receipt(1).checkpoint_note.startswith(other.encode())


def test_a_caught_error_leaves_nothing_in_the_callers_transaction(engine: Engine) -> None:
    new_log(engine)
    ahead = Checkpoint(ORIGIN, 9, RootHash(b"r" * 32))
    with engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        log.append([b"kept"], signer=SIGNER, known_head=None)
        with pytest.raises(VerificationError):
            log.append([b"dropped"], signer=SIGNER, known_head=ahead)
    assert check_log(engine) == [POLICY, b"kept"]


def test_reading_engine_can_not_write(engine: Engine) -> None:
    new_log(engine)
    with reading(engine).connect() as connection:
        assert LogReader(connection, ORIGIN).size() == 1
        with pytest.raises((OperationalError, InternalError)):
            SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)
    append(engine, [b"a"])
    assert check_log(engine) == [POLICY, b"a"]


def test_reading_engine_sees_one_state(engine: Engine) -> None:
    new_log(engine)
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert log.size() == 1
        append(engine, [b"a"])
        assert log.size() == 1
        assert log.entry(1) is None


def test_inclusion_of_each_entry_of_a_large_log(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 700)
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        head = open_checkpoint(log.checkpoint(), KEY)
        for index in (0, 1, 255, 256, 511, 512, 699):
            leaf = leaf_hash(log.entry(index) or b"")
            inclusion = log.inclusion_proof(index, 700)
            verify_inclusion(index=index, size=700, leaf=leaf, proof=inclusion, root=head.root)
