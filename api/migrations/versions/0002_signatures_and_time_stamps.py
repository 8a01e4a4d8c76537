"""Further signatures over statements, and time stamps.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    op.create_table(
        "statement_signature",
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("jti", "number", name=op.f("pk_statement_signature")),
    )
    op.create_table(
        "timestamp",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("over", sa.Text(), nullable=False),
        sa.Column("gen_time", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("over IN ('statement', 'checkpoint')", name=op.f("ck_timestamp_over")),
        sa.PrimaryKeyConstraint("digest", "service", name=op.f("pk_timestamp")),
    )
