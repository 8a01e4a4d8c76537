"""The statements of an append that handle many entries, in the form that each driver runs fastest.

Leaf hashes go to the database as one value, 32 bytes each, which it takes apart; to PostgreSQL the entries too. A
parameter for each would cost several times what the database does with it. Only ``ledger.rows`` uses this.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from sqlalchemy import Connection

from ledger.hashing import LeafHash
from ledger.segments import Segment

_INSERT_SEGMENTS: Final = {
    "sqlite": "INSERT INTO log_entries (log, entry_index, leaf_hashes, entries) VALUES (?, ?, ?, ?)",
    "postgresql": "INSERT INTO log_entries (log, entry_index, leaf_hashes, entries)"
    " SELECT %s, entry_index, substr(%s::bytea, leaf, leaves), substr(%s::bytea, entry, entries)"
    " FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[])"
    " AS cuts(entry_index, leaf, leaves, entry, entries)",
}
_INSERT_LEAVES: Final = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)"
    " INSERT INTO log_leaves (log, leaf_hash, entry_index)"
    " SELECT ?, substr(?, n * 32 + 1, 32) AS leaf, ? + n FROM numbers ORDER BY leaf",
    "postgresql": "WITH numbers AS (SELECT n FROM generate_series(0, %s - 1) AS n)"
    " INSERT INTO log_leaves (log, leaf_hash, entry_index)"
    " SELECT %s, substr(%s::bytea, n * 32 + 1, 32) AS leaf, %s + n FROM numbers ORDER BY leaf",
}
"""Sorted, so that each page of the index is touched once."""
_FIND: Final = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)"
    " SELECT n, entry_index FROM numbers CROSS JOIN log_leaves ON log = ? AND leaf_hash = substr(?, n * 32 + 1, 32)",
    "postgresql": "SELECT n, entry_index FROM generate_series(0, %s - 1) AS n CROSS JOIN LATERAL (SELECT entry_index"
    " FROM log_leaves WHERE log = %s AND leaf_hash = substr(%s::bytea, n * 32 + 1, 32) OFFSET 0) AS found",
}
"""Looked up one by one, whatever the planner thinks of the table's size."""
_READ: Final = {
    "sqlite": "SELECT entry_index, leaf_hashes, entries FROM log_entries"
    " WHERE log = ? AND entry_index >= ? AND entry_index < ? ORDER BY entry_index",
    "postgresql": "SELECT entry_index, leaf_hashes, entries FROM log_entries"
    " WHERE log = %s AND entry_index >= %s AND entry_index < %s ORDER BY entry_index",
}


def insert_segments(connection: Connection, log: int, segments: Sequence[Segment]) -> None:
    """Write rows of entries."""
    statement = _INSERT_SEGMENTS[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        hashes, entries = [row.leaf_hashes for row in segments], [row.entries for row in segments]
        cuts = ([row.start for row in segments], *_cuts(hashes), *_cuts(entries))
        connection.exec_driver_sql(statement, (log, b"".join(hashes), b"".join(entries), *cuts))
    else:
        connection.exec_driver_sql(statement, [(log, row.start, row.leaf_hashes, row.entries) for row in segments])


def _cuts(parts: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """Where each part begins, counted from 1 as SQL does, and how long it is, when they are joined."""
    lengths = [len(part) for part in parts]
    return [1 + end - length for end, length in zip(accumulate(lengths), lengths, strict=True)], lengths


def insert_leaves(connection: Connection, log: int, start: int, leaves: Sequence[LeafHash]) -> None:
    """Write where the ``leaves`` are, which begin at index ``start``."""
    statement = _INSERT_LEAVES[connection.dialect.name]
    connection.exec_driver_sql(statement, (len(leaves), log, b"".join(leaves), start))


def find_leaves(connection: Connection, log: int, leaves: Sequence[LeafHash]) -> list[tuple[int, int]]:
    """(position among ``leaves``, index) of those that the log has, in any order."""
    statement = _FIND[connection.dialect.name]
    return _rows(connection, statement, (len(leaves), log, b"".join(leaves)))


def read_segments(connection: Connection, log: int, start: int, end: int) -> list[Segment]:
    """The rows that begin in [start, end), by index."""
    return [Segment(*row) for row in _rows(connection, _READ[connection.dialect.name], (log, start, end))]


def _rows(connection: Connection, statement: str, parameters: tuple[object, ...]) -> list[Any]:
    return list(connection.exec_driver_sql(statement, parameters).all())
