"""Append to a log in SQL: one short transaction, in which the tree is checked before it is signed.

What an append does, in this order:

 1. refuse entries that are too long, before anything else;
 2. lock the head row: the database orders appends of any number of processes; only the log's own key goes on, a
    frozen log takes nothing;
 3. check that the stored frontier is what the last checkpoint signed;
 4. check that the chain knows no larger tree (``known_head``);
 5. from here on within a savepoint of the caller's transaction: drop duplicates, comparing each with the entry as
    stored, and write where the others will be;
 6. write entries, then full tiles, lowest level first;
 7. recompute the new leaves from the entries as stored, which must be those handed in;
 8. prove from the stored hashes that the new tree extends the last checkpoint and the known head;
 9. sign, write checkpoint and head. The commit is the caller's; **no note may be shown before it**.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from ledger.appended import Appended
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, verify_extension
from ledger.hashing import MAX_SIZE, LeafHash
from ledger.heads import Head, create_head, damaged, lock_head, move_head, write_terms
from ledger.proving import prove_consistency
from ledger.reading import LogReader
from ledger.rows import LogRows, first_reread
from ledger.statements import Statement, savepoint
from ledger.tiles import ENTRY_MAX_BYTES, TileNodes, check_entries, check_entry
from ledger.tree import Frontier
from signing import LedgerError, MalformedError, NoteKey, Signer, UnavailableError, VerificationError

_INSERT_CHECKPOINT: Final = Statement("INSERT INTO log_checkpoints (origin, size, note) VALUES (?, ?, ?)")


class SqlLog(LogReader):
    """The log of one origin on one connection of ``open_engine``. It never commits; if it raises, it wrote nothing.

    A lost connection or a lock that could not be had within the time limit is SQLAlchemy's OperationalError: roll
    back and run the whole unit again. Repeating an append is harmless, also after a commit of unknown outcome.
    """

    def create(
        self, first_entry: bytes, *, signer: Signer, known_head: Checkpoint | None, entry_limit: int = ENTRY_MAX_BYTES
    ) -> Appended:
        """Begin the log with its entry 0; the same again returns what is there.

        From now on only ``signer``'s key signs it, and no entry may have more than ``entry_limit`` bytes.
        Raises VerificationError ``log.exists`` if the log began otherwise, MalformedError ``form.range`` for a limit
        that no tile can hold, and as ``append`` does.
        """
        check_entry(first_entry)
        if not 0 < entry_limit <= ENTRY_MAX_BYTES:
            raise MalformedError("form.range", f"entry limit: not 1 to {ENTRY_MAX_BYTES} bytes")
        key = NoteKey.ed25519(self.origin, signer.public_key.raw)
        with savepoint(self._connection):
            head = create_head(self._connection, key, entry_limit)
            if head.frontier.size > 0 and self.entry(0) != first_entry:
                raise VerificationError("log.exists", "the log exists already and began with another entry")
            return self.append([first_entry], signer=signer, known_head=known_head)

    def append(self, batch: Sequence[bytes], *, signer: Signer, known_head: Checkpoint | None) -> Appended:
        """Put the entries that are not yet in the log at its end, in order, and sign the new tree.

        ``known_head`` is the largest head of this log that is known from the chain, or None if there is none yet.
        If nothing is new, nothing is signed and the latest checkpoint is returned.

        Raises MalformedError ``form.entry-size``; UnavailableError ``log.unknown``, ``log.signer``; RefusedError
        ``log.frozen``; VerificationError ``log.key`` (the log was created with another key), ``log.behind-chain`` (the
        chain knows a larger tree: a restored backup, or a second writer), ``log.fork`` (it knows another one),
        ``log.damaged`` (stored bytes contradict each other), and those of ``open_checkpoint`` if the last checkpoint
        was not signed by ``signer``.
        """
        check_entries(batch)
        old = lock_head(self._connection, self.origin)
        key = NoteKey.ed25519(self.origin, signer.public_key.raw)
        old.terms.check_writer(key)
        check_entries(batch, old.terms.entry_limit)
        last = self._last_signed(old.frontier, key)
        if known_head is not None and known_head.size > last.size:
            raise VerificationError(
                "log.behind-chain", f"the chain holds size {known_head.size}, this log only {last.size}; not signed"
            )
        if last.size > MAX_SIZE - len(batch):
            raise UnavailableError("log.full", "the log is full")
        with savepoint(self._connection) as undo:
            rows = LogRows(self._connection, self.origin, old.terms.number)
            placed = rows.place(batch, last.size, undo)
            grown = self._write(rows, old.frontier, placed.fresh) if placed.fresh else old.frontier
            head = Checkpoint(self.origin, grown.size, grown.root())
            self._prove_growth(last, known_head, head)
            note = self._sign(old, grown, head, signer, key) if placed.fresh else self.checkpoint()
        return Appended(placed.indices, placed.duplicates, placed.leaves, head, note)

    def freeze(self) -> Checkpoint:
        """Let the log take no more entries, for ever; what it has is read and proved as before. Gives its last head.

        Again is harmless. Raises UnavailableError ``log.unknown``, VerificationError ``log.damaged``.
        """
        with savepoint(self._connection):
            head = lock_head(self._connection, self.origin)
            write_terms(self._connection, replace(head.terms, frozen=True))
            return Checkpoint(self.origin, head.frontier.size, head.frontier.root())

    def _last_signed(self, frontier: Frontier, key: NoteKey) -> Checkpoint:
        stored = Checkpoint(self.origin, frontier.size, frontier.root())
        if frontier.size == 0:
            return stored
        try:
            signed = _open(self.own_checkpoint_at(frontier.size) or b"", key)
        except MalformedError:
            raise damaged("log_checkpoints: the checkpoint of the log's size is missing or not readable") from None
        if signed != stored:
            raise damaged("log_heads: the frontier is not that of the last signed checkpoint")
        return stored

    def _write(self, rows: LogRows, frontier: Frontier, fresh: Sequence[tuple[bytes, LeafHash]]) -> Frontier:
        old_size, new_size = frontier.size, frontier.size + len(fresh)
        rows.insert_entries(old_size, fresh)
        leaves = rows.reread_leaves(old_size, new_size)
        new_leaves = leaves[old_size - first_reread(old_size, new_size) :]
        if new_leaves != [leaf for _, leaf in fresh]:
            raise damaged(f"log_entries from entry_index={old_size} on: other entries read back than were written")
        growth = frontier.extend(new_leaves)
        rows.insert_full_tiles(old_size, new_size, leaves, growth.completed)
        return growth.frontier

    def _prove_growth(self, last: Checkpoint, known: Checkpoint | None, head: Checkpoint) -> None:
        nodes = TileNodes(head.size, self.tile)
        try:
            verify_extension(last, head, prove_consistency(last.size, head.size, nodes))
        except LedgerError:
            raise damaged("the stored hashes do not extend the last signed checkpoint") from None
        if known is None:
            return
        try:
            verify_extension(known, head, prove_consistency(known.size, head.size, nodes))
        except VerificationError:
            raise VerificationError(
                "log.fork", f"the chain holds another tree of size {known.size} than this log; not signed"
            ) from None

    def _sign(self, old: Head, grown: Frontier, head: Checkpoint, signer: Signer, key: NoteKey) -> bytes:
        try:
            note = sign_checkpoint(head, signer)
            _open(note, key)  # a faulty device must not freeze the log with a note that no one can open
        except LedgerError:
            raise UnavailableError("log.signer", "the log's key gave no valid signature") from None
        _INSERT_CHECKPOINT.run(self._connection, self.origin, head.size, note)
        move_head(self._connection, old, grown)
        if old.terms.vkey is None:
            write_terms(self._connection, replace(old.terms, vkey=key.format()))
        return note


@lru_cache(maxsize=64)
def _open(note: bytes, key: NoteKey) -> Checkpoint:
    """``open_checkpoint``, which gives the same for the same bytes and key: what this process signed last, the next
    append need not verify again. What fails is not remembered.
    """
    return open_checkpoint(note, key)
