"""The chain as one JSON-RPC call sees it: blocks by tag, state at a block, execution that leaves no trace."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from anchors.devchain import params, records
from anchors.devchain.blocks import Block
from anchors.devchain.database import NodeTable
from anchors.devchain.machine import BlockContext, Machine, Message, Nodes, Outcome
from anchors.devchain.rpc_errors import BLOCK_NOT_FOUND, UNKNOWN_BLOCK, RpcError
from anchors.devchain.state import Account, read_account
from anchors.devchain.transactions import SignedTransaction
from signing.strict_json import JsonValue

GENESIS_NUMBER = 0


@dataclass(frozen=True, slots=True)
class View:
    """All reads of one call go through one of these, inside one ``Database.reading``."""

    connection: sqlite3.Connection
    machine: Machine
    chain_id: int
    find_waiting: Callable[[bytes], SignedTransaction | None]

    def head_number(self) -> int:
        """Return the number of the newest block."""
        number = records.head_number(self.connection)
        if number is None:
            raise RpcError(BLOCK_NOT_FOUND)
        return number

    def number_of_tag(self, tag: JsonValue) -> int:
        """Turn a block tag into a number; the block need not exist.

        ``safe`` and ``finalized`` are unknown, as on Besu with QBFT: every sealed block is final.
        """
        if tag in ("latest", "pending", None):
            return self.head_number()
        if tag == "earliest":
            return GENESIS_NUMBER
        if tag in ("safe", "finalized"):
            raise RpcError(UNKNOWN_BLOCK)
        return params.quantity(tag)

    def block(self, tag: JsonValue) -> Block:
        """Return the block for a tag, a number, or an EIP-1898 object. Raises RpcError "Block not found"."""
        if isinstance(tag, dict):
            choice = params.members(tag)
            if "blockHash" in choice:
                return self.block_by_hash(params.data(choice["blockHash"], length=32))
            tag = choice.get("blockNumber", "")
        return self._existing(self.number_of_tag(tag))

    def block_by_hash(self, block_hash: bytes) -> Block:
        """Return the block with an on-chain hash. Raises RpcError "Block not found"."""
        number = records.number_of_block(self.connection, block_hash)
        if number is None:
            raise RpcError(BLOCK_NOT_FOUND)
        return self._existing(number)

    def _existing(self, number: int) -> Block:
        # Numbers beyond 63 bits can't be asked of SQLite, and no block has one.
        found = records.block_by_number(self.connection, number) if number < 1 << 63 else None
        if found is None:
            raise RpcError(BLOCK_NOT_FOUND)
        return found

    def nodes(self) -> Nodes:
        """Return the trie nodes of all states; what is written to it is forgotten."""
        return NodeTable(self.connection)

    def account(self, block: Block, address: bytes) -> Account:
        """Return an account as it was after ``block``."""
        return read_account(self.nodes(), block.header.state_root, address)

    def call(self, block: Block, message: Message) -> Outcome:
        """Run a message on the state after ``block`` and forget its effects."""
        header = block.header
        context = BlockContext(
            chain_id=self.chain_id,
            number=header.number,
            timestamp=header.timestamp,
            coinbase=header.coinbase,
            gas_limit=header.gas_limit,
            ancestors=records.ancestor_hashes(self.connection, header.number),
        )
        return self.machine.call(self.nodes(), header.state_root, context, message)
