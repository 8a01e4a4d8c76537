"""Everything that was ever signed for a chain, by account and nonce. Bound to one connection: the caller commits."""

from typing import Final

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from anchors.ports import SignedTransaction
from anchors.tables import transactions
from signing import UnavailableError

WINDOW: Final = 8
"""So many transactions of one account may be on their way at once."""


class SqlTransactions:
    """The transactions of one account on one chain. Nothing is ever removed: any of them may be mined one day."""

    def __init__(self, connection: Connection, chain_id: int, anchorer: bytes) -> None:
        self._connection = connection
        self._chain_id = chain_id
        self._anchorer = anchorer
        self._of_account = (transactions.c.chain_id == chain_id) & (transactions.c.anchorer == anchorer)

    def next_nonce(self, chain_nonce: int) -> int:
        """The nonce for a new transaction: never one that stored bytes already use."""
        highest = self._connection.scalar(select(func.max(transactions.c.nonce)).where(self._of_account))
        return chain_nonce if highest is None else max(chain_nonce, highest + 1)

    def put(self, transaction: SignedTransaction, *, gas_price: int) -> None:
        """Store a transaction; UnavailableError (``outbox.busy``) if its nonce was given out at this price before."""
        values = {
            "chain_id": self._chain_id,
            "tx_hash": transaction.tx_hash,
            "anchorer": transaction.sender,
            "nonce": transaction.nonce,
            "gas_price": gas_price,
            "raw": transaction.raw,
        }
        try:
            self._connection.execute(insert(transactions).values(**values))
        except IntegrityError:
            raise UnavailableError("outbox.busy", "another worker used the nonce at the same time; run again") from None

    def versions(self, nonce: int) -> list[SignedTransaction]:
        """All that was signed for one nonce, the one that pays most first."""
        query = select(transactions).where(self._of_account, transactions.c.nonce == nonce)
        rows = self._connection.execute(query.order_by(transactions.c.gas_price.desc())).all()
        return [_transaction(row) for row in rows]

    def all(self) -> list[SignedTransaction]:
        """Everything, by nonce."""
        query = select(transactions).where(self._of_account).order_by(transactions.c.nonce, transactions.c.gas_price)
        return [_transaction(row) for row in self._connection.execute(query)]

    def before(self, nonce: int) -> list[SignedTransaction]:
        """The last transactions with lower nonces, ascending: what may be missing before this one."""
        query = (
            select(transactions)
            .where(self._of_account, transactions.c.nonce < nonce)
            .order_by(transactions.c.nonce.desc(), transactions.c.gas_price.desc())
            .limit(WINDOW)
        )
        return [_transaction(row) for row in reversed(self._connection.execute(query).all())]


def accounts(connection: Connection, chain_id: int) -> list[bytes]:
    """All accounts that signed for a chain."""
    query = select(transactions.c.anchorer).where(transactions.c.chain_id == chain_id).distinct()
    return sorted(bytes(account) for account in connection.scalars(query))


def _transaction(row: Row[tuple[object, ...]]) -> SignedTransaction:
    return SignedTransaction(row.raw, row.tx_hash, row.anchorer, row.nonce)
