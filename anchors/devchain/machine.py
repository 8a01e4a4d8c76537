"""The port through which the development chain executes transactions, and the values that cross it."""

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Nodes = MutableMapping[bytes, bytes]
"""Trie nodes and contract code by their keccak-256. A missing key raises KeyError."""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What code can see of the block it runs in. ``ancestors``: block hashes, parent first (at most 256 are read)."""

    chain_id: int
    number: int
    timestamp: int
    coinbase: bytes
    gas_limit: int
    ancestors: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One transaction to execute. ``to`` None creates a contract; ``nonce`` None takes the sender's."""

    sender: bytes
    to: bytes | None
    value: int
    data: bytes
    gas: int
    gas_price: int
    nonce: int | None = None

    def intrinsic_gas(self) -> int:
        """Return the gas that is due before any code runs (Istanbul prices)."""
        zeros = self.data.count(0)
        return 21_000 + (32_000 if self.to is None else 0) + 4 * zeros + 16 * (len(self.data) - zeros)


@dataclass(frozen=True, slots=True)
class Log:
    """One event as the machine emitted it; topics are 32 bytes."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one transaction.

    ``output`` is the return data, the revert data if ``reverted``, empty if it halted (out of gas, invalid code).
    ``gas_used`` counts the refund already; ``gas_before_refund`` is what had to be available.
    """

    succeeded: bool
    reverted: bool
    gas_used: int
    gas_before_refund: int
    output: bytes
    logs: tuple[Log, ...]


class Machine(Protocol):
    """Executes EVM code over a state trie. It keeps nothing between calls."""

    def execute(
        self, nodes: Nodes, state_root: bytes, context: BlockContext, messages: Sequence[Message]
    ) -> tuple[bytes, tuple[Outcome, ...]]:
        """Run the transactions of one block in order; write new nodes to ``nodes``; return the new state root.

        The caller has checked signatures, nonces, balances and gas limits. A failed transaction is an Outcome.
        """

    def call(self, nodes: Nodes, state_root: bytes, context: BlockContext, message: Message) -> Outcome:
        """Run one message and forget its effects. The sender needs no funds for gas."""
