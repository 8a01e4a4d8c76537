"""The table of child ledgers: which of their checkpoints are entries of a log here."""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, UniqueConstraint

metadata: Final = MetaData()

children: Final = Table(
    "log_children",
    metadata,
    Column("origin", String(255), primary_key=True, comment="of the parent's log"),
    Column("child", String(255), primary_key=True, comment="origin of the child's log"),
    Column("size", BigInteger, primary_key=True, autoincrement=False, comment="of the child's checkpoint"),
    Column("old_size", BigInteger, nullable=False, comment="of the one before; 0 for the first"),
    Column("root", LargeBinary(32), nullable=False),
    Column("entry_index", BigInteger, nullable=False, comment="where it is in the parent's log"),
    UniqueConstraint("origin", "child", "old_size", name="log_children_old_size"),
    comment="checkpoints of child ledgers that are entries of a log here; each extends the one before",
)
