"""What an append reads back before it signs: rows that the database stored otherwise than they were written."""

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from ledger import leaf_hash
from ledger.database import open_engine
from ledger.store import SqlLog
from ledger.tables import leaves
from signing import VerificationError
from tests.support.ledger_logs import ORIGIN, POLICY, SIGNER, append, check_log, grow_to, new_log, numbered

GIVEN, OTHER = b"a", b"b"


def store_otherwise(engine: Engine, *, entry: bytes, leaf: bytes) -> None:
    """From now on, rows of one entry are stored with these bytes in place of their own."""
    data, hashes = (len(entry).to_bytes(2) + entry).hex(), leaf.hex()
    if engine.dialect.name == "sqlite":
        statements = [
            "CREATE TRIGGER otherwise AFTER INSERT ON log_entries BEGIN UPDATE log_entries"
            f" SET entries = x'{data}', leaf_hashes = x'{hashes}' WHERE entry_index = NEW.entry_index; END"
        ]
    else:
        statements = [
            "CREATE FUNCTION otherwise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            rf" NEW.entries := '\x{data}'::bytea; NEW.leaf_hashes := '\x{hashes}'::bytea; RETURN NEW; END $$",
            "CREATE TRIGGER otherwise BEFORE INSERT ON log_entries FOR EACH ROW EXECUTE FUNCTION otherwise()",
        ]
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("size", [1, 255])
@pytest.mark.parametrize(
    ("entry", "leaf"),
    [(OTHER, leaf_hash(GIVEN)), (GIVEN, leaf_hash(OTHER)), (OTHER, leaf_hash(OTHER)), (GIVEN * 2, leaf_hash(GIVEN))],
    ids=["entry", "leaf hash", "both, which fit each other", "longer"],
)
def test_nothing_is_signed_that_reads_back_otherwise(engine: Engine, size: int, entry: bytes, leaf: bytes) -> None:
    """Within a tile, and where the entry makes one full."""
    new_log(engine)
    if size > 1:
        grow_to(engine, size)
    store_otherwise(engine, entry=entry, leaf=leaf)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([GIVEN], signer=SIGNER, known_head=None)
    assert caught.value.code == "log.damaged"
    assert check_log(engine) == [POLICY, *numbered(1, size)]


def test_an_index_that_leads_elsewhere_is_no_duplicate(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 4)
    for index in (0, 2, 4, 5, 999):
        with engine.begin() as connection:
            connection.execute(
                update(leaves).where(leaves.c.leaf_hash == leaf_hash(b"entry 3")).values(entry_index=index)
            )
        for batch in ([b"entry 3"], [b"new", b"entry 3"]):
            with engine.begin() as connection, pytest.raises(VerificationError) as caught:
                SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=None)
            assert caught.value.code == "log.damaged"


def test_duplicates_do_not_give_the_lock_back(engine: Engine, database_url: str) -> None:
    """The index takes back what it was asked; the head row stays locked until the transaction ends."""
    new_log(engine)
    grow_to(engine, 3)
    other = open_engine(database_url, busy_timeout_seconds=1)
    with engine.begin() as connection:
        log = SqlLog(connection, ORIGIN)
        assert log.append([b"entry 2"], signer=SIGNER, known_head=None).indices == (2,)
        with pytest.raises(OperationalError):
            append(other, [b"in between"])
        given = log.append([b"new", b"entry 2"], signer=SIGNER, known_head=None)
    other.dispose()
    assert (given.indices, given.duplicates) == ((3, 2), (False, True))
    assert check_log(engine) == [POLICY, b"entry 1", b"entry 2", b"new"]
