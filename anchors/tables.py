"""The tables of anchoring: what is on its way to a chain, what was proved, and the newest head seen."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata: Final = MetaData()


def _scope() -> list[Column[object]]:
    return [
        Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
        Column("contract", LargeBinary(20), primary_key=True),
        Column("origin", String(255), primary_key=True),
    ]


submissions: Final = Table(
    "anchor_submissions",
    metadata,
    *_scope(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False, comment="raised by every change; a change of an older one is refused"),
    Column("in_flight", Boolean, comment="true until it ended, then null: at most one per log and contract"),
    Column("reason", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("next_action_at", BigInteger, nullable=False, comment="unix seconds"),
    Column("calldata", LargeBinary),
    Column("anchorer", LargeBinary(20)),
    Column("nonce", BigInteger),
    Column("tx_hash", LargeBinary(32)),
    Column("raw", LargeBinary, comment="the signed transaction, stored before it is first sent"),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    UniqueConstraint("chain_id", "contract", "origin", "in_flight", name="anchor_submissions_in_flight"),
    UniqueConstraint("chain_id", "anchorer", "nonce", name="anchor_submissions_nonce"),
    comment="the outbox: one row for each checkpoint that was chosen to be anchored",
)

proofs: Final = Table(
    "anchor_proofs",
    metadata,
    *_scope(),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("proof", LargeBinary, nullable=False, comment="anchor-proof/v1, canonical JSON, verified before storing"),
    comment="finished anchor proofs",
)

heads: Final = Table(
    "anchor_heads",
    metadata,
    *_scope(),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    comment="the largest tree the chain was proved to hold",
)
