"""A chain with the anchor contract on it, as a rule the embedded one, and accounts that need no funds."""

import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Protocol, Self

import pytest
from eth_account import Account

from anchors.account import MemoryAccount, account_address
from anchors.contract import Revert, decode_revert, encode_anchor
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.devchain.chain import DevChain, open_dev_chain
from anchors.jsonrpc import NodeError, Rpc, read_result
from signing import Secret

GOVERNOR, ADMIN, ANCHORER, STRANGER = (bytes([n]) * 32 for n in range(1, 5))
ORIGIN_NAME = "log.example/city"
START = 1_750_000_000
_LOOKS, _LOOK_SECONDS = 3000, 0.01


def account_of(key: bytes) -> MemoryAccount:
    """The account of one of these keys."""
    return MemoryAccount(Secret(key))


def address_of(key: bytes) -> bytes:
    """Its address."""
    return account_address(account_of(key))


def open_chain(path: Path, **changes: Any) -> DevChain:
    """A chain with a clock that goes on by ten seconds at each look and keys from a fixed seed."""
    ticks = count(START, 10)
    arguments: dict[str, Any] = {"clock": lambda: next(ticks), "random_bytes": Random(20261).randbytes}
    return open_dev_chain(path, **(arguments | changes))


class AnyChain(Protocol):
    """The embedded chain, or a node."""

    @property
    def chain_id(self) -> int: ...

    @property
    def dispatch(self) -> Rpc: ...


def signed(chain: AnyChain, key: bytes, to: bytes | None, data: bytes = b"", **changes: Any) -> bytes:
    """A raw transaction with the account's next nonce, as eth-account signs it."""
    sender = "0x" + address_of(key).hex()
    fields = {
        "chainId": chain.chain_id,
        "nonce": int(result(chain, "eth_getTransactionCount", sender, "latest"), 16),
        "gas": 3_000_000,
        "gasPrice": 0,
        "value": 0,
        "data": data,
    } | changes
    if to is not None:
        fields["to"] = to
    return bytes(Account.sign_transaction(fields, key).raw_transaction)


def result(chain: Any, method: str, *params: Any) -> Any:
    """The result of a call that must succeed."""
    response = chain.dispatch(method, list(params))
    assert "error" not in response, response
    return response["result"]


def error(chain: Any, method: str, *params: Any) -> Any:
    """The error of a call that must fail."""
    response = chain.dispatch(method, list(params))
    assert "result" not in response, response
    return response["error"]


@dataclass
class World:
    """The chain, the contract, one registered origin with one anchorer."""

    chain: Any
    """An ``AnyChain``."""
    contract: bytes
    origin: bytes
    network: Network = field(repr=False)

    @classmethod
    def create(cls, chain: AnyChain) -> Self:
        network = Network(chain.dispatch, chain.chain_id, wait=lambda: time.sleep(_LOOK_SECONDS), attempts=_LOOKS)
        contract = deploy_contract(network, governor=account_of(GOVERNOR)).address
        origin = register_origin(
            network, contract=contract, governor=account_of(GOVERNOR), name=ORIGIN_NAME, admin=address_of(ADMIN)
        )
        set_anchorer(network, contract=contract, admin=account_of(ADMIN), origin=origin, anchorer=address_of(ANCHORER))
        return cls(chain, contract, origin, network)

    def send(self, key: bytes, data: bytes, **changes: Any) -> dict[str, Any]:
        """Mine a call of the contract and return its receipt."""
        raw = signed(self.chain, key, self.contract, data, **changes)
        tx_hash = result(self.chain, "eth_sendRawTransaction", "0x" + raw.hex())
        receipt: dict[str, Any] | None = None
        for _ in range(_LOOKS):  # the embedded chain has mined by now, a node has not always
            receipt = result(self.chain, "eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            time.sleep(_LOOK_SECONDS)
        raise AssertionError(f"{tx_hash} is in no block")

    def call(self, data: bytes, *, key: bytes = STRANGER, block: str = "latest") -> bytes:
        """The return data of a call that must succeed."""
        return bytes.fromhex(result(self.chain, "eth_call", self.call_object(key, data), block)[2:])

    def refusal(self, key: bytes, data: bytes) -> Revert:
        """The decoded revert of a call that must be refused; it is refused alike when mined."""
        with pytest.raises(NodeError) as caught:
            read_result("eth_call", self.chain.dispatch("eth_call", [self.call_object(key, data), "latest"]))
        assert caught.value.data is not None
        assert self.send(key, data)["status"] == "0x0"
        return decode_revert(caught.value.data)

    def storage(self, slot: bytes, block: str = "latest") -> bytes:
        """One storage word of the contract."""
        word = result(self.chain, "eth_getStorageAt", "0x" + self.contract.hex(), "0x" + slot.hex(), block)
        return bytes.fromhex(word[2:])

    def anchor_call(self, old_size: int, new_size: int, root: bytes, proof: Any = ()) -> bytes:
        """Calldata of ``anchor`` for this world's origin."""
        return encode_anchor(
            origin=self.origin, old_size=old_size, new_size=new_size, new_root=root, note_hash=b"\x11" * 32, proof=proof
        )

    def call_object(self, key: bytes, data: bytes) -> dict[str, str]:
        """The transaction object of a call of the contract."""
        return {"from": "0x" + address_of(key).hex(), "to": "0x" + self.contract.hex(), "data": "0x" + data.hex()}
