"""Making blocks: execute, commit to the results in a header, have it sealed. The caller owns the transaction."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from anchors.devchain import records
from anchors.devchain.blocks import (
    BLOOM_BYTES,
    Block,
    IncludedTransaction,
    Receipt,
    bloom_of,
    ordered_root,
    receipts_of,
)
from anchors.devchain.database import NodeTable
from anchors.devchain.machine import BlockContext, Machine
from anchors.devchain.sealing import Header, Vote, encode_extra, quorum, seal
from anchors.devchain.state import EMPTY_ROOT
from anchors.devchain.transactions import SignedTransaction
from signing.errors import UnavailableError

GAS_LIMIT: Final = 30_000_000
NO_QUORUM: Final = "devchain.no-quorum"


@dataclass(frozen=True, slots=True)
class Sealers:
    """Who may seal (address to secret), and who of them is stopped."""

    keys: Mapping[bytes, bytes]
    stopped: Collection[bytes]

    def running(self) -> dict[bytes, bytes]:
        """Return the keys at work. Raises UnavailableError (``devchain.no-quorum``) if they are too few."""
        running = {address: secret for address, secret in self.keys.items() if address not in self.stopped}
        if len(running) < quorum(len(self.keys)):
            raise UnavailableError(
                NO_QUORUM, f"{len(running)} of {len(self.keys)} validators run: too few to seal a block"
            )
        return running


@dataclass(frozen=True, slots=True)
class Terms:
    """The outer terms of a new block; its time is at least the parent's plus one second."""

    chain_id: int
    timestamp: int
    round_number: int = 0
    vote: Vote | None = None


def genesis_block(validators: Sequence[bytes]) -> Block:
    """Return block 0: no accounts, no seals, time 0 (so that block 1 can have any clock's time)."""
    header = Header(
        parent_hash=bytes(32),
        coinbase=bytes(20),
        state_root=EMPTY_ROOT,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        bloom=bytes(BLOOM_BYTES),
        number=0,
        gas_limit=GAS_LIMIT,
        gas_used=0,
        timestamp=0,
        extra=encode_extra(sorted(validators)),
    )
    raw = header.encode()
    return Block(keccak(raw), raw, header, ())


def mine_block(
    connection: sqlite3.Connection,
    machine: Machine,
    sealers: Sealers,
    transactions: Sequence[SignedTransaction],
    terms: Terms,
) -> Block:
    """Execute ``transactions`` on the head, seal and write the block; return it.

    Raises UnavailableError (``devchain.no-quorum``).
    """
    running = sealers.running()
    parent = _head(connection)
    number = parent.header.number + 1
    proposers = sorted(running)
    context = BlockContext(
        chain_id=terms.chain_id,
        number=number,
        timestamp=max(terms.timestamp, parent.header.timestamp + 1),
        coinbase=proposers[(number + terms.round_number) % len(proposers)],
        gas_limit=GAS_LIMIT,
        ancestors=records.ancestor_hashes(connection, number),
    )
    nodes = NodeTable(connection)
    messages = [transaction.message() for transaction in transactions]
    state_root, outcomes = machine.execute(nodes, parent.header.state_root, context, messages)
    receipts = receipts_of(outcomes)
    header = _header(parent, context, state_root, transactions, receipts)
    block_hash, raw = seal(
        header, validators=sorted(sealers.keys), vote=terms.vote, round_number=terms.round_number, keys=running
    )
    included = tuple(
        IncludedTransaction(transaction, position, receipt)
        for position, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True))
    )
    block = Block(block_hash, raw, Header.decode(raw), included)
    nodes.store()
    records.insert_block(connection, block)
    return block


def _head(connection: sqlite3.Connection) -> Block:
    number = records.head_number(connection)
    head = None if number is None else records.block_by_number(connection, number)
    if head is None:
        raise UnavailableError("devchain.absent", "the development chain has no genesis block")
    return head


def _header(
    parent: Block,
    context: BlockContext,
    state_root: bytes,
    transactions: Sequence[SignedTransaction],
    receipts: Sequence[Receipt],
) -> Header:
    return Header(
        parent_hash=parent.hash,
        coinbase=context.coinbase,
        state_root=state_root,
        transactions_root=ordered_root([transaction.raw for transaction in transactions]),
        receipts_root=ordered_root([receipt.encode() for receipt in receipts]),
        bloom=bloom_of(log for receipt in receipts for log in receipt.logs),
        number=context.number,
        gas_limit=GAS_LIMIT,
        gas_used=sum(receipt.gas_used for receipt in receipts),
        timestamp=context.timestamp,
    )
