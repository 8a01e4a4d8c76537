"""Insert rows unless a unique constraint is already taken, in one statement, on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

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


def insert_those_not_taken(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, object]]
) -> set[tuple[Any, ...]]:
    """Insert those of ``rows``, in their order, whose place is free; the primary keys of these.

    On PostgreSQL it waits as ``insert_unless_taken`` does: transactions that insert the same rows should do so in the
    same order.
    """
    if not rows:
        return set()
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return {tuple(row) for row in conn.execute(statement, [dict(row) for row in rows])}
