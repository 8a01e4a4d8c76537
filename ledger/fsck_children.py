"""Check the rows about child ledgers against the parent's log: each follows from the entry that it names.

Whatever the bytes are, nothing is raised: what can't be read is a finding.
"""

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.checkpoint import Checkpoint, verify_extension
from ledger.child import parse_child_entry
from ledger.child_tables import children
from ledger.fsck_rows import Finding, Row, raw
from ledger.hashing import EMPTY_ROOT
from ledger.reading import LogReader
from signing import LedgerError, VerificationError

_TYPES: Final = (str, str, int, int, bytes, int)


def check_children(connection: Connection, origins: Collection[str]) -> Iterator[Finding]:
    """Rows that are not what the entries of a log of ``origins`` say, and gaps between them."""
    query = select(*(raw(column) for column in children.columns)).order_by(*children.primary_key)
    try:
        rows = [tuple(row) for row in connection.execute(query)]
    except SQLAlchemyError:
        yield Finding("fsck.unreadable", children.name, "the database can't read this table")
        return
    for (origin, child), group in groupby(rows, key=lambda row: row[:2]):
        last = None
        for row in group:
            try:
                last = _check(connection, origins, row, last or Checkpoint("none", 0, EMPTY_ROOT))
            except LedgerError as error:
                where = f"log_children origin={origin} child={child} size={row[2]}"
                yield Finding("fsck.child", where, f"not what the log's entry says: {error}")


def _check(connection: Connection, origins: Collection[str], row: Row, last: Checkpoint) -> Checkpoint:
    """The child's checkpoint in the row's entry, once it is shown to extend the one of the row before."""
    origin, child, size, old_size, root, index = row
    if not all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True)) or origin not in origins:
        raise VerificationError("fsck.child", "a value has not its type, or there is no such log")
    entry = LogReader(connection, origin).entry(index)
    if entry is None:
        raise VerificationError("fsck.child", "there is no such entry")
    request = parse_child_entry(entry)
    head = request.head
    if (head.origin, head.size, request.old_size, request.root, old_size) != (child, size, old_size, root, last.size):
        raise VerificationError("fsck.child", "another child, size or root, or one before it is missing")
    verify_extension(Checkpoint(child, last.size, last.root), head, request.proof)
    return head
