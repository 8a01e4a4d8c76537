"""The tables of anchoring: what is on its way to a chain, what was signed, who submits, what was proved."""

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
    Text,
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
    Column("planned_at", BigInteger, nullable=False, comment="unix seconds, when it was the newest checkpoint"),
    Column("revision", Integer, nullable=False, comment="raised by every change; a change of an older one is refused"),
    Column("fence", BigInteger, nullable=False, comment="of the lease under which it was changed last"),
    Column("in_flight", Boolean, comment="true until it ended, then null: at most one per log and contract"),
    Column("reason", String(64)),
    Column("attempts", Integer, nullable=False),
    Column("next_action_at", BigInteger, nullable=False, comment="unix seconds"),
    Column("old_size", BigInteger, comment="the chain's head that the call extends"),
    Column("note_hash", LargeBinary(32), comment="SHA-256 of the signed checkpoint"),
    Column("calldata", LargeBinary, comment="with the consistency proof in it"),
    Column("anchorer", LargeBinary(20)),
    Column("nonce", BigInteger),
    Column("tx_hash", LargeBinary(32), comment="of the transaction sent last, or of the one that was mined"),
    Column("gas_limit", BigInteger),
    Column("gas_price", BigInteger),
    Column("sent_at", BigInteger, comment="unix seconds, first sending of that transaction"),
    Column("endpoints", Text, nullable=False, comment="names of the nodes that took it, one on a line"),
    Column("receipt_status", Integer),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    UniqueConstraint("chain_id", "contract", "origin", "in_flight", name="anchor_submissions_in_flight"),
    comment="the outbox: one row for each checkpoint that was chosen to be anchored",
)

transactions: Final = Table(
    "anchor_transactions",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tx_hash", LargeBinary(32), primary_key=True),
    Column("anchorer", LargeBinary(20), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("gas_price", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False, comment="the signed transaction, stored before it is first sent"),
    UniqueConstraint("chain_id", "anchorer", "nonce", "gas_price", name="anchor_transactions_nonce"),
    comment="everything that was ever signed: anchorings, their replacements, and fillers of lost nonces",
)

leases: Final = Table(
    "anchor_leases",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("anchorer", LargeBinary(20), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("expires_at", BigInteger, nullable=False, comment="unix seconds"),
    Column("fence", BigInteger, nullable=False, comment="raised by each new owner; an older one may change nothing"),
    comment="who submits with an account of a chain",
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
    Column("seen_at", BigInteger, nullable=False, comment="unix seconds, when the chain's head was last proved"),
    Column("covered_at", BigInteger, nullable=False, comment="unix seconds, when all of the log was last anchored"),
    comment="the largest tree the chain was proved to hold",
)

recaptures: Final = Table(
    "anchor_recaptures",
    metadata,
    *_scope(),
    Column("under", LargeBinary(32), nullable=False, comment="SHA-256 of profile and validators at the last look"),
    Column("size", BigInteger, nullable=False, comment="proofs up to this size are of these validators, or newer"),
    Column("looked_at", BigInteger, nullable=False, comment="unix seconds"),
    comment="how far the stored proofs were looked through for those of validators who retired",
)

equivocations: Final = Table(
    "anchor_equivocations",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False, comment="the height of both blocks"),
    Column("first", LargeBinary, nullable=False, comment="RLP list: the raw header, then its hand-over headers"),
    Column("second", LargeBinary, nullable=False, comment="as first"),
    Column("first_node", Text, nullable=False, comment="who showed it"),
    Column("second_node", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False, comment="unix seconds"),
    Column("reviewed_at", BigInteger, comment="unix seconds, when a person let anchoring go on; null: it stands still"),
    comment="two sealed blocks at one height: evidence against the validators who signed both",
)
