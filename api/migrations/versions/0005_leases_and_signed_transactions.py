"""Who submits to a chain, everything ever signed for it, more about each submission, and what validators did wrong.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from anchors.strict_rlp import rlp_decode, rlp_list, rlp_uint

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RAW_MAX_BYTES = 128 * 1024
_PRICE, _LIMIT = 1, 2


def upgrade() -> None:
    """Signed bytes move to a table of their own; what older rows did not say stays empty."""
    _create()
    with op.batch_alter_table("anchor_submissions") as table:
        table.add_column(_number("planned_at", "unix seconds, when it was the newest checkpoint"))
        table.add_column(_number("fence", "of the lease under which it was changed last"))
        table.add_column(sa.Column("endpoints", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("old_size", sa.BigInteger(), comment="the chain's head that the call extends"))
        table.add_column(sa.Column("note_hash", sa.LargeBinary(32), comment="SHA-256 of the signed checkpoint"))
        table.add_column(sa.Column("gas_limit", sa.BigInteger()))
        table.add_column(sa.Column("gas_price", sa.BigInteger()))
        table.add_column(
            sa.Column("sent_at", sa.BigInteger(), comment="unix seconds, first sending of that transaction")
        )
        table.add_column(sa.Column("receipt_status", sa.Integer()))
    with op.batch_alter_table("anchor_heads") as table:
        table.add_column(_number("seen_at", "unix seconds, when the chain's head was last proved"))
        table.add_column(_number("covered_at", "unix seconds, when all of the log was last anchored"))
    _move_transactions()
    with op.batch_alter_table("anchor_submissions") as table:
        for name in ("planned_at", "fence", "endpoints"):
            table.alter_column(name, server_default=None)
        table.alter_column(
            "endpoints", existing_type=sa.Text(), comment="names of the nodes that took it, one on a line"
        )
        table.alter_column(
            "tx_hash",
            existing_type=sa.LargeBinary(32),
            comment="of the transaction sent last, or of the one that was mined",
        )
        table.alter_column("calldata", existing_type=sa.LargeBinary(), comment="with the consistency proof in it")
        table.drop_constraint("anchor_submissions_nonce", type_="unique")
        table.drop_column("raw")
    with op.batch_alter_table("anchor_heads") as table:
        for name in ("seen_at", "covered_at"):
            table.alter_column(name, server_default=None)


def _number(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0", comment=comment)


def _create() -> None:
    op.create_table(
        "anchor_transactions",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("anchorer", sa.LargeBinary(length=20), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("gas_price", sa.BigInteger(), nullable=False),
        sa.Column(
            "raw", sa.LargeBinary(), nullable=False, comment="the signed transaction, stored before it is first sent"
        ),
        sa.PrimaryKeyConstraint("chain_id", "tx_hash"),
        sa.UniqueConstraint("chain_id", "anchorer", "nonce", "gas_price", name="anchor_transactions_nonce"),
        comment="everything that was ever signed: anchorings, their replacements, and fillers of lost nonces",
    )
    op.create_table(
        "anchor_leases",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("anchorer", sa.LargeBinary(length=20), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False, comment="unix seconds"),
        sa.Column(
            "fence",
            sa.BigInteger(),
            nullable=False,
            comment="raised by each new owner; an older one may change nothing",
        ),
        sa.PrimaryKeyConstraint("chain_id", "anchorer"),
        comment="who submits with an account of a chain",
    )
    op.create_table(
        "anchor_recaptures",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contract", sa.LargeBinary(length=20), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column(
            "under",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="SHA-256 of profile and validators at the last look",
        ),
        sa.Column(
            "size",
            sa.BigInteger(),
            nullable=False,
            comment="proofs up to this size are of these validators, or newer",
        ),
        sa.Column("looked_at", sa.BigInteger(), nullable=False, comment="unix seconds"),
        sa.PrimaryKeyConstraint("chain_id", "contract", "origin"),
        comment="how far the stored proofs were looked through for those of validators who retired",
    )
    _create_equivocations()


def _create_equivocations() -> None:
    op.create_table(
        "anchor_equivocations",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False, comment="the height of both blocks"),
        sa.Column(
            "first",
            sa.LargeBinary(),
            nullable=False,
            comment="RLP list: the raw header, then its hand-over headers",
        ),
        sa.Column("second", sa.LargeBinary(), nullable=False, comment="as first"),
        sa.Column("first_node", sa.Text(), nullable=False, comment="who showed it"),
        sa.Column("second_node", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False, comment="unix seconds"),
        sa.Column(
            "reviewed_at",
            sa.BigInteger(),
            comment="unix seconds, when a person let anchoring go on; null: it stands still",
        ),
        sa.PrimaryKeyConstraint("chain_id", "number"),
        comment="two sealed blocks at one height: evidence against the validators who signed both",
    )


def _move_transactions() -> None:
    """Gas limit and price stand in the signed bytes."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT chain_id, contract, origin, size, anchorer, nonce, tx_hash, raw FROM anchor_submissions"
            " WHERE raw IS NOT NULL"
        )
    ).all()
    for row in rows:
        fields = rlp_list(rlp_decode(bytes(row.raw), what="transaction", max_bytes=_RAW_MAX_BYTES), what="transaction")
        price, limit = (rlp_uint(fields[at], what="transaction") for at in (_PRICE, _LIMIT))
        values = {**row._mapping, "price": price, "limit": limit}
        connection.execute(
            sa.text(
                "INSERT INTO anchor_transactions (chain_id, tx_hash, anchorer, nonce, gas_price, raw)"
                " VALUES (:chain_id, :tx_hash, :anchorer, :nonce, :price, :raw)"
            ),
            values,
        )
        connection.execute(
            sa.text(
                "UPDATE anchor_submissions SET gas_price = :price, gas_limit = :limit"
                " WHERE chain_id = :chain_id AND contract = :contract AND origin = :origin AND size = :size"
            ),
            values,
        )
