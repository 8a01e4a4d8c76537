"""JSON-RPC: state after any block, calls and gas estimates on it."""

from dataclasses import replace
from typing import Final

from anchors.devchain import params
from anchors.devchain.blocks import Block
from anchors.devchain.formats import hex_data, hex_quantity
from anchors.devchain.machine import Message, Outcome
from anchors.devchain.params import Params, param
from anchors.devchain.rpc_errors import (
    EXECUTION_HALTED,
    EXECUTION_REVERTED,
    INTRINSIC_GAS_EXCEEDS_LIMIT,
    UPFRONT_COST_EXCEEDS_BALANCE,
    RpcError,
)
from anchors.devchain.state import account_proof, read_code, read_storage, storage_proof
from anchors.devchain.view import View
from signing.strict_json import JsonValue

_MAX_PROOF_KEYS: Final = 100
_ESTIMATE_TOLERANCE: Final = 64  # stop when the answer is known to this part of itself


def gas_price(_view: View, _params: Params) -> JsonValue:
    """``eth_gasPrice``: free."""
    return hex_quantity(0)


def get_balance(view: View, given: Params) -> JsonValue:
    """``eth_getBalance``."""
    return hex_quantity(view.account(view.block(param(given, 1)), params.address(param(given, 0))).balance)


def get_transaction_count(view: View, given: Params) -> JsonValue:
    """``eth_getTransactionCount``: the nonce; waiting transactions do not count, whatever the tag."""
    return hex_quantity(view.account(view.block(param(given, 1)), params.address(param(given, 0))).nonce)


def get_code(view: View, given: Params) -> JsonValue:
    """``eth_getCode``."""
    account = view.account(view.block(param(given, 1)), params.address(param(given, 0)))
    return hex_data(read_code(view.nodes(), account))


def get_storage_at(view: View, given: Params) -> JsonValue:
    """``eth_getStorageAt``: one 32-byte word."""
    account = view.account(view.block(param(given, 2)), params.address(param(given, 0)))
    return hex_data(read_storage(view.nodes(), account, params.slot(param(given, 1))))


def get_proof(view: View, given: Params) -> JsonValue:
    """``eth_getProof``: account and storage with the trie nodes that prove them, present or absent."""
    address = params.address(param(given, 0))
    slots = [params.slot(key) for key in params.items(param(given, 1), maximum=_MAX_PROOF_KEYS)]
    block = view.block(param(given, 2))
    nodes, state_root = view.nodes(), block.header.state_root
    account = view.account(block, address)
    storage: list[JsonValue] = [
        {
            "key": hex_data(slot),
            "value": hex_quantity(int.from_bytes(read_storage(nodes, account, slot), "big")),
            "proof": [hex_data(node) for node in storage_proof(nodes, account, slot)],
        }
        for slot in slots
    ]
    return {
        "address": hex_data(address),
        "balance": hex_quantity(account.balance),
        "nonce": hex_quantity(account.nonce),
        "codeHash": hex_data(account.code_hash),
        "storageHash": hex_data(account.storage_root),
        "accountProof": [hex_data(node) for node in account_proof(nodes, state_root, address)],
        "storageProof": storage,
    }


def call(view: View, given: Params) -> JsonValue:
    """``eth_call``. A revert is an error with the revert data."""
    block = view.block(param(given, 1))
    outcome = view.call(block, _message(view, block, given))
    _check(outcome)
    return hex_data(outcome.output)


def estimate_gas(view: View, given: Params) -> JsonValue:
    """``eth_estimateGas``: a gas limit that works, close to the least."""
    block = view.block(param(given, 1))
    message = _message(view, block, given)
    outcome = view.call(block, message)
    _check(outcome)
    # Code may need more than it uses (63/64 rule, refunds), so what it used is only the lower end of the search.
    too_little, enough, candidate = outcome.gas_used - 1, message.gas, outcome.gas_before_refund
    while enough - too_little > 1 + enough // _ESTIMATE_TOLERANCE:
        if view.call(block, replace(message, gas=candidate)).succeeded:
            enough = candidate
        else:
            too_little = candidate
        candidate = (enough + too_little) // 2
    return hex_quantity(enough)


def _message(view: View, block: Block, given: Params) -> Message:
    """Read the transaction object of a call; a gas price in it is ignored, for gas is free."""
    wanted = params.members(param(given, 0))
    gas_limit = block.header.gas_limit
    message = Message(
        sender=params.address(wanted["from"]) if "from" in wanted else bytes(20),
        to=params.address(wanted["to"]) if "to" in wanted else None,
        value=params.quantity(wanted.get("value", "0x0")),
        data=params.data(wanted.get("input", wanted.get("data", "0x"))),
        gas=min(params.quantity(wanted.get("gas", hex_quantity(gas_limit))), gas_limit),
        gas_price=0,
    )
    if message.gas < message.intrinsic_gas():
        raise RpcError(INTRINSIC_GAS_EXCEEDS_LIMIT)
    if message.value > view.account(block, message.sender).balance:
        raise RpcError(UPFRONT_COST_EXCEEDS_BALANCE)
    return message


def _check(outcome: Outcome) -> None:
    if outcome.reverted:
        raise RpcError(EXECUTION_REVERTED, hex_data(outcome.output))
    if not outcome.succeeded:
        raise RpcError(EXECUTION_HALTED)
