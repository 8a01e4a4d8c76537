"""The memory of the witness, and what witnesses sign of our own log.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three new tables; what is there stays as it is."""
    op.create_table(
        "log_cosignatures",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False, comment="the witness's key"),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="as the witness says, Unix seconds"),
        sa.Column("line", sa.LargeBinary(), nullable=False, comment="the signature line with its newline"),
        sa.PrimaryKeyConstraint("origin", "size", "vkey"),
        comment="what witnesses signed of the log's checkpoints; each verified before it was stored",
    )
    op.create_table(
        "witness_heads",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("origin_hash", sa.String(length=64), nullable=False, comment="hex SHA-256 of the origin"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="of the last cosignature; 0 if there is none yet"),
        sa.Column(
            "note", sa.LargeBinary(), nullable=False, comment="the checkpoint cosigned last, with the log's own lines"
        ),
        sa.Column("cosignatures", sa.LargeBinary(), nullable=False, comment="our lines of it"),
        sa.PrimaryKeyConstraint("origin"),
        sa.UniqueConstraint("origin_hash"),
        comment="one row for each log, locked by each request",
    )
    op.create_table(
        "witness_evidence",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False, comment="what was wrong"),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False, comment="as claimed"),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False, comment="as claimed"),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="when it came first"),
        sa.Column("request", sa.LargeBinary(), nullable=False, comment="the whole request"),
        sa.Column(
            "held",
            sa.LargeBinary(),
            nullable=False,
            comment="our note of the log at that time; empty if there was none",
        ),
        sa.PrimaryKeyConstraint("origin", "code", "size", "root"),
        comment="requests signed by the log that did not extend what it had signed; the first for each head",
    )
