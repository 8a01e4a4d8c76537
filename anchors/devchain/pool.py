"""Transactions that wait for a block, in memory: as on a real node, a restart forgets them."""

from anchors.devchain.transactions import SignedTransaction


class Pool:
    """At most one waiting transaction per (sender, nonce)."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[bytes, int], SignedTransaction] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, transaction: SignedTransaction) -> None:
        """Take a transaction whose place is free (see ``at``)."""
        self._waiting[transaction.sender, transaction.nonce] = transaction

    def at(self, sender: bytes, nonce: int) -> SignedTransaction | None:
        """Return what waits for this nonce of a sender."""
        return self._waiting.get((sender, nonce))

    def find(self, transaction_hash: bytes) -> SignedTransaction | None:
        """Return a waiting transaction by hash."""
        return next((one for one in self._waiting.values() if one.hash == transaction_hash), None)

    def ready(self, next_nonces: dict[bytes, int], gas_limit: int) -> list[SignedTransaction]:
        """Return, in order of arrival per sender, what can be mined now within ``gas_limit``.

        ``next_nonces`` is the account nonce of every sender that waits; a gap in the nonces holds back what follows.
        """
        chosen: list[SignedTransaction] = []
        gas_left = gas_limit
        for sender, nonce in next_nonces.items():
            while (transaction := self.at(sender, nonce)) is not None and transaction.gas <= gas_left:
                chosen.append(transaction)
                gas_left -= transaction.gas
                nonce += 1
        return chosen

    def senders(self) -> list[bytes]:
        """Return everyone who has a transaction waiting, first come first."""
        return list(dict.fromkeys(sender for sender, _ in self._waiting))

    def forget(self, transactions: list[SignedTransaction]) -> None:
        """Remove what has been mined."""
        for transaction in transactions:
            self._waiting.pop((transaction.sender, transaction.nonce), None)

    def clear(self) -> int:
        """Drop everything; return how many were dropped."""
        count = len(self._waiting)
        self._waiting.clear()
        return count
