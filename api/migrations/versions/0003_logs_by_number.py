"""Many entries in one row, an index of leaf hashes, and the terms of each log.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from ledger.hashing import LeafHash
from ledger.segments import cut_segments
from ledger.terms import LogTerms
from signing import VerificationError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PAGE = 256
_ENTRY_LIMIT = 65_535


def upgrade() -> None:
    """Entries, tiles and checkpoints stay what they are; only where entries lie changes."""
    op.rename_table("log_heads", "log_heads_0002")
    op.rename_table("log_entries", "log_entries_0002")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("log_heads", "log_entries"):
            op.execute(f"ALTER INDEX {table}_pkey RENAME TO {table}_0002_pkey")
    _create()
    stray = "SELECT 1 FROM log_entries_0002 WHERE origin NOT IN (SELECT origin FROM log_heads_0002) LIMIT 1"
    if op.get_bind().execute(sa.text(stray)).first() is not None:
        raise VerificationError("log.damaged", "log_entries holds rows of no log: run fsck of the version before first")
    for number, (origin,) in enumerate(
        op.get_bind().execute(sa.text("SELECT origin FROM log_heads_0002 ORDER BY origin")).all(), 1
    ):
        _move_head(origin, number)
        _move_entries(origin, number)
    op.drop_table("log_entries_0002")
    op.drop_table("log_heads_0002")


def _create() -> None:
    op.create_table(
        "log_heads",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False, comment="stands for the origin where rows are many"),
        sa.Column(
            "size", sa.BigInteger(), nullable=False, comment="entries in the log, all of them under a signed checkpoint"
        ),
        sa.Column(
            "frontier", sa.LargeBinary(), nullable=False, comment="peaks of the tree, 32 bytes each, left to right"
        ),
        sa.Column(
            "vkey",
            sa.Text(),
            nullable=True,
            comment="the log's key; null until the next append of a log of schema 0002",
        ),
        sa.Column("entry_limit", sa.Integer(), nullable=False, comment="largest entry that is taken, in bytes"),
        sa.Column("frozen", sa.Boolean(), nullable=False, comment="takes no more entries, for ever"),
        sa.Column(
            "terms_digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="of origin, log, vkey, entry_limit and frozen",
        ),
        sa.PrimaryKeyConstraint("origin"),
        sa.UniqueConstraint("log", name="log_heads_log"),
        comment="one row for each log, locked by each append",
    )
    op.create_table(
        "log_entries",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "entry_index",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="of the first entry in the row",
        ),
        sa.Column("leaf_hashes", sa.LargeBinary(), nullable=False, comment="32 bytes for each entry in the row"),
        sa.Column(
            "entries",
            sa.LargeBinary(),
            nullable=False,
            comment="uint16 length and bytes of each entry, as in a bundle",
        ),
        sa.PrimaryKeyConstraint("log", "entry_index"),
        comment="runs of consecutive entries of one tile, as appends brought them; with the hashes of level 0",
    )
    op.create_table(
        "log_leaves",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", "leaf_hash"),
        comment="where each entry is by its leaf hash, which makes an entry unique in its log",
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE log_entries ALTER COLUMN entries SET STORAGE EXTERNAL")


def _move_head(origin: str, number: int) -> None:
    terms = LogTerms(origin, number, None, _ENTRY_LIMIT, frozen=False)
    statement = sa.text(
        "INSERT INTO log_heads (origin, log, size, frontier, vkey, entry_limit, frozen, terms_digest)"
        " SELECT origin, :number, size, frontier, NULL, :entry_limit, :frozen, :digest"
        " FROM log_heads_0002 WHERE origin = :origin"
    )
    values = {"number": number, "entry_limit": _ENTRY_LIMIT, "frozen": False, "digest": terms.digest()}
    op.get_bind().execute(statement, {"origin": origin, **values})


def _move_entries(origin: str, number: int) -> None:
    """Page by page, so that memory does not grow with the log; leaf hashes as stored: fsck compares, not we."""
    page = sa.text(
        "SELECT entry_index, entry, leaf_hash FROM log_entries_0002"
        " WHERE origin = :origin AND entry_index >= :first ORDER BY entry_index LIMIT :page"
    )
    connection, first = op.get_bind(), -(2**63)
    while rows := connection.execute(page, {"origin": origin, "first": first, "page": _PAGE}).all():
        run = [row for at, row in enumerate(rows) if row.entry_index == rows[0].entry_index + at]
        entries = [(bytes(row.entry), LeafHash(bytes(row.leaf_hash))) for row in run]
        for segment in cut_segments(run[0].entry_index, entries):
            connection.execute(
                sa.text("INSERT INTO log_entries VALUES (:log, :start, :hashes, :entries)"),
                {"log": number, "start": segment.start, "hashes": segment.leaf_hashes, "entries": segment.entries},
            )
        connection.execute(
            sa.text("INSERT INTO log_leaves VALUES (:log, :leaf, :index)"),
            [
                {"log": number, "leaf": leaf, "index": row.entry_index}
                for row, (_, leaf) in zip(run, entries, strict=True)
            ],
        )
        first = run[-1].entry_index + 1
