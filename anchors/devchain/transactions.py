"""Raw legacy transactions with a chain id (EIP-155), the only kind this chain takes.

Typed transactions are refused: the ledger submits legacy ones on every chain, so that gas price 0 works on all.
"""

from dataclasses import dataclass
from typing import Final

import rlp
from eth_hash.auto import keccak

from anchors.account import recover_address
from anchors.devchain.machine import Message
from anchors.strict_rlp import rlp_bytes, rlp_decode, rlp_list, rlp_uint
from signing.errors import MalformedError

MAX_RAW_BYTES: Final = 128 * 1024
_FIRST_LIST_BYTE: Final = 0xC0
_ADDRESS_BYTES: Final = 20
_ITEMS: Final = 9
_WHAT: Final = "transaction"


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction whose signature holds. ``to`` None creates a contract; ``chain_id`` None: not replay-protected."""

    raw: bytes
    hash: bytes
    sender: bytes
    chain_id: int | None
    nonce: int
    gas_price: int
    gas: int
    to: bytes | None
    value: int
    data: bytes
    v: int
    r: int
    s: int

    def message(self) -> Message:
        """Return what the machine executes."""
        return Message(self.sender, self.to, self.value, self.data, self.gas, self.gas_price, self.nonce)

    def created_address(self) -> bytes | None:
        """Return the address of the contract that this transaction creates."""
        return None if self.to is not None else keccak(rlp.encode([self.sender, self.nonce]))[12:]


def decode_transaction(raw: bytes) -> SignedTransaction:
    """Parse and recover the sender.

    Raises MalformedError: ``form.size``, ``form.rlp``, ``form.transaction.type`` (not legacy),
    ``form.transaction.signature``.
    """
    if raw and raw[0] < _FIRST_LIST_BYTE:
        raise MalformedError("form.transaction.type", "transaction: only the legacy type is taken")
    items = rlp_list(rlp_decode(raw, what=_WHAT, max_bytes=MAX_RAW_BYTES), what=_WHAT)
    if len(items) != _ITEMS:
        raise MalformedError("form.rlp", f"transaction: {_ITEMS} items are needed, not {len(items)}")
    nonce, gas = rlp_uint(items[0], what="nonce"), rlp_uint(items[2], what="gas")
    gas_price, value, v, r, s = (rlp_uint(items[at], what=_WHAT, max_bytes=32) for at in (1, 4, 6, 7, 8))
    to, data = rlp_bytes(items[3], what="to"), rlp_bytes(items[5], what="data")
    if len(to) not in (0, _ADDRESS_BYTES):
        raise MalformedError("form.rlp", "to: an address or nothing is needed")
    chain_id = (v - 35) // 2 if v >= 35 else None
    unsigned = [nonce, gas_price, gas, to, value, data, *([] if chain_id is None else [chain_id, 0, 0])]
    sender = recover_address(keccak(rlp.encode(unsigned)), r, s, v - 27 if chain_id is None else (v - 35) % 2)
    if sender is None:
        raise MalformedError("form.transaction.signature", "transaction: no key can have made the signature")
    return SignedTransaction(
        raw, keccak(raw), sender, chain_id, nonce, gas_price, gas, to or None, value, data, v, r, s
    )
