"""The migrations lead exactly to the tables that the packages define, on both databases, and may be run again."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect

from api.migrate import migrate
from api.schema import TABLES


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
