"""The migrations lead exactly to the tables that the packages define, on both databases, and may be run again."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, inspect

from api.migrate import migrate
from api.schema import TABLES
from ledger import Checkpoint, Frontier, leaf_hash, sign_checkpoint
from ledger.fsck import fsck
from ledger.heads import list_logs
from ledger.store import SqlLog
from ledger.tree import full_root
from signing import NoteKey
from tests.support.ledger_logs import KEY, SIGNER


def test_migrations_lead_to_the_tables(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), list(TABLES)) == []
    before = sorted(inspect(engine).get_table_names())
    migrate(engine)
    assert sorted(inspect(engine).get_table_names()) == before
    expected = {table for metadata in TABLES for table in metadata.tables}
    assert set(before) == expected | {"alembic_version"}


def test_a_database_of_the_first_schema_keeps_its_data(engine: Engine) -> None:
    migrate(engine, "0001")
    tables = MetaData()
    tables.reflect(engine)
    rows = {
        "trust_list": {"seq": 1, "iat": 7, "token": "a.b.c"},
        "log_checkpoints": {"origin": "log.example", "size": 1, "note": b"note"},
        "material_event": {"event_jti": "ev", "jti": "em", "seq": 0, "kind": "x", "log_index": 3, "jws": "a.b.c"},
    }
    with engine.begin() as connection:
        for name, row in rows.items():
            connection.execute(tables.tables[name].insert().values(row))
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), list(TABLES)) == []
        for name, row in rows.items():
            assert connection.execute(tables.tables[name].select()).mappings().one() == row


def test_a_log_of_the_second_schema_goes_on(engine: Engine) -> None:
    """Two logs as schema 0002 had them, of one row for each entry; after the migration fsck finds nothing."""
    migrate(engine, "0002")
    old = MetaData()
    old.reflect(engine)
    sizes = {KEY.name: 300, "a/" + KEY.name: 3}
    for origin, size in sizes.items():
        with engine.begin() as connection:
            write_old_log(connection, old, origin, size)
    migrate(engine)
    with engine.begin() as connection:
        logs = list_logs(connection)
        assert [(log.origin, log.number, log.vkey, log.frozen) for log in logs] == [
            ("a/" + KEY.name, 1, None, False),
            (KEY.name, 2, None, False),
        ]
        keys = [NoteKey.ed25519(origin, SIGNER.public_key.raw) for origin in sizes]
        assert list(fsck(connection, keys)) == []
        log = SqlLog(connection, KEY.name)
        assert [log.entry(index) for index in (0, 256, 299, 300)] == [b"entry 0", b"entry 256", b"entry 299", None]
        assert log.append([b"entry 7", b"new"], signer=SIGNER, known_head=None).indices == (7, 300)
        assert list_logs(connection)[1].vkey == KEY.format()
        assert list(fsck(connection, keys)) == []


def write_old_log(connection: Connection, old: MetaData, origin: str, size: int) -> None:
    """Rows of schema 0002 for a log of ``size`` entries with one checkpoint."""
    stored = [b"entry %d" % number for number in range(size)]
    leaves = [leaf_hash(entry) for entry in stored]
    frontier = Frontier().extend(leaves).frontier
    note = sign_checkpoint(Checkpoint(origin, size, frontier.root()), SIGNER)
    rows: dict[str, list[dict[str, object]]] = {
        "log_heads": [{"origin": origin, "size": size, "frontier": frontier.to_bytes()}],
        "log_entries": [
            {"origin": origin, "entry_index": at, "entry": stored[at], "leaf_hash": leaves[at]} for at in range(size)
        ],
        "log_checkpoints": [{"origin": origin, "size": size, "note": note}],
        "log_tiles": [
            {
                "origin": origin,
                "level": 0,
                "tile_index": at,
                "hashes": b"".join(leaves[at * 256 : at * 256 + 256]),
                "root": full_root(leaves[at * 256 : at * 256 + 256]),
            }
            for at in range(size // 256)
        ],
    }
    for name, values in rows.items():
        if values:
            connection.execute(old.tables[name].insert(), values)
