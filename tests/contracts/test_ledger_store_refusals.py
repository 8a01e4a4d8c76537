"""When a log in SQL refuses to sign: the chain knows more or other, another key, damaged rows."""

from typing import Any

import pytest
from sqlalchemy import Engine, delete, update

from ledger import (
    EMPTY_ROOT,
    Checkpoint,
    Receipt,
    RootHash,
)
from ledger.reading import LogReader
from ledger.store import SqlLog
from ledger.tables import checkpoints, entries, heads, tiles
from signing import Ed25519Signer, Es256Signer, LedgerError, MalformedError, UnavailableError, VerificationError
from tests.support.ledger_logs import (
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
    replace_entry,
)
from tests.support.ledger_reference import mth


def test_create_anew_is_refused_when_the_chain_remembers(engine: Engine) -> None:
    make_tables(engine)
    remembered = Checkpoint(ORIGIN, 5, RootHash(b"r" * 32))
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).create(POLICY, signer=SIGNER, known_head=remembered)
    assert caught.value.code == "log.behind-chain"
    with engine.connect() as connection, pytest.raises(UnavailableError):
        LogReader(connection, ORIGIN).size()


def test_known_heads_of_the_same_tree_are_fine(engine: Engine) -> None:
    head = new_log(engine).checkpoint
    for size in range(2, 5):
        assert append(engine, [b"%d" % size], known_head=head).checkpoint.size == size
    latest = append(engine, []).checkpoint
    assert append(engine, [b"5"], known_head=latest).indices == (4,)
    assert append(engine, [b"6"], known_head=Checkpoint(ORIGIN, 0, EMPTY_ROOT)).indices == (5,)


@pytest.mark.parametrize("batch", [[b"new"], [POLICY], []])
def test_a_log_behind_the_chain_does_not_sign(engine: Engine, batch: list[bytes]) -> None:
    new_log(engine)
    ahead = Checkpoint(ORIGIN, 2, RootHash(mth([POLICY, b"lost"])))
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append(batch, signer=SIGNER, known_head=ahead)
    assert caught.value.code == "log.behind-chain"
    assert check_log(engine) == [POLICY]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_log_with_another_tree_than_the_chain_does_not_sign(engine: Engine, size: int) -> None:
    new_log(engine)
    append(engine, [b"a", b"b"])
    other = Checkpoint(ORIGIN, size, RootHash(mth([b"other", b"tree", b"."][:size])))
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"new"], signer=SIGNER, known_head=other)
    assert caught.value.code == "log.fork"
    assert check_log(engine) == [POLICY, b"a", b"b"]


def test_a_head_of_another_log_is_a_fork(engine: Engine) -> None:
    head = new_log(engine).checkpoint
    known = Checkpoint("example.gov/other", head.size, head.root)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"new"], signer=SIGNER, known_head=known)
    assert caught.value.code == "log.fork"


def test_another_key_can_not_go_on_with_the_log(engine: Engine) -> None:
    new_log(engine)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"a"], signer=Ed25519Signer(b"x" * 32), known_head=None)
    assert caught.value.code == "log.key"
    with engine.begin() as connection, pytest.raises(MalformedError):
        SqlLog(connection, ORIGIN).append([b"a"], signer=Es256Signer(b"\x01" * 32), known_head=None)
    assert check_log(engine) == [POLICY]


def damage(engine: Engine, statement: Any) -> None:
    """Run one statement that nobody should."""
    with engine.begin() as connection:
        assert connection.execute(statement).rowcount > 0


@pytest.mark.parametrize(
    "statement",
    [
        update(heads).values(frontier=b"f" * 32 * 2),
        update(heads).values(frontier=b"short"),
        update(heads).values(size=4),
        update(heads).values(size=-1),
        delete(checkpoints).where(checkpoints.c.size == 258),
        update(checkpoints).values(note=b"note").where(checkpoints.c.size == 258),
        update(heads).values(entry_limit=9),
        update(heads).values(vkey=None),
        update(entries).values(leaf_hashes=b"l" * 32).where(entries.c.entry_index == 256),
        update(entries).values(leaf_hashes=b"short").where(entries.c.entry_index == 256),
        update(tiles).values(root=b"r" * 32),
        delete(tiles),
    ],
    ids=str,
)
def test_nothing_is_signed_on_top_of_damage(engine: Engine, statement: Any) -> None:
    new_log(engine)
    grow_to(engine, 258)
    damage(engine, statement)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"new"], signer=SIGNER, known_head=None)
    assert caught.value.code == "log.damaged"
    with engine.connect() as connection:
        assert list(connection.scalars(checkpoints.select().with_only_columns(checkpoints.c.size)))[-1] != 259
    assert findings(engine) != []


def test_a_duplicate_of_a_damaged_entry_is_not_answered(engine: Engine) -> None:
    new_log(engine)
    append(engine, [b"a"])
    replace_entry(engine, 1, b"A")
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)
    assert caught.value.code == "log.damaged"


def test_a_damaged_entry_is_found_when_its_tile_would_freeze_it(engine: Engine) -> None:
    new_log(engine)
    grow_to(engine, 200)
    replace_entry(engine, 7, b"A")
    append(engine, [b"still within the tile"])
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append(numbered(1000, 1100), signer=SIGNER, known_head=None)
    assert caught.value.code == "log.damaged"


STORES_B = {
    "sqlite": [
        "CREATE TRIGGER stores_b AFTER INSERT ON log_entries"
        " BEGIN UPDATE log_entries SET entries = x'000162' WHERE entry_index = NEW.entry_index; END"
    ],
    "postgresql": [
        "CREATE FUNCTION stores_b() RETURNS trigger LANGUAGE plpgsql"
        r" AS $$ BEGIN NEW.entries := '\x000162'::bytea; RETURN NEW; END $$",
        "CREATE TRIGGER stores_b BEFORE INSERT ON log_entries FOR EACH ROW EXECUTE FUNCTION stores_b()",
    ],
}


def test_an_entry_that_is_stored_otherwise_than_it_was_written_is_not_signed(engine: Engine) -> None:
    new_log(engine)
    with engine.begin() as connection:
        for statement in STORES_B[engine.dialect.name]:
            connection.exec_driver_sql(statement)
    with engine.begin() as connection, pytest.raises(VerificationError) as caught:
        SqlLog(connection, ORIGIN).append([b"a"], signer=SIGNER, known_head=None)
    assert caught.value.code == "log.damaged"
    assert check_log(engine) == [POLICY]


def test_a_receipt_of_a_damaged_entry_is_not_handed_out(engine: Engine) -> None:
    new_log(engine)
    append(engine, [b"a", b"b"])
    replace_entry(engine, 1, b"A")
    with engine.connect() as connection:
        log = LogReader(connection, ORIGIN)
        with pytest.raises(LedgerError):
            log.receipt(1)
        assert isinstance(log.receipt(2), Receipt)
