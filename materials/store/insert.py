"""Insert a row unless a unique constraint is already taken, in one statement, on SQLite and PostgreSQL."""

from collections.abc import Mapping

from sqlalchemy import Connection, Table, literal
from sqlalchemy.dialects import postgresql, sqlite


def insert_unless_taken(conn: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert ``values`` into ``table``; True if the row is new, False if any unique constraint already has it.

    On PostgreSQL the statement waits for a concurrent transaction that holds the same key to end, so that
    under READ COMMITTED a following SELECT sees the row of the winner. On SQLite writers are serial anyway.
    """
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(literal(1))
    return conn.execute(statement).one_or_none() is not None
