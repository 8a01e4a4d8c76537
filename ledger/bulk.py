"""The statements of an append that touch one row for each entry, in the form that each driver runs fastest.

SQLAlchemy's own executemany and ``IN`` cost several times what the database does with them. Only ``ledger.rows`` uses
this.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

_PARAMETERS: Final = 500
"""Placeholders in one statement on SQLite: below the limit of every build."""

_INSERT: Final = {
    "sqlite": "INSERT INTO log_entries (origin, entry_index, entry, leaf_hash) VALUES (?, ?, ?, ?)",
    "postgresql": "INSERT INTO log_entries (origin, entry_index, entry, leaf_hash)"
    " SELECT %s, * FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[])",
}
_FIND: Final = {
    "sqlite": "SELECT leaf_hash, entry_index, entry FROM log_entries WHERE origin = ? AND leaf_hash IN (?"
    + ", ?" * (_PARAMETERS - 1)
    + ")",
    "postgresql": "SELECT leaf_hash, entry_index, entry FROM log_entries WHERE origin = %s AND leaf_hash = ANY(%s)",
}
_READ: Final = {
    "sqlite": "SELECT entry_index, entry, leaf_hash FROM log_entries"
    " WHERE origin = ? AND entry_index >= ? AND entry_index < ? ORDER BY entry_index",
    "postgresql": "SELECT entry_index, entry, leaf_hash FROM log_entries"
    " WHERE origin = %s AND entry_index >= %s AND entry_index < %s ORDER BY entry_index",
}


def insert_entries(connection: Connection, origin: str, start: int, rows: Sequence[tuple[bytes, bytes]]) -> None:
    """Write (entry, leaf hash) rows from index ``start`` on."""
    statement = _INSERT[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        indices = list(range(start, start + len(rows)))
        columns = (origin, indices, [entry for entry, _ in rows], [leaf for _, leaf in rows])
        connection.exec_driver_sql(statement, columns)
    else:
        numbered = [(origin, index, entry, leaf) for index, (entry, leaf) in enumerate(rows, start)]
        connection.exec_driver_sql(statement, numbered)


def find_entries(connection: Connection, origin: str, leaves: Sequence[bytes]) -> list[tuple[bytes, int, bytes]]:
    """(leaf hash, index, entry) of those ``leaves`` that the log has, in any order."""
    statement = _FIND[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        return _rows(connection, statement, (origin, list(leaves)))
    found: list[tuple[bytes, int, bytes]] = []
    for at in range(0, len(leaves), _PARAMETERS):
        some = leaves[at : at + _PARAMETERS]
        repeated = [some[-1]] * (_PARAMETERS - len(some))  # one statement text for any number
        found += _rows(connection, statement, (origin, *some, *repeated))
    return found


def read_entries(connection: Connection, origin: str, start: int, end: int) -> list[tuple[int, bytes, bytes]]:
    """(index, entry, leaf hash) of the rows in [start, end), by index."""
    return _rows(connection, _READ[connection.dialect.name], (origin, start, end))


def _rows(connection: Connection, statement: str, parameters: tuple[object, ...]) -> list[Any]:
    return list(connection.exec_driver_sql(statement, parameters).all())
