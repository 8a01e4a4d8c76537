"""Several logs in one database: each with its key, its limit and its end."""

import pytest
from sqlalchemy import Engine, bindparam, select, update

from ledger import ENTRY_MAX_BYTES, Tile, leaf_hash, open_checkpoint, verify_receipt
from ledger.database import reading
from ledger.fsck import fsck
from ledger.heads import list_logs, list_origins, log_of_number
from ledger.reading import LogReader
from ledger.store import SqlLog
from ledger.tables import heads
from signing import Ed25519Signer, MalformedError, NoteKey, RefusedError, Secret, UnavailableError, VerificationError
from tests.support.ledger_logs import KEY, ORIGIN, POLICY, SIGNER, append, findings, make_tables, new_log

OTHER = "example.gov/district"
OTHER_SIGNER = Ed25519Signer(Secret(bytes([2]) * 32))
OTHER_KEY = NoteKey.ed25519(OTHER, OTHER_SIGNER.public_key.raw)


def two_logs(engine: Engine, *, entry_limit: int = ENTRY_MAX_BYTES) -> None:
    """The usual log, and another with its own key and limit."""
    new_log(engine)
    with engine.begin() as connection:
        log = SqlLog(connection, OTHER)
        log.create(b"other policy", signer=OTHER_SIGNER, known_head=None, entry_limit=entry_limit)


def check_both(engine: Engine) -> None:
    """Fail unless fsck finds nothing in either."""
    with reading(engine).connect() as connection:
        assert list(fsck(connection, [KEY, OTHER_KEY])) == []


def test_each_log_has_its_own_terms(engine: Engine) -> None:
    two_logs(engine, entry_limit=100)
    with engine.begin() as connection:
        assert [(log.origin, log.vkey, log.entry_limit, log.frozen) for log in list_logs(connection)] == [
            (OTHER, OTHER_KEY.format(), 100, False),
            (ORIGIN, KEY.format(), ENTRY_MAX_BYTES, False),
        ]
        assert len({log.number for log in list_logs(connection)}) == 2
        given = SqlLog(connection, OTHER).append([b"x" * 100, POLICY], signer=OTHER_SIGNER, known_head=None)
        assert (given.indices, given.leaves) == ((1, 2), (leaf_hash(b"x" * 100), leaf_hash(POLICY)))
        assert open_checkpoint(given.checkpoint_note, OTHER_KEY).size == 3
    check_both(engine)


def test_the_limit_of_one_log_is_not_that_of_another(engine: Engine) -> None:
    two_logs(engine, entry_limit=100)
    with engine.begin() as connection, pytest.raises(MalformedError) as caught:
        SqlLog(connection, OTHER).append([b"x", b"x" * 101], signer=OTHER_SIGNER, known_head=None)
    assert caught.value.code == "form.entry-size"
    assert append(engine, [b"x" * 101]).indices == (1,)


@pytest.mark.parametrize("limit", [0, -1, ENTRY_MAX_BYTES + 1])
def test_a_limit_that_no_tile_can_hold(engine: Engine, limit: int) -> None:
    make_tables(engine)
    with engine.begin() as connection, pytest.raises(MalformedError) as caught:
        SqlLog(connection, OTHER).create(POLICY, signer=OTHER_SIGNER, known_head=None, entry_limit=limit)
    assert caught.value.code == "form.range"


def test_the_key_of_one_log_does_not_sign_another(engine: Engine) -> None:
    two_logs(engine)
    for origin, signer in ((ORIGIN, OTHER_SIGNER), (OTHER, SIGNER)):
        with engine.begin() as connection, pytest.raises(VerificationError) as caught:
            SqlLog(connection, origin).append([b"a"], signer=signer, known_head=None)
        assert caught.value.code == "log.key"
        with engine.begin() as connection, pytest.raises(VerificationError) as caught:
            SqlLog(connection, origin).create(POLICY, signer=signer, known_head=None)
        assert caught.value.code in ("log.key", "log.exists")
    check_both(engine)


def test_an_append_creates_no_log(engine: Engine) -> None:
    new_log(engine)
    with engine.begin() as connection:
        log = SqlLog(connection, OTHER)
        for act in (lambda: log.append([b"a"], signer=OTHER_SIGNER, known_head=None), log.freeze):
            with pytest.raises(UnavailableError) as caught:
                act()
            assert caught.value.code == "log.unknown"
        assert [terms.origin for terms in list_logs(connection)] == [ORIGIN]


def test_a_frozen_log_takes_nothing_and_proves_everything(engine: Engine) -> None:
    two_logs(engine)
    head = append(engine, [b"a", b"b"]).checkpoint
    with engine.begin() as connection:
        assert SqlLog(connection, ORIGIN).freeze() == head
    for batch in ([b"c"], [b"a"], []):
        with engine.begin() as connection, pytest.raises(RefusedError) as caught:
            SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=None)
        assert caught.value.code == "log.frozen"
        assert "frozen" in str(caught.value)
    with reading(engine).connect() as connection:
        log = LogReader(connection, ORIGIN)
        assert [terms.frozen for terms in list_logs(connection)] == [False, True]
        verify_receipt(log.receipt(2), b"b", KEY)
        assert log.consistency_proof(1, 3)
        assert log.tile(Tile("entries", 0, 3)) is not None
    check_both(engine)
    with engine.begin() as connection:
        assert SqlLog(connection, ORIGIN).freeze() == head
        assert SqlLog(connection, OTHER).append([b"c"], signer=OTHER_SIGNER, known_head=None).indices == (1,)


def test_a_freeze_that_is_rolled_back_did_not_happen(engine: Engine) -> None:
    new_log(engine)
    with engine.connect() as connection:
        SqlLog(connection, ORIGIN).freeze()
    assert append(engine, [b"a"]).indices == (1,)
    assert findings(engine) == []


def test_a_log_is_found_by_its_number(engine: Engine) -> None:
    two_logs(engine)
    with engine.begin() as connection:
        assert sorted(list_origins(connection)) == sorted([ORIGIN, OTHER])
        for terms in list_logs(connection):
            assert log_of_number(connection, terms.number) == terms
        assert [log_of_number(connection, number) for number in (0, -1, 3, 2**31 - 1)] == [None] * 4
        connection.execute(update(heads).where(heads.c.origin == OTHER).values(entry_limit=7))
        number = next(number for number in (1, 2) if connection.scalar(_ORIGIN_OF, {"number": number}) == OTHER)
        with pytest.raises(VerificationError) as caught:
            log_of_number(connection, number)
    assert caught.value.code == "log.damaged"


_ORIGIN_OF = select(heads.c.origin).where(heads.c.log == bindparam("number"))
