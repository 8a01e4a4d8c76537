"""Check what is stored about witnesses: others' lines on our checkpoints, and what we remember as a witness.

Whatever the bytes are, nothing is raised: what can't be read is a finding.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.fsck_rows import Finding, Row, raw
from ledger.reading import LogReader
from ledger.tables import cosignatures
from ledger.witness import Conflict, Suspicion, TrustedLogs, find_fork, judge
from ledger.witness_messages import parse_add_checkpoint
from ledger.witness_tables import evidence, heads
from signing import LedgerError, NoteKey, VerificationError, add_signature, open_note, parse_note, sha256
from signing.notes.note_key import COSIGNATURE, ML_DSA_44

_NO_LOGS: Final = TrustedLogs(())


def check_cosignatures(connection: Connection, origins: Collection[str]) -> Iterator[Finding]:
    """Lines of witnesses that are not good, of the time beside them, and of a checkpoint of a log of ``origins``."""
    for row in _rows(connection, cosignatures):
        if isinstance(row, Finding):
            yield row
        elif row[0] not in origins or not _is_cosigned(LogReader(connection, row[0]), row):
            where = f"log_cosignatures origin={row[0]} size={row[1]}"
            yield Finding("fsck.cosignature", where, "not a good line of the witness for a checkpoint of a log here")


def check_witness(connection: Connection, *public_keys: bytes, logs: TrustedLogs = _NO_LOGS) -> Iterator[Finding]:
    """Rows of the witness that contradict themselves; ``public_keys`` are those of its cosignatures, Ed25519 first and
    then ML-DSA-44, as far as it has them. What a log signed is verified with its keys in ``logs``; nothing else can
    vouch for the signature of a log that is not there any more.
    """
    for row in _rows(connection, heads):
        if isinstance(row, Finding):
            yield row
        elif not (_is_head(row, public_keys) and _is_signed(row[5], logs.of(row[0]))):
            where = f"witness_heads origin={row[0]}"
            yield Finding("fsck.witness", where, "the row is not what its note and cosignature say")
    for row in _rows(connection, evidence):
        if isinstance(row, Finding):
            yield row
        elif not (
            _is_evidence(row, public_keys)
            and _is_signed(_note_of(row[5]), logs.of(row[0]))
            and _is_signed(row[6], logs.of(row[0]))
        ):
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


def _is_head(row: Row, public_keys: Sequence[bytes]) -> bool:
    origin, origin_hash, size, root, time, note, lines = row
    if not _are((str, str, int, bytes, int, bytes, bytes), row) or origin_hash != sha256(origin.encode()).hex():
        return False
    if time == 0:
        return (size, root, note, lines) == (0, sha256(b""), b"", b"")
    try:
        checkpoint, signed_at = _open_own(note + lines, public_keys)
    except LedgerError:
        return False
    return (checkpoint.origin, checkpoint.size, checkpoint.root, signed_at) == (origin, size, root, time)


def _is_evidence(row: Row, public_keys: Sequence[bytes]) -> bool:
    """Whether the request is refused again, for the same reason, against what was held then."""
    origin, code, size, root, _, request, held = row
    if not _are((str, str, int, bytes, int, bytes, bytes), row):
        return False
    try:
        claimed = parse_add_checkpoint(request)
        last = _open_own(held, public_keys)[0] if held else None
        verdict = judge(claimed, last)
        if isinstance(verdict, Conflict):
            verdict = find_fork(claimed, last)
    except LedgerError:
        return False
    same_head = (claimed.head.origin, claimed.head.size, claimed.root) == (origin, size, root)
    return same_head and isinstance(verdict, Suspicion) and verdict.code == code


def _note_of(request: bytes) -> bytes:
    return request.partition(b"\n\n")[2]


def _is_signed(note: bytes, keys: Sequence[NoteKey]) -> bool:
    """Whether a log's key signed the note, if any is known; what was never cosigned has none."""
    try:
        return not keys or not note or bool(open_note(note, keys).verified)
    except LedgerError:
        return False


def _open_own(note: bytes, public_keys: Sequence[bytes]) -> tuple[Checkpoint, int | None]:
    """A checkpoint that this witness cosigned, under whatever name it had, and when; all its lines must be good."""
    lines = parse_note(note).signatures
    name = lines[-1].name
    types = (COSIGNATURE, ML_DSA_44)
    opened = open_note(note, [NoteKey(name, kind, raw) for kind, raw in zip(types, public_keys, strict=False)])
    times = {line.time for line in opened.verified}
    if len(opened.verified) != sum(line.name == name for line in lines) or len(times) != 1:
        raise VerificationError("note.signature", "a line of the witness is not that of its key")
    return parse_checkpoint(opened.text), times.pop()


def _are(types: Sequence[type], values: Sequence[Any]) -> bool:
    return all(isinstance(value, kind) for kind, value in zip(types, values, strict=True))
