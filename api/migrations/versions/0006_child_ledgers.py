"""Child ledgers: which of their checkpoints are entries of a log here; and what our parent says of ours.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two new tables; what is there stays as it is."""
    op.create_table(
        "log_children",
        sa.Column("origin", sa.String(length=255), nullable=False, comment="of the parent's log"),
        sa.Column("child", sa.String(length=255), nullable=False, comment="origin of the child's log"),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False, comment="of the child's checkpoint"),
        sa.Column("old_size", sa.BigInteger(), nullable=False, comment="of the one before; 0 for the first"),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("entry_index", sa.BigInteger(), nullable=False, comment="where it is in the parent's log"),
        sa.PrimaryKeyConstraint("origin", "child", "size"),
        sa.UniqueConstraint("origin", "child", "old_size", name="log_children_old_size"),
        comment="checkpoints of child ledgers that are entries of a log here; each extends the one before",
    )
    op.create_table(
        "parent_evidence",
        sa.Column(
            "size",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="of the checkpoint in the parent's log",
        ),
        sa.Column("anchored", sa.Boolean(), nullable=False, comment="whether anchors came with it"),
        sa.Column(
            "evidence", sa.LargeBinary(), nullable=False, comment="ematerials/parent-evidence/v1, as it was checked"
        ),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_parent_evidence")),
        comment="that checkpoints of this home's log are entries of its parent's",
    )
