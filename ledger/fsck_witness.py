"""Check what is stored about witnesses: others' lines on our checkpoints, and what we remember as a witness.

Whatever the bytes are, nothing is raised: what can't be read is a finding.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.fsck_rows import Finding, Row, raw
from ledger.reading import LogReader
from ledger.tables import cosignatures
from ledger.witness import Suspicion, judge
from ledger.witness_messages import parse_add_checkpoint
from ledger.witness_tables import evidence, heads
from signing import LedgerError, NoteKey, add_signature, open_note, parse_note, sha256
from signing.notes.note_key import COSIGNATURE


def check_cosignatures(connection: Connection, origin: str) -> Iterator[Finding]:
    """Lines of witnesses that are not good, of the time beside them, and of a checkpoint of the log ``origin``."""
    log = LogReader(connection, origin)
    for row in _rows(connection, cosignatures):
        if isinstance(row, Finding):
            yield row
        elif row[0] != origin or not _is_cosigned(log, row):
            where = f"log_cosignatures origin={row[0]} size={row[1]}"
            yield Finding("fsck.cosignature", where, "not a good line of the witness for a checkpoint of this log")


def check_witness(connection: Connection, public_key: bytes | None) -> Iterator[Finding]:
    """Rows of the witness that contradict themselves; ``public_key`` is that of its cosignatures, if it has one."""
    for row in _rows(connection, heads):
        if isinstance(row, Finding):
            yield row
        elif not _is_head(row, public_key):
            where = f"witness_heads origin={row[0]}"
            yield Finding("fsck.witness", where, "the row is not what its note and cosignature say")
    for row in _rows(connection, evidence):
        if isinstance(row, Finding):
            yield row
        elif not _is_evidence(row, public_key):
            where = f"witness_evidence origin={row[0]} size={row[2]}"
            yield Finding("fsck.witness", where, "the row is not what its request says")


def _rows(connection: Connection, table: Table) -> Iterator[Row | Finding]:
    try:
        for row in connection.execute(select(*(raw(column) for column in table.columns)).order_by(*table.primary_key)):
            yield tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
    except SQLAlchemyError:
        yield Finding("fsck.unreadable", table.name, "the database can't read this table")


def _is_cosigned(log: LogReader, row: Row) -> bool:
    _, size, vkey, time, line = row
    if not _are((int, str, int, bytes), row[1:]):
        return False
    try:
        key = NoteKey.parse(vkey)
        opened = open_note(add_signature(log.own_checkpoint_at(size) or b"", line), [key])
    except LedgerError:
        return False
    return [(each.key, each.time) for each in opened.verified] == [(key, time)]


def _is_head(row: Row, public_key: bytes | None) -> bool:
    origin, origin_hash, size, root, time, note, lines = row
    if not _are((str, str, int, bytes, int, bytes, bytes), row) or origin_hash != sha256(origin.encode()).hex():
        return False
    if time == 0:
        return (size, root, note, lines) == (0, sha256(b""), b"", b"")
    try:
        checkpoint, signed_at = _open_own(note + lines, public_key)
    except LedgerError:
        return False
    return (checkpoint.origin, checkpoint.size, checkpoint.root, signed_at) == (origin, size, root, time)


def _is_evidence(row: Row, public_key: bytes | None) -> bool:
    """Whether the request is refused again, for the same reason, against what was held then."""
    origin, code, size, root, _, request, held = row
    if not _are((str, str, int, bytes, int, bytes, bytes), row):
        return False
    try:
        claimed = parse_add_checkpoint(request)
        verdict = judge(claimed, _open_own(held, public_key)[0] if held else None)
    except LedgerError:
        return False
    same_head = (claimed.head.origin, claimed.head.size, claimed.root) == (origin, size, root)
    return same_head and isinstance(verdict, Suspicion) and verdict.code == code


def _open_own(note: bytes, public_key: bytes | None) -> tuple[Checkpoint, int | None]:
    """A checkpoint that this witness cosigned, under whatever name it had, and when."""
    last = parse_note(note).signatures[-1]
    opened = open_note(note, [NoteKey(last.name, COSIGNATURE, public_key or b"")])
    return parse_checkpoint(opened.text), opened.verified[0].time


def _are(types: Sequence[type], values: Sequence[Any]) -> bool:
    return all(isinstance(value, kind) for kind, value in zip(types, values, strict=True))
