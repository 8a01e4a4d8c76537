"""Re-derive a log from its stored entries and compare everything that is stored with it.

Leaves, the index by leaf hash, tiles of every level, the root and signature of every checkpoint, the head row. The
log is read once from left to right in pages, so memory does not grow with it, and the first thing that is wrong is
found first. Whatever the bytes are, fsck ends and raises nothing: what can't be read is a finding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from ledger.checkpoint import open_checkpoint
from ledger.fsck_rows import Finding, RawRows, Row, UnreadableError, strays
from ledger.fsck_tiles import TileCheck
from ledger.hashing import HASH_SIZE, LeafHash, leaf_hash
from ledger.tiles import ENTRY_MAX_BYTES
from ledger.tree import Frontier
from signing import LedgerError, NoteKey


def fsck(connection: Connection, keys: Sequence[NoteKey]) -> Iterator[Finding]:
    """What is wrong with the logs of ``keys`` and with the log tables around them; nothing if all is well.

    ``keys`` are the logs that this database must hold, by their public keys from outside it. Give it a connection of
    ``reading(engine)``: it may take long, and must see one state.
    """
    try:
        for key in keys:
            for finding in _LogCheck(connection, key).findings():
                yield replace(finding, origin=key.name)
        yield from strays(connection, [key.name for key in keys])
    except UnreadableError as error:
        yield Finding("fsck.unreadable", error.table, "the database can't read this table")


class _LogCheck:
    """One pass over one log.

    ``_frontier`` is the tree of the entries read so far, or None once an entry is missing: then later rows are still
    checked one by one, but no root can be. Of roots that do not fit, only the first is a finding.
    """

    def __init__(self, connection: Connection, key: NoteKey) -> None:
        self._rows = RawRows(connection, key.name)
        self._key = key
        self._tiles = TileCheck(self._rows)
        self._frontier: Frontier | None = Frontier()
        self._next = 0
        self._roots_fit = True

    def findings(self) -> Iterator[Finding]:
        for (index,) in self._rows.entries_before_first():
            yield Finding("fsck.entry", f"log_entries entry_index={index}", "the index is below 0")
        checkpoints = self._rows.checkpoints()
        checkpoint = next(checkpoints, None)
        signed_size = 0
        while page := self._rows.entries_from(self._next):
            yield from self._look_up(page)
            for row in page:
                if not isinstance(row[0], int) or row[0] < self._next:
                    yield Finding("fsck.entry", f"log_entries after entry_index={self._next - 1}", "no valid index")
                    return
                yield from self._entry(*row)
                while checkpoint is not None and _size_of(checkpoint) <= self._next:
                    signed_size = _size_of(checkpoint)
                    yield from self._checkpoint(checkpoint)
                    checkpoint = next(checkpoints, None)
        while checkpoint is not None:
            yield from self._checkpoint(checkpoint)
            signed_size = _size_of(checkpoint)
            checkpoint = next(checkpoints, None)
        if signed_size != self._next:
            where = f"log_checkpoints size={self._next}"
            yield Finding("fsck.checkpoint", where, f"the last checkpoint covers {signed_size} entries, not all stored")
        yield from self._head()
        for level, index in self._rows.surplus_tiles(self._next):
            yield Finding("fsck.tile", f"log_tiles level={level} tile_index={index}", "no such tile is full yet")

    def _look_up(self, page: Sequence[Row]) -> Iterator[Finding]:
        """Each good entry must be found by its leaf hash, or its duplicate would be accepted."""
        leaves = {row[0]: row[2] for row in page if isinstance(row[1], bytes) and leaf_hash(row[1]) == row[2]}
        found = self._rows.indices_of(list(leaves.values()))
        for index, leaf in leaves.items():
            if found.get(leaf) != index:
                where = f"log_entries entry_index={index}"
                yield Finding("fsck.index", where, "the entry is not found, or elsewhere, by its leaf hash")

    def _entry(self, index: int, entry: object, stored: object) -> Iterator[Finding]:
        if index > self._next:
            where = f"log_entries entry_index={self._next}"
            yield Finding("fsck.entry", where, f"{index - self._next} rows are missing from here on")
            self._frontier = None
        self._next = index + 1
        where = f"log_entries entry_index={index}"
        computed = leaf_hash(entry) if isinstance(entry, bytes) else None
        if isinstance(entry, bytes) and len(entry) > ENTRY_MAX_BYTES:
            yield Finding("fsck.entry", where, f"column entry: more than {ENTRY_MAX_BYTES} bytes")
        leaf = computed
        if computed is None or computed != stored:
            yield Finding("fsck.entry", where, "columns entry and leaf_hash: the entry does not give the leaf hash")
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
            yield Finding("fsck.checkpoint", where, "column note: the root is not that of the stored entries")
            self._roots_fit = False

    def _head(self) -> Iterator[Finding]:
        where = "log_heads"
        row = self._rows.head()
        if row is None:
            yield Finding("fsck.head", where, f"no row for the log of key {self._key.format()}")
            return
        if row[0] != self._next:
            yield Finding("fsck.head", where, f"column size: {self._next} entries are stored")
        if self._frontier is not None and row[1] != self._frontier.to_bytes():
            yield Finding("fsck.head", where, "column frontier: not that of the stored entries")


def _size_of(row: Row) -> int:
    """The size column of a checkpoint row; one that is no number counts as below all others."""
    return row[0] if isinstance(row[0], int) else -1
