"""Blocks, transactions, receipts and logs as Besu's JSON. Hashes are always the sealed (on-chain) ones."""

import rlp

from anchors.devchain.blocks import Block, IncludedTransaction
from anchors.devchain.machine import Log
from anchors.devchain.records import FoundLog
from anchors.devchain.sealing import DIFFICULTY, EMPTY_LIST_HASH, MIX_HASH
from anchors.devchain.transactions import SignedTransaction
from signing.strict_json import JsonValue


def hex_data(value: bytes) -> str:
    """Write bytes."""
    return "0x" + value.hex()


def hex_quantity(value: int) -> str:
    """Write a number."""
    return hex(value)


def block_json(block: Block, *, full_transactions: bool) -> dict[str, JsonValue]:
    """Write a block, with whole transactions or their hashes only."""
    header = block.header
    raw_transactions = [included.transaction.raw for included in block.transactions]
    size = len(rlp.encode([rlp.decode(block.raw), [rlp.decode(raw) for raw in raw_transactions], []]))
    transactions: list[JsonValue] = [
        mined_transaction_json(block, included) if full_transactions else hex_data(included.transaction.hash)
        for included in block.transactions
    ]
    return {
        "number": hex_quantity(header.number),
        "hash": hex_data(block.hash),
        "parentHash": hex_data(header.parent_hash),
        "sha3Uncles": hex_data(EMPTY_LIST_HASH),
        "miner": hex_data(header.coinbase),
        "stateRoot": hex_data(header.state_root),
        "transactionsRoot": hex_data(header.transactions_root),
        "receiptsRoot": hex_data(header.receipts_root),
        "logsBloom": hex_data(header.bloom),
        "difficulty": hex_quantity(DIFFICULTY),
        "totalDifficulty": hex_quantity(DIFFICULTY * (header.number + 1)),
        "gasLimit": hex_quantity(header.gas_limit),
        "gasUsed": hex_quantity(header.gas_used),
        "timestamp": hex_quantity(header.timestamp),
        "extraData": hex_data(header.extra),
        "mixHash": hex_data(MIX_HASH),
        "nonce": hex_data(bytes(8)),
        "size": hex_quantity(size),
        "uncles": [],
        "transactions": transactions,
    }


def waiting_transaction_json(transaction: SignedTransaction) -> dict[str, JsonValue]:
    """Write a transaction that is in no block yet."""
    return {
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "hash": hex_data(transaction.hash),
        "type": "0x0",
        "chainId": None if transaction.chain_id is None else hex_quantity(transaction.chain_id),
        "from": hex_data(transaction.sender),
        "to": None if transaction.to is None else hex_data(transaction.to),
        "nonce": hex_quantity(transaction.nonce),
        "gas": hex_quantity(transaction.gas),
        "gasPrice": hex_quantity(transaction.gas_price),
        "value": hex_quantity(transaction.value),
        "input": hex_data(transaction.data),
        "v": hex_quantity(transaction.v),
        "r": hex_quantity(transaction.r),
        "s": hex_quantity(transaction.s),
    }


def mined_transaction_json(block: Block, included: IncludedTransaction) -> dict[str, JsonValue]:
    """Write a transaction with its block."""
    return {
        **waiting_transaction_json(included.transaction),
        "blockHash": hex_data(block.hash),
        "blockNumber": hex_quantity(block.header.number),
        "transactionIndex": hex_quantity(included.position),
    }


def receipt_json(block: Block, included: IncludedTransaction) -> dict[str, JsonValue]:
    """Write what became of a transaction."""
    transaction, receipt = included.transaction, included.receipt
    created = transaction.created_address()
    logs: list[JsonValue] = [
        log_json(
            FoundLog(log, receipt.first_log + n, block.header.number, block.hash, transaction.hash, included.position)
        )
        for n, log in enumerate(receipt.logs)
    ]
    return {
        "blockHash": hex_data(block.hash),
        "blockNumber": hex_quantity(block.header.number),
        "transactionHash": hex_data(transaction.hash),
        "transactionIndex": hex_quantity(included.position),
        "type": "0x0",
        "from": hex_data(transaction.sender),
        "to": None if transaction.to is None else hex_data(transaction.to),
        "contractAddress": None if created is None else hex_data(created),
        "status": hex_quantity(int(receipt.succeeded)),
        "gasUsed": hex_quantity(receipt.gas_used),
        "cumulativeGasUsed": hex_quantity(receipt.cumulative_gas_used),
        "effectiveGasPrice": hex_quantity(transaction.gas_price),
        "logs": logs,
        "logsBloom": hex_data(receipt.bloom()),
    }


def log_json(found: FoundLog) -> dict[str, JsonValue]:
    """Write an event with its place in the chain."""
    log: Log = found.log
    return {
        "address": hex_data(log.address),
        "topics": [hex_data(topic) for topic in log.topics],
        "data": hex_data(log.data),
        "logIndex": hex_quantity(found.log_index),
        "blockNumber": hex_quantity(found.block_number),
        "blockHash": hex_data(found.block_hash),
        "transactionHash": hex_data(found.transaction_hash),
        "transactionIndex": hex_quantity(found.position),
        "removed": False,
    }
