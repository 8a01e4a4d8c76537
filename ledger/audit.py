"""Audit a log from outside, as an independent monitor: nothing but its files and its key (C2SP tlog-tiles).

1. The served checkpoint must have the log's signature.
2. The right edge of its tiles must give the signed root, and the first entries the root of the checkpoint that is
   remembered: otherwise the log equivocated, and both notes are the proof.
3. Only then is the served checkpoint remembered, if it is the larger one; it is never replaced by a smaller one.
4. Every tile that came since is proved by the root above it, every new entry is hashed and compared with its leaf.

An audit that was cut off goes on where it was: ``Memory.checked`` counts entries that are under a checkpoint which
was, or is, consistent with the remembered one. It does not pass what is false or missing, so that is asked for again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ledger.audit_memory import CONTRADICTIONS_MAX, Contradiction, Memory
from ledger.audit_tiles import FalseTileError, Parts, ProvedTiles
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.hashing import leaf_hash
from ledger.log_source import AuditFinding, LogSource, Wanted
from ledger.tiles import TILE_WIDTH, Tile, tile_path, tile_width
from signing import MalformedError, NoteKey, UnavailableError
from signing.notes.note import NOTE_MAX_BYTES

CHECKPOINT_PATH: Final = "checkpoint"
FINDINGS_MAX: Final = 100
_BUNDLES_AT_ONCE: Final = 4  # of up to 16 MiB each


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit saw: the served checkpoint, what is remembered now, and what is wrong; no findings, all is well.

    ``known`` is the checkpoint that was remembered before, if any. At most FINDINGS_MAX findings, one for each file.
    """

    served: Checkpoint
    known: Checkpoint | None
    memory: Memory
    findings: tuple[AuditFinding, ...]


def audit_log(
    source: LogSource,
    key: NoteKey,
    memory: Memory,
    *,
    keep: Callable[[Memory, int], None] = lambda _memory, _size: None,
) -> Audited:
    """Audit the log of ``key`` on from what is remembered.

    ``keep`` hears of each new memory, with the size to reach: the caller makes it durable, at once where the note or
    the contradictions changed. Raises VerificationError (``note.*``, ``checkpoint.origin``) or MalformedError if the
    served or the remembered checkpoint is not one of this log; UnavailableError (``audit.missing`` if there is no
    checkpoint, or the source's own): then what ``keep`` heard last holds.
    """
    known = open_checkpoint(memory.note, key) if memory.note else None
    if memory.checked > (known.size if known else 0):
        raise MalformedError("form.range", "audit state: more entries were checked than its checkpoint covers")
    note = source.read([Wanted(CHECKPOINT_PATH, NOTE_MAX_BYTES)])[0]
    if note is None:
        raise UnavailableError("audit.missing", "checkpoint: is not there")
    served = open_checkpoint(note, key)
    tiles = ProvedTiles(source, known if known is not None and known.size > served.size else served)
    findings = _compare(tiles, known, served)
    if any(finding.code == "audit.equivocation" for finding in findings):
        kept = dict.fromkeys((*memory.contradictions, Contradiction(memory.note, note)))
        memory = replace(memory, contradictions=tuple(kept)[:CONTRADICTIONS_MAX])
        keep(memory, served.size)
    if not findings:
        if known is None or known.size < served.size:
            memory = replace(memory, note=note)
        keep(memory, served.size)
        for found, checked in _check_entries(tiles, memory.checked, served.size):
            new = [finding for finding in found if finding not in findings]
            findings = [*findings, *new][:FINDINGS_MAX]
            if not findings:
                memory = replace(memory, checked=checked)
            keep(memory, served.size)
            if len(findings) == FINDINGS_MAX:
                break
    return Audited(served, known, memory, tuple(findings))


def _compare(tiles: ProvedTiles, known: Checkpoint | None, served: Checkpoint) -> list[AuditFinding]:
    """Whether the smaller of the two is the beginning of the larger, whose ``tiles`` are given."""
    older = served if known is None or known.size > served.size else known
    same_size = known is not None and known.size == served.size and known.root != served.root
    try:
        tiles.prove_edge()
        forked = tiles.root_at(older.size) != older.root
        finding = None
    except FalseTileError as error:
        forked, finding = False, error.finding
    if forked or same_size:
        message = f"the log signed two trees: of {older.size} entries that are not those it showed before"
        return [AuditFinding("audit.equivocation", CHECKPOINT_PATH, message)]
    if known is not None and served.size < known.size:
        message = f"covers {served.size} entries; {known.size} were shown before"
        return [AuditFinding("audit.rollback", CHECKPOINT_PATH, message)]
    return [] if finding is None else [finding]


def _check_entries(tiles: ProvedTiles, checked: int, size: int) -> Iterator[tuple[list[AuditFinding], int]]:
    """Check the entries from ``checked`` on; yields what is wrong with some, and how far that reaches."""
    if checked >= size:
        return
    first, end = checked // TILE_WIDTH, -(-size // TILE_WIDTH)
    for start in range(first, end, _BUNDLES_AT_ONCE):
        indices = range(start, min(start + _BUNDLES_AT_ONCE, end))
        found = [
            finding
            for index, entries in zip(indices, tiles.read_ahead(indices), strict=True)
            if (finding := _check_bundle(tiles, index, entries, size)) is not None
        ]
        yield found, min(indices.stop * TILE_WIDTH, size)


def _check_bundle(tiles: ProvedTiles, index: int, entries: Parts | AuditFinding, size: int) -> AuditFinding | None:
    try:
        leaves = tiles.hashes(0, index)
    except FalseTileError as error:
        return error.finding
    if isinstance(entries, AuditFinding):
        return entries
    for number, (entry, leaf) in enumerate(zip(entries, leaves, strict=True)):
        if leaf_hash(entry) != leaf:
            path = tile_path(Tile("entries", index, tile_width(0, index, size)))
            message = f"entry {index * TILE_WIDTH + number} is not the one under the signed root"
            return AuditFinding("audit.entry", path, message)
    return None
