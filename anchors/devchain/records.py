"""Rows of the chain's tables as values and back. Functions take the connection; the caller owns the transaction."""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from anchors.devchain.blocks import Block, IncludedTransaction, Receipt
from anchors.devchain.machine import Log
from anchors.devchain.sealing import Header
from anchors.devchain.transactions import decode_transaction

_TOPIC_BYTES: Final = 32

_LOGS: Final = """
    SELECT log.address, log.topics, log.data, log.log_index, block.number, block.hash, tx.hash, tx.position
    FROM log JOIN block USING (number) JOIN tx USING (number, position) WHERE log.number BETWEEN ? AND ?
"""
_LOGS_OF_ADDRESS: Final = _LOGS + " AND log.address = ?"


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A log with its place in the chain."""

    log: Log
    log_index: int
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    position: int


def insert_block(connection: sqlite3.Connection, block: Block) -> None:
    """Write a block, its transactions and their logs."""
    number = block.header.number
    connection.execute("INSERT INTO block VALUES (?, ?, ?)", (number, block.hash, block.raw))
    for included in block.transactions:
        transaction, receipt = included.transaction, included.receipt
        connection.execute(
            "INSERT INTO tx VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                transaction.hash,
                number,
                included.position,
                transaction.raw,
                receipt.succeeded,
                receipt.gas_used,
                receipt.cumulative_gas_used,
                receipt.first_log,
            ),
        )
        connection.executemany(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)",
            [
                (number, receipt.first_log + n, included.position, log.address, b"".join(log.topics), log.data)
                for n, log in enumerate(receipt.logs)
            ],
        )


def delete_blocks_above(connection: sqlite3.Connection, number: int) -> None:
    """Forget all blocks above ``number``, with their transactions and logs."""
    connection.execute("DELETE FROM block WHERE number > ?", (number,))


def head_number(connection: sqlite3.Connection) -> int | None:
    """Return the number of the newest block; None if there is not even a genesis."""
    number: int | None = connection.execute("SELECT max(number) FROM block").fetchone()[0]
    return number


def block_by_number(connection: sqlite3.Connection, number: int) -> Block | None:
    """Return the block at a height, or None."""
    row = connection.execute("SELECT hash, header FROM block WHERE number = ?", (number,)).fetchone()
    return None if row is None else _block(connection, number, *row)


def number_of_block(connection: sqlite3.Connection, block_hash: bytes) -> int | None:
    """Return the height of the block with an on-chain hash, or None."""
    row = connection.execute("SELECT number FROM block WHERE hash = ?", (block_hash,)).fetchone()
    return None if row is None else row[0]


def ancestor_hashes(connection: sqlite3.Connection, number: int) -> Iterator[bytes]:
    """Yield the hashes of the blocks below ``number``, highest first; at most 256."""
    query = "SELECT hash FROM block WHERE number < ? ORDER BY number DESC LIMIT 256"
    for (block_hash,) in connection.execute(query, (number,)):
        yield bytes(block_hash)


def number_of_transaction(connection: sqlite3.Connection, transaction_hash: bytes) -> tuple[int, int] | None:
    """Return (block number, position) of a mined transaction, or None."""
    query = "SELECT number, position FROM tx WHERE hash = ?"
    row: tuple[int, int] | None = connection.execute(query, (transaction_hash,)).fetchone()
    return row


def find_logs(connection: sqlite3.Connection, first: int, last: int, addresses: Collection[bytes]) -> list[FoundLog]:
    """Return the logs of the blocks ``first`` to ``last`` in chain order, of these addresses (none: of all)."""
    if addresses:
        rows = [row for one in set(addresses) for row in connection.execute(_LOGS_OF_ADDRESS, (first, last, one))]
    else:
        rows = connection.execute(_LOGS, (first, last)).fetchall()
    found = [FoundLog(_log(address, topics, data), *place) for address, topics, data, *place in rows]
    return sorted(found, key=lambda log: (log.block_number, log.log_index))


def chain_id(connection: sqlite3.Connection) -> int:
    """Return the chain id that the file was created with."""
    value: int = connection.execute("SELECT chain_id FROM chain").fetchone()[0]
    return value


def insert_validator(connection: sqlite3.Connection, address: bytes, secret: bytes) -> None:
    """Keep a validator key; the validator is not in the set yet."""
    connection.execute("INSERT INTO validator VALUES (?, ?, 0)", (address, secret))


def set_active_validators(connection: sqlite3.Connection, addresses: Collection[bytes]) -> None:
    """Make exactly these validators the set of the next block."""
    connection.execute("UPDATE validator SET active = 0")
    connection.executemany("UPDATE validator SET active = 1 WHERE address = ?", [(address,) for address in addresses])


def validator_keys(connection: sqlite3.Connection, *, active: bool) -> dict[bytes, bytes]:
    """Return address to secret, addresses ascending, of the active set or of all."""
    rows = connection.execute("SELECT address, secret FROM validator WHERE active >= ? ORDER BY address", (active,))
    return dict(rows.fetchall())


def _block(connection: sqlite3.Connection, number: int, block_hash: bytes, raw: bytes) -> Block:
    rows = connection.execute(
        "SELECT raw, position, succeeded, gas_used, cumulative_gas_used, first_log FROM tx WHERE number = ?"
        " ORDER BY position",
        (number,),
    ).fetchall()
    included = []
    for raw_transaction, position, succeeded, gas_used, cumulative_gas_used, first_log in rows:
        logs = connection.execute(
            "SELECT address, topics, data FROM log WHERE number = ? AND position = ? ORDER BY log_index",
            (number, position),
        )
        receipt = Receipt(bool(succeeded), gas_used, cumulative_gas_used, first_log, tuple(_log(*log) for log in logs))
        included.append(IncludedTransaction(decode_transaction(raw_transaction), position, receipt))
    return Block(block_hash, raw, Header.decode(raw), tuple(included))


def _log(address: bytes, topics: bytes, data: bytes) -> Log:
    cut = tuple(topics[at : at + _TOPIC_BYTES] for at in range(0, len(topics), _TOPIC_BYTES))
    return Log(address, cut, data)
