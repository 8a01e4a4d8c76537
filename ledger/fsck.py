"""Re-derive a log from its stored entries and compare everything that is stored with it.

Leaves, the index by leaf hash, tiles of every level, the root and signature of every checkpoint, the head row. The
log is read from left to right, so memory does not grow with it, and the first thing that is wrong is found first.
Whatever the bytes are, fsck ends and raises nothing: what can't be read is a finding.

Whole subtrees are scanned first (``ledger.fsck_scan``), by other processes if the caller has any, until one is not
all right. From there on, and at the end of the log, entry by entry: slower, but it can say what is wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from ledger.checkpoint import open_checkpoint
from ledger.fsck_position import Position
from ledger.fsck_rows import Finding, RawRows, Row, UnreadableError, strays
from ledger.fsck_scan import Scanned, Span, scan_span
from ledger.fsck_tiles import TileCheck
from ledger.hashing import HASH_SIZE, LeafHash, leaf_hash
from ledger.terms import LogTerms
from ledger.tiles import ENTRY_MAX_BYTES, TILE_HEIGHT, TILE_WIDTH
from ledger.tree import Frontier, join_peaks
from signing import LedgerError, NoteKey

SPAN_LEVELS: Final = 2
"""Subtrees of 256^2 entries: two levels of tiles."""


Scan = Callable[[Iterable[Span]], Iterator[Scanned | None]]
"""Scans spans and gives the outcomes in order, on a state of the database that is the caller's or a later one."""


@dataclass(frozen=True, slots=True)
class Course:
    """How to go through a log: who scans (by default the caller's own connection), by which spans, from which position
    of an earlier run of the same ``levels`` by origin, and who hears of origin, new position, entries done, of all.
    """

    scan: Scan | None = None
    levels: int = SPAN_LEVELS
    start: Mapping[str, Position] = field(default_factory=dict)
    reached: Callable[[str, Position, int, int], None] = lambda _origin, _position, _done, _all: None


NO_COURSE: Final = Course()
"""On one connection, from the start, and nobody listens."""


def fsck(connection: Connection, keys: Sequence[NoteKey], course: Course = NO_COURSE) -> Iterator[Finding]:
    """What is wrong with the logs of ``keys`` and with the log tables around them; nothing if all is well.

    ``keys`` are the logs that this database must hold, by their public keys from outside it. Give it a connection of
    ``reading(engine)``: it may take long, and must see one state.
    """
    try:
        for key in keys:
            for finding in _LogCheck(connection, key, course).findings():
                yield replace(finding, origin=key.name)
        yield from strays(connection, [key.name for key in keys])
    except UnreadableError as error:
        yield Finding("fsck.unreadable", error.table, "the database can't read this table")


class _LogCheck:
    """One pass over one log.

    ``_frontier`` is the tree of the entries read so far, or None once an entry is missing: then later rows are still
    checked one by one, but no root can be. Of roots that do not fit, only the first is a finding.
    """

    def __init__(self, connection: Connection, key: NoteKey, course: Course) -> None:
        self._course = course
        self._scan = course.scan or (lambda spans: (scan_span(connection, span) for span in spans))
        self._rows = RawRows(connection, key.name)
        self._key = key
        self._tiles = TileCheck(self._rows)
        self._frontier: Frontier | None = Frontier()
        self._next = 0
        self._found = 0
        self._damaged_row = -1
        self._signed_size = 0
        self._roots_fit = True

    def findings(self) -> Iterator[Finding]:
        yield from self._terms()
        for (index,) in self._rows.entries_before_first():
            yield Finding("fsck.entry", f"log_entries entry_index={index}", "the index is below 0")
        yield from self._pass_spans()
        checkpoints = self._rows.checkpoints(passed=self._next)
        checkpoint = next(checkpoints, None)
        while page := self._rows.entries_from(self._next):
            yield from self._look_up(page)
            for row in page:
                if not isinstance(row[1], int) or row[1] < self._next:
                    yield Finding("fsck.entry", f"log_entries after entry_index={self._next - 1}", "no valid index")
                    return
                yield from self._entry(*row)
                while checkpoint is not None and _size_of(checkpoint) <= self._next:
                    yield from self._checkpoint(checkpoint)
                    checkpoint = next(checkpoints, None)
        while checkpoint is not None:
            yield from self._checkpoint(checkpoint)
            checkpoint = next(checkpoints, None)
        if self._signed_size != self._next:
            where = f"log_checkpoints size={self._next}"
            message = f"the last checkpoint covers {self._signed_size} entries, not all stored"
            yield Finding("fsck.checkpoint", where, message)
        yield from self._head()
        if self._rows.leaf_count() != self._found:
            yield Finding("fsck.index", "log_leaves", "holds other leaf hashes than those of the stored entries")
        for level, index in self._rows.surplus_tiles(self._next):
            yield Finding("fsck.tile", f"log_tiles level={level} tile_index={index}", "no such tile is full yet")

    def _pass_spans(self) -> Iterator[Finding]:
        """Go over the spans that are all right, up to the first that is not."""
        levels, origin = self._course.levels, self._key.name
        head, last, span_size = self._rows.head(), self._rows.last_row(), 1 << TILE_HEIGHT * levels
        if head is None or not (type(head[1]) is type(head[2]) is type(last) is int):
            return
        number, stored = head[1], min(head[2], last + TILE_WIDTH)
        position = self._course.start.get(origin, Position())
        if len(position.roots) * span_size > stored:
            position = Position()
        for root in position.roots:
            yield from self._go_over(levels, root)
        self._signed_size = position.signed_size
        for size_in_levels in (levels, levels - 1):  # what is left at the end by smaller ones
            for scanned in self._scan(self._spans(number, size_in_levels, stored)):
                if scanned is None:
                    return
                wrong = [*self._signed_roots(scanned), *self._go_over(size_in_levels, scanned.root)]
                yield from wrong
                if wrong:
                    return
                if size_in_levels == levels:
                    position = Position((*position.roots, scanned.root), self._signed_size)
                    self._course.reached(origin, position, self._next, stored)

    def _spans(self, number: int, levels: int, stored: int) -> Iterator[Span]:
        """The spans of this size, at least one level of tiles, from here to the end."""
        size = 1 << TILE_HEIGHT * levels
        for start in range(self._next, stored - size + 1, size) if levels else ():
            yield Span(self._key, number, start, levels)

    def _signed_roots(self, scanned: Scanned) -> Iterator[Finding]:
        """Compare the roots of checkpoints in a span that is gone over next."""
        before = () if self._frontier is None else self._frontier.peaks
        for size, root, peaks in scanned.checkpoints:
            self._signed_size = size
            if self._roots_fit and join_peaks((*before, *peaks)) != root:
                yield _wrong_root(size)
                self._roots_fit = False

    def _go_over(self, levels: int, root: bytes) -> Iterator[Finding]:
        """Take a whole subtree as read."""
        if self._frontier is not None:
            self._frontier = self._frontier.extend_by_subtree(TILE_HEIGHT * levels, root)
        added = 1 << TILE_HEIGHT * levels
        self._next += added
        self._found += added
        yield from self._tiles.add_subtree(levels, root)

    def _look_up(self, page: Sequence[Row]) -> Iterator[Finding]:
        """Each good entry must be found by its leaf hash, or its duplicate would be accepted."""
        leaves = {
            index: leaf for _, index, entry, leaf in page if isinstance(entry, bytes) and leaf_hash(entry) == leaf
        }
        found = self._rows.indices_of(list(leaves.values()))
        for index, leaf in leaves.items():
            if found.get(leaf) == index:
                self._found += 1
            else:
                where = f"log_leaves entry_index={index}"
                yield Finding("fsck.index", where, "the entry is not found, or elsewhere, by its leaf hash")

    def _entry(self, row: int, index: int, entry: object, stored: object) -> Iterator[Finding]:
        if index > self._next:
            where = f"log_entries entry_index={self._next}"
            yield Finding("fsck.entry", where, f"{index - self._next} entries are missing from here on")
            self._frontier = None
        self._next = index + 1
        where = f"log_entries entry_index={row}"
        computed = leaf_hash(entry) if isinstance(entry, bytes) else None
        if isinstance(entry, bytes) and len(entry) > ENTRY_MAX_BYTES:
            yield Finding("fsck.entry", where, f"column entries: {index} has more than {ENTRY_MAX_BYTES} bytes")
        if index // TILE_WIDTH != row // TILE_WIDTH:
            yield Finding("fsck.entry", where, f"column entries: {index} is of another tile")
        leaf = computed
        if computed is None or computed != stored:
            if row != self._damaged_row:
                yield Finding("fsck.entry", where, f"columns entries and leaf_hashes: they differ at entry {index}")
            self._damaged_row = row
            leaf = self._likely_leaf(index, computed, stored)
        if leaf is None:
            self._frontier = None
        if self._frontier is not None and leaf is not None:
            self._frontier = self._frontier.extend([leaf]).frontier
            yield from self._tiles.add_leaf(leaf)

    def _likely_leaf(self, index: int, computed: LeafHash | None, stored: object) -> LeafHash | None:
        """Which leaf to go on with after a mismatch, so that one damaged row is not reported as hundreds."""
        third = self._tiles.stored_leaf(index)
        if third is not None and third == computed:
            return computed
        return LeafHash(stored) if isinstance(stored, bytes) and len(stored) == HASH_SIZE else computed

    def _checkpoint(self, row: Row) -> Iterator[Finding]:
        size, note = row
        where = f"log_checkpoints size={_size_of(row)}"
        self._signed_size = max(self._signed_size, _size_of(row))
        if not isinstance(note, bytes) or not isinstance(size, int):
            yield Finding("fsck.checkpoint", where, "columns size and note: not of the right type")
            return
        try:
            checkpoint = open_checkpoint(note, self._key)
        except LedgerError as error:
            yield Finding("fsck.checkpoint", where, f"column note: {error}")
            return
        if checkpoint.size != size:
            yield Finding("fsck.checkpoint", where, f"column size: the note is of size {checkpoint.size}")
        elif size > self._next:
            yield Finding("fsck.checkpoint", where, "the note covers entries that are not stored")
        elif self._roots_fit and self._frontier is not None and self._frontier.root() != checkpoint.root:
            yield _wrong_root(size)
            self._roots_fit = False

    def _terms(self) -> Iterator[Finding]:
        row = self._rows.head()
        if row is None:
            yield Finding("fsck.head", "log_heads", f"no row for the log of key {self._key.format()}")
            return
        origin, number, _, _, vkey, entry_limit, frozen, digest = row
        if type(frozen) not in (int, bool) or LogTerms(origin, number, vkey, entry_limit, frozen).digest() != digest:
            yield Finding("fsck.head", "log_heads", "the log's terms are not those that were written")
        elif vkey not in (None, self._key.format()):
            yield Finding("fsck.head", "log_heads", f"column vkey: not {self._key.format()}")

    def _head(self) -> Iterator[Finding]:
        row = self._rows.head()
        if row is None:
            return
        if row[2] != self._next:
            yield Finding("fsck.head", "log_heads", f"column size: {self._next} entries are stored")
        if self._frontier is not None and row[3] != self._frontier.to_bytes():
            yield Finding("fsck.head", "log_heads", "column frontier: not that of the stored entries")


def _wrong_root(size: int) -> Finding:
    where = f"log_checkpoints size={size}"
    return Finding("fsck.checkpoint", where, "column note: the root is not that of the stored entries")


def _size_of(row: Row) -> int:
    """The size column of a checkpoint row; one that is no number counts as below all others."""
    return row[0] if isinstance(row[0], int) else -1
