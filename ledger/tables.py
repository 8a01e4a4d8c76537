"""The tables of the log. Rows are written once; only ``log_heads`` changes, with every append.

One database holds any number of logs; each is known by its origin.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, SmallInteger, String, Table, UniqueConstraint

metadata: Final = MetaData()

heads: Final = Table(
    "log_heads",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False, comment="entries in the log, all of them under a signed checkpoint"),
    Column("frontier", LargeBinary, nullable=False, comment="peaks of the tree, 32 bytes each, left to right"),
    comment="one row for each log, locked by each append",
)

entries: Final = Table(
    "log_entries",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary(32), nullable=False, comment="also what makes an entry unique in its log"),
    UniqueConstraint("origin", "leaf_hash", name="log_entries_leaf_hash"),
    comment="the entries and, in order, the hashes of level 0",
)

tiles: Final = Table(
    "log_tiles",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("tile_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False, comment="256 hashes"),
    Column("root", LargeBinary(32), nullable=False, comment="hash over the tile: one hash of the level above"),
    comment="full tiles; partial ones are cut from log_entries and from the roots of the level below",
)

checkpoints: Final = Table(
    "log_checkpoints",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False, comment="the signed note, exact bytes"),
    comment="every checkpoint that was ever signed",
)
