"""The tables of the witness: for each log the checkpoint it cosigned last, and what looked like a lie."""

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

metadata: Final = MetaData()

heads: Final = Table(
    "witness_heads",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("origin_hash", String(64), nullable=False, unique=True, comment="hex SHA-256 of the origin"),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("time", BigInteger, nullable=False, comment="of the last cosignature; 0 if there is none yet"),
    Column("note", LargeBinary, nullable=False, comment="the checkpoint cosigned last, with the log's own lines"),
    Column("cosignatures", LargeBinary, nullable=False, comment="our lines of it"),
    comment="one row for each log, locked by each request",
)

evidence: Final = Table(
    "witness_evidence",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("code", String(40), primary_key=True, comment="what was wrong"),
    Column("size", BigInteger, primary_key=True, autoincrement=False, comment="as claimed"),
    Column("root", LargeBinary(32), primary_key=True, comment="as claimed"),
    Column("time", BigInteger, nullable=False, comment="when it came first"),
    Column("request", LargeBinary, nullable=False, comment="the whole request"),
    Column("held", LargeBinary, nullable=False, comment="our note of the log at that time; empty if there was none"),
    comment="requests signed by the log that did not extend what it had signed; the first for each head",
)
