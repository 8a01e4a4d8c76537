"""Legacy transactions (EIP-155): built and signed here, byte for byte, before anything is sent.

Type-0 with an explicit chain id, nonce, gas and gas price works on every EVM chain we know; fee markets and signing
middleware do not (chain.md §3).
"""

from collections.abc import Sequence
from typing import Final

from eth_hash.auto import keccak

from anchors.account import Account, account_address, recover_address, sign_recoverable
from anchors.ports import SignedTransaction
from anchors.strict_rlp import RlpItem, rlp_decode, rlp_encode, rlp_list, rlp_uint
from signing import MalformedError, VerificationError

_RAW_MAX_BYTES: Final = 128 * 1024
_ITEMS: Final = 9
_SIGNED_ITEMS: Final = 6
_EIP155_BASE: Final = 35


def check_transaction(transaction: SignedTransaction, *, to: bytes, calldata: bytes) -> None:
    """Hold the raw bytes against what is recorded beside them: hash, sender, nonce, callee and calldata.

    Raises MalformedError (``form.rlp``) or VerificationError (``outbox.transaction``).
    """
    fields = check_signed(transaction)
    if (fields[3], fields[5]) != (to, calldata):
        raise VerificationError("outbox.transaction", "transaction: the raw bytes are not of the call in its record")


def check_signed(transaction: SignedTransaction) -> Sequence[RlpItem]:
    """Hold the raw bytes against hash, sender and nonce; their fields. Raises as ``check_transaction`` does."""
    fields = rlp_list(rlp_decode(transaction.raw, what="transaction", max_bytes=_RAW_MAX_BYTES), what="transaction")
    if len(fields) != _ITEMS:
        raise MalformedError("form.rlp", f"transaction: {_ITEMS} items are needed")
    sender = _recover_sender(fields)
    if sender is None:
        raise VerificationError("outbox.transaction", "transaction: no key can have signed the raw bytes")
    recorded = (transaction.tx_hash, transaction.sender, transaction.nonce)
    if recorded != (keccak(transaction.raw), sender, rlp_uint(fields[0], what="nonce")):
        raise VerificationError("outbox.transaction", "transaction: the raw bytes are not those of its record")
    return fields


def sign_transaction(
    account: Account, *, chain_id: int, nonce: int, to: bytes | None, calldata: bytes, gas_limit: int, gas_price: int
) -> SignedTransaction:
    """Sign a call of contract ``to``, or with None a contract's creation, that carries no value.

    Raises UnavailableError if the account's key can't be reached, VerificationError (``anchor.signature``).
    """
    fields = [*map(_uint, (nonce, gas_price, gas_limit)), to or b"", _uint(0), calldata]
    r, s, parity = sign_recoverable(account, _signing_digest(fields, chain_id))
    raw = rlp_encode([*fields, *map(_uint, (2 * chain_id + _EIP155_BASE + parity, r, s))])
    return SignedTransaction(raw, keccak(raw), account_address(account), nonce)


def _recover_sender(fields: Sequence[RlpItem]) -> bytes | None:
    """None unless the fields carry a signature with a chain id."""
    v, r, s = (rlp_uint(item, what="transaction", max_bytes=32) for item in fields[_SIGNED_ITEMS:])
    if v < _EIP155_BASE:
        return None
    chain_id, parity = divmod(v - _EIP155_BASE, 2)
    return recover_address(_signing_digest(fields[:_SIGNED_ITEMS], chain_id), r, s, parity)


def _signing_digest(fields: Sequence[RlpItem], chain_id: int) -> bytes:
    """What an EIP-155 signature is over: six fields, the chain id, and nothing twice."""
    return keccak(rlp_encode([*fields, _uint(chain_id), b"", b""]))


def _uint(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)
