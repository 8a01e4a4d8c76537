"""The migrations lead exactly to the tables that the packages define, on both databases, and may be run again."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

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
