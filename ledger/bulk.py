"""The statements of an append that handle many entries, in the form that each driver runs fastest.

Leaf hashes go to the database as one value, 32 bytes each, which it takes apart: a parameter for each would cost
several times what the database does with it. Only ``ledger.rows`` and ``ledger.fsck_scan`` use this.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from ledger.hashing import LeafHash
from ledger.segments import Segment
from ledger.statements import Statement

_INSERT_SEGMENTS: Final = Statement(
    "INSERT INTO log_entries (log, entry_index, leaf_hashes, entries) VALUES (?, ?, ?, ?)"
)
_INSERT_LEAVES: Final = Statement(
    "INSERT INTO log_leaves (log, leaf_hash, entry_index)"
    " WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)"
    " SELECT ?, substr(?, n * 32 + 1, 32) AS leaf, ? + n FROM numbers WHERE true ORDER BY leaf"
    " ON CONFLICT DO NOTHING",
    "INSERT INTO log_leaves (log, leaf_hash, entry_index)"
    " WITH numbers AS (SELECT n FROM generate_series(0, ? - 1) AS n)"
    " SELECT ?, substr(?::bytea, n * 32 + 1, 32) AS leaf, ? + n FROM numbers ORDER BY leaf"
    " ON CONFLICT DO NOTHING",
)
"""Sorted, so that each page of the index is touched once."""
_FIND: Final = Statement(
    "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)"
    " SELECT n, entry_index FROM numbers CROSS JOIN log_leaves ON log = ? AND leaf_hash = substr(?, n * 32 + 1, 32)",
    "SELECT n, entry_index FROM generate_series(0, ? - 1) AS n CROSS JOIN LATERAL (SELECT entry_index"
    " FROM log_leaves WHERE log = ? AND leaf_hash = substr(?::bytea, n * 32 + 1, 32) OFFSET 0) AS found",
)
"""Looked up one by one, whatever the planner thinks of the table's size."""
_INDICES: Final = Statement(
    "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ? - 1)"
    " SELECT group_concat(entry_index) FROM numbers CROSS JOIN log_leaves"
    " ON log = ? AND leaf_hash = substr(?, n * 32 + 1, 32) AND typeof(entry_index) = 'integer'",
    "WITH wanted AS (SELECT ?::int AS many, ?::int AS log, ?::bytea AS hashes)"
    " SELECT string_agg(entry_index::text, ',' ORDER BY leaf_hash) FROM log_leaves"
    " WHERE log = (SELECT log FROM wanted) AND leaf_hash = ANY(ARRAY("
    "SELECT substr(hashes, n * 32 + 1, 32) FROM wanted, generate_series(0, many - 1) AS n))",
)
"""As one text, since a row for each costs more than to find it; PostgreSQL goes along its index once."""
_BY_INDEX: Final = Statement("SET LOCAL enable_seqscan = off")
_READ: Final = Statement(
    "SELECT entry_index, leaf_hashes, entries FROM log_entries"
    " WHERE log = ? AND entry_index >= ? AND entry_index < ? ORDER BY entry_index",
    large=True,
)


def insert_segments(connection: Connection, log: int, segments: Sequence[Segment]) -> None:
    """Write rows of entries."""
    _INSERT_SEGMENTS.run_each(connection, [(log, row.start, row.leaf_hashes, row.entries) for row in segments])


def insert_leaves(connection: Connection, log: int, start: int, leaves: Sequence[LeafHash]) -> bool:
    """Write where the ``leaves`` are, which begin at index ``start``; tells whether none was there already."""
    return _INSERT_LEAVES.run(connection, len(leaves), log, b"".join(leaves), start) == len(leaves)


def find_leaves(connection: Connection, log: int, leaves: Sequence[LeafHash]) -> list[tuple[int, int]]:
    """(position among ``leaves``, index) of those that the log has, in any order."""
    return _FIND.rows(connection, len(leaves), log, b"".join(leaves))


def indices_of(connection: Connection, log: int, rising: Sequence[LeafHash]) -> object:
    """Where the log has each of many different leaf hashes, in their order: numbers with commas between, and none for
    a hash that it does not have.
    """
    if connection.dialect.name == "postgresql":
        _BY_INDEX.run(connection)
    return _INDICES.value(connection, len(rising), log, b"".join(rising))


def read_segments(connection: Connection, log: int, start: int, end: int) -> list[Segment]:
    """The rows that begin in [start, end), by index."""
    return [Segment(*row) for row in _READ.rows(connection, log, start, end)]
