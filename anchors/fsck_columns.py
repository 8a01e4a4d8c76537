"""Check the columns of anchoring's tables that repeat what signed bytes say, and that each row belongs to something.

Counters, names of nodes and the times at which this home did something are signed by nobody: nothing can vouch for
them, and nothing but the pace of the next step depends on them.
"""

from collections.abc import Collection, Iterator
from typing import Final

from sqlalchemy import Connection, select, type_coerce
from sqlalchemy.types import NullType

from anchors.outbox import AnchorScope, State, Submission
from anchors.ports import SignedTransaction
from anchors.strict_rlp import rlp_uint
from anchors.tables import equivocations, heads, leases, proofs, recaptures, submissions, transactions
from anchors.transaction import check_signed
from signing import LedgerError, VerificationError

_SELECTOR: Final = 4
_WORD: Final = 32
_GAS_PRICE, _GAS_LIMIT = 1, 2
_SCOPED: Final = (submissions, proofs, heads, recaptures)
_OF_CHAIN: Final = (transactions, leases, equivocations)
_MINED: Final = frozenset({State.INCLUDED, State.FINAL, State.PROVEN})


def check_columns(row: Submission) -> None:
    """Hold the columns of a submission against its call and its transaction, which were verified before.

    Raises VerificationError (``fsck.outbox``), MalformedError for bytes that are no transaction.
    """
    if row.calldata is not None:
        words = [row.calldata[at : at + _WORD] for at in range(_SELECTOR, len(row.calldata), _WORD)]
        _, old_size, size, root, note_hash = words[:5]
        said = (int.from_bytes(old_size), int.from_bytes(size), root, note_hash)
        if said != (row.old_size, row.size, row.root, row.note_hash):
            raise VerificationError("fsck.outbox", "a column differs from the call")
    if row.raw is not None:
        fields = check_signed(row.transaction)
        paid = (rlp_uint(fields[_GAS_LIMIT], what="gas limit"), rlp_uint(fields[_GAS_PRICE], what="gas price"))
        if paid != (row.gas_limit, row.gas_price):
            raise VerificationError("fsck.outbox", "a column differs from the signed transaction")
    if row.receipt_status not in (None, 0, 1) or (row.state in _MINED and row.receipt_status == 0):
        raise VerificationError("fsck.outbox", "the status of the receipt is not that of a call that was carried out")


def mispriced(connection: Connection, chain_id: int) -> Iterator[int]:
    """Nonces of transactions whose price is another in the row than in the signed bytes."""
    for row in connection.execute(select(transactions).where(transactions.c.chain_id == chain_id)):
        try:
            fields = check_signed(SignedTransaction(row.raw, row.tx_hash, row.anchorer, row.nonce))
            price: object = rlp_uint(fields[_GAS_PRICE], what="gas price")
        except (LedgerError, TypeError):
            continue  # named as damaged already
        if price != row.gas_price:
            yield row.nonce


def marked_ended(connection: Connection) -> Iterator[int]:
    """Sizes of submissions whose mark ``in_flight`` is neither true nor null, whatever it is read as."""
    mark = type_coerce(submissions.c.in_flight, NullType())
    for size, value in connection.execute(select(submissions.c.size, mark).where(submissions.c.in_flight.is_not(None))):
        if value not in (True, 1):
            yield size


def strays(connection: Connection, scopes: Collection[AnchorScope]) -> Iterator[tuple[str, str]]:
    """Table and key of rows that belong to none of ``scopes``, which are all that this home ever had."""
    known = {(scope.chain_id, scope.contract, scope.origin) for scope in scopes}
    for table in _SCOPED:
        of = table.c
        for chain_id, contract, origin in connection.execute(select(of.chain_id, of.contract, of.origin).distinct()):
            if (chain_id, contract, origin) not in known:
                yield table.name, f"chain_id={chain_id} origin={origin}"
    for table in _OF_CHAIN:
        for chain_id in connection.scalars(select(table.c.chain_id).distinct()):
            if chain_id not in {scope.chain_id for scope in scopes}:
                yield table.name, f"chain_id={chain_id}"
