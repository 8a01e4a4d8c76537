"""Append to a log in SQL: one short transaction, in which the tree is checked before it is signed.

What an append does, in this order, within a savepoint of the caller's transaction:

 1. refuse entries that are too long, before anything else;
 2. lock the head row: the database orders appends of any number of processes;
 3. check that the stored frontier is what the last checkpoint signed;
 4. check that the chain knows no larger tree (``known_head``);
 5. drop duplicates, comparing each with the entry as stored;
 6. write entries, then full tiles, lowest level first;
 7. recompute the new leaves from the entries as stored;
 8. prove from the stored hashes that the new tree extends the last checkpoint and the known head;
 9. sign, write checkpoint and head. The commit is the caller's; **no note may be shown before it**.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, verify_extension
from ledger.hashing import MAX_SIZE, LeafHash
from ledger.proving import prove_consistency
from ledger.reading import LogReader
from ledger.rows import LogRows, damaged, first_reread
from ledger.tables import checkpoints, heads
from ledger.tiles import TileNodes, check_entry
from ledger.tree import Frontier
from signing import LedgerError, MalformedError, NoteKey, Signer, UnavailableError, VerificationError


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append gave, entry by entry in the order handed in: its index, and whether it was in the log already.

    ``checkpoint_note`` is the signed ``checkpoint`` that covers them all.
    """

    indices: tuple[int, ...]
    duplicates: tuple[bool, ...]
    checkpoint: Checkpoint
    checkpoint_note: bytes = field(repr=False)


class SqlLog(LogReader):
    """The log of one origin on one connection of ``open_engine``. It never commits; if it raises, it wrote nothing.

    A lost connection or a lock that could not be had within the time limit is SQLAlchemy's OperationalError: roll
    back and run the whole unit again. Repeating an append is harmless, also after a commit of unknown outcome.
    """

    def create(self, first_entry: bytes, *, signer: Signer, known_head: Checkpoint | None) -> Appended:
        """Begin the log with its entry 0; the same again returns what is there.

        Raises VerificationError ``log.exists`` if the log began otherwise, and as ``append`` does.
        """
        check_entry(first_entry)
        NoteKey.ed25519(self.origin, signer.public_key.raw)
        with self._connection.begin_nested():
            dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
            row = {"origin": self.origin, "size": 0, "frontier": b""}
            self._connection.execute(dialect.insert(heads).values(row).on_conflict_do_nothing())
            if self._lock().size > 0 and self.entry(0) != first_entry:
                raise VerificationError("log.exists", "the log exists already and began with another entry")
            return self.append([first_entry], signer=signer, known_head=known_head)

    def append(self, batch: Sequence[bytes], *, signer: Signer, known_head: Checkpoint | None) -> Appended:
        """Put the entries that are not yet in the log at its end, in order, and sign the new tree.

        ``known_head`` is the largest head of this log that is known from the chain, or None if there is none yet.
        If nothing is new, nothing is signed and the latest checkpoint is returned.

        Raises MalformedError ``form.entry-size``; UnavailableError ``log.unknown``, ``log.signer``; VerificationError
        ``log.behind-chain`` (the chain knows a larger tree: a restored backup, or a second writer), ``log.fork`` (it
        knows another one), ``log.damaged`` (stored bytes contradict each other), and those of ``open_checkpoint`` if
        the last checkpoint was not signed by ``signer``.
        """
        for entry in batch:
            check_entry(entry)
        with self._connection.begin_nested():
            frontier = self._lock()
            key = NoteKey.ed25519(self.origin, signer.public_key.raw)
            last = self._last_signed(frontier, key)
            if known_head is not None and known_head.size > last.size:
                raise VerificationError(
                    "log.behind-chain", f"the chain holds size {known_head.size}, this log only {last.size}; not signed"
                )
            placement = LogRows(self._connection, self.origin).place(batch, last.size)
            grown = self._write(frontier, placement.fresh) if placement.fresh else frontier
            head = Checkpoint(self.origin, grown.size, grown.root())
            self._prove_growth(last, known_head, head)
            note = self._sign(frontier.size, grown, head, signer, key) if placement.fresh else self.checkpoint()
        return Appended(placement.indices, placement.duplicates, head, note)

    def _lock(self) -> Frontier:
        query = select(heads.c.size, heads.c.frontier).where(heads.c.origin == self.origin).with_for_update()
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise UnavailableError("log.unknown", "this database holds no log of that origin")
        try:
            return Frontier.from_bytes(row.size, row.frontier)
        except MalformedError:
            raise damaged("log_heads: the frontier is not of the form") from None

    def _last_signed(self, frontier: Frontier, key: NoteKey) -> Checkpoint:
        stored = Checkpoint(self.origin, frontier.size, frontier.root())
        if frontier.size == 0:
            return stored
        try:
            signed = open_checkpoint(self.checkpoint(), key)
        except (MalformedError, UnavailableError):
            raise damaged("log_checkpoints: the checkpoint of the log's size is missing or not readable") from None
        if signed != stored:
            raise damaged("log_heads: the frontier is not that of the last signed checkpoint")
        return stored

    def _write(self, frontier: Frontier, fresh: Sequence[tuple[bytes, LeafHash]]) -> Frontier:
        rows = LogRows(self._connection, self.origin)
        old_size, new_size = frontier.size, frontier.size + len(fresh)
        if new_size > MAX_SIZE:
            raise UnavailableError("log.full", "the log is full")
        rows.insert_entries(old_size, fresh)
        leaves = rows.reread_leaves(old_size, new_size)
        growth = frontier.extend(leaves[old_size - first_reread(old_size, new_size) :])
        if growth.frontier.size != new_size:
            raise damaged("log_entries: not as many rows read back as were written")
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

    def _sign(self, old_size: int, grown: Frontier, head: Checkpoint, signer: Signer, key: NoteKey) -> bytes:
        try:
            note = sign_checkpoint(head, signer)
            open_checkpoint(note, key)  # a faulty device must not freeze the log with a note that no one can open
        except LedgerError:
            raise UnavailableError("log.signer", "the log's key gave no valid signature") from None
        self._connection.execute(insert(checkpoints).values(origin=self.origin, size=head.size, note=note))
        moved = self._connection.execute(
            update(heads)
            .where(heads.c.origin == self.origin, heads.c.size == old_size)
            .values(size=grown.size, frontier=grown.to_bytes())
        )
        if moved.rowcount != 1:
            raise damaged("log_heads: the head moved while it was locked")
        return note
