"""What the chain keeps of a block, and the three commitments of its header: two trie roots and the bloom filter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from anchors.devchain.machine import Log, Outcome
from anchors.devchain.sealing import Header
from anchors.devchain.transactions import SignedTransaction

BLOOM_BYTES = 256


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction in its block. ``first_log`` is the block-wide index of its first log."""

    succeeded: bool
    gas_used: int
    cumulative_gas_used: int
    first_log: int
    logs: tuple[Log, ...]

    def bloom(self) -> bytes:
        """Return the 256-byte filter over its logs."""
        return bloom_of(self.logs)

    def encode(self) -> bytes:
        """Return the RLP that the receipts root commits to (status form, EIP-658)."""
        logs = [[log.address, list(log.topics), log.data] for log in self.logs]
        encoded: bytes = rlp.encode([int(self.succeeded), self.cumulative_gas_used, self.bloom(), logs])
        return encoded


@dataclass(frozen=True, slots=True)
class IncludedTransaction:
    """A transaction in its block, with its receipt."""

    transaction: SignedTransaction
    position: int
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block. ``hash`` is the on-chain hash; ``raw`` the header with its seals."""

    hash: bytes
    raw: bytes
    header: Header
    transactions: tuple[IncludedTransaction, ...]


def receipts_of(outcomes: Iterable[Outcome]) -> tuple[Receipt, ...]:
    """Turn the outcomes of one block, in order, into receipts."""
    receipts: list[Receipt] = []
    gas = logs = 0
    for outcome in outcomes:
        gas += outcome.gas_used
        receipts.append(Receipt(outcome.succeeded, outcome.gas_used, gas, logs, outcome.logs))
        logs += len(outcome.logs)
    return tuple(receipts)


def ordered_root(items: Sequence[bytes]) -> bytes:
    """Return the root of the trie that maps RLP(index) to each item."""
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    root: bytes = trie.root_hash
    return root


def bloom_of(logs: Iterable[Log]) -> bytes:
    """Return the 2048-bit filter over addresses and topics (Yellow Paper 4.3.1)."""
    bits = 0
    for log in logs:
        for item in (log.address, *log.topics):
            digest = keccak(item)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % 2048)
    return bits.to_bytes(BLOOM_BYTES, "big")
