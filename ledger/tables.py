"""The tables of the log. Rows are written once; only ``log_heads`` changes, with every append.

One database holds any number of logs; each is known by its origin, and to the rows of its entries by a small number.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

metadata: Final = MetaData()

heads: Final = Table(
    "log_heads",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("log", Integer, nullable=False, comment="stands for the origin where rows are many"),
    Column("size", BigInteger, nullable=False, comment="entries in the log, all of them under a signed checkpoint"),
    Column("frontier", LargeBinary, nullable=False, comment="peaks of the tree, 32 bytes each, left to right"),
    Column("vkey", Text, nullable=True, comment="the log's key; null until the next append of a log of schema 0002"),
    Column("entry_limit", Integer, nullable=False, comment="largest entry that is taken, in bytes"),
    Column("frozen", Boolean, nullable=False, comment="takes no more entries, for ever"),
    Column("terms_digest", LargeBinary(32), nullable=False, comment="of origin, log, vkey, entry_limit and frozen"),
    UniqueConstraint("log", name="log_heads_log"),
    comment="one row for each log, locked by each append",
)

entries: Final = Table(
    "log_entries",
    metadata,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("entry_index", BigInteger, primary_key=True, autoincrement=False, comment="of the first entry in the row"),
    Column("leaf_hashes", LargeBinary, nullable=False, comment="32 bytes for each entry in the row"),
    Column("entries", LargeBinary, nullable=False, comment="uint16 length and bytes of each entry, as in a bundle"),
    comment="runs of consecutive entries of one tile, as appends brought them; with the hashes of level 0",
)

leaves: Final = Table(
    "log_leaves",
    metadata,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary(32), primary_key=True),
    Column("entry_index", BigInteger, nullable=False),
    comment="where each entry is by its leaf hash, which makes an entry unique in its log",
    sqlite_with_rowid=False,
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

cosignatures: Final = Table(
    "log_cosignatures",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("vkey", Text, primary_key=True, comment="the witness's key"),
    Column("time", BigInteger, nullable=False, comment="as the witness says, Unix seconds"),
    Column("line", LargeBinary, nullable=False, comment="the signature line with its newline"),
    comment="what witnesses signed of the log's checkpoints; each verified before it was stored",
)


@event.listens_for(entries, "after_create")
def _store_plain(_: Table, connection: Connection, **__: object) -> None:
    """PostgreSQL would try to compress each row, which costs more than all the rest of an append."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE log_entries ALTER COLUMN entries SET STORAGE EXTERNAL")
