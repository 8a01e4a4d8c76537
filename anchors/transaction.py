"""Legacy transactions (EIP-155): built and signed here, byte for byte, before anything is sent.

Type-0 with an explicit chain id, nonce, gas and gas price works on every EVM chain we know; fee markets and signing
middleware do not (chain.md §3).
"""

from typing import Final

from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.exceptions import BadSignature

from anchors.ports import SignedTransaction
from anchors.strict_rlp import rlp_decode, rlp_list, rlp_uint
from signing import MalformedError, VerificationError

_RAW_MAX_BYTES: Final = 128 * 1024


def account_address(key: bytes) -> bytes:
    """Address of a 32-byte secp256k1 key; raises MalformedError (``anchor.key``)."""
    try:
        return bytes.fromhex(Account.from_key(key).address[2:])
    except ValueError:
        raise MalformedError("anchor.key", "anchor key: not a secp256k1 secret of 32 bytes") from None


def check_transaction(transaction: SignedTransaction, *, to: bytes, calldata: bytes) -> None:
    """Hold the raw bytes against what is recorded beside them: hash, sender, nonce, callee and calldata.

    Raises MalformedError (``form.rlp``) or VerificationError (``outbox.transaction``).
    """
    fields = rlp_list(rlp_decode(transaction.raw, what="transaction", max_bytes=_RAW_MAX_BYTES), what="transaction")
    try:
        sender = bytes.fromhex(Account.recover_transaction(transaction.raw)[2:])
    except (TypeError, ValueError, BadSignature):
        raise VerificationError("outbox.transaction", "transaction: no key can have signed the raw bytes") from None
    recorded = (transaction.tx_hash, transaction.sender, transaction.nonce, to, calldata)
    if recorded != (keccak(transaction.raw), sender, rlp_uint(fields[0], what="nonce"), fields[3], fields[5]):
        raise VerificationError("outbox.transaction", "transaction: the raw bytes are not those of its record")


def sign_transaction(
    key: bytes, *, chain_id: int, nonce: int, to: bytes, calldata: bytes, gas_limit: int, gas_price: int
) -> SignedTransaction:
    """Sign a call of contract ``to`` that carries no value (RFC 6979: the same input gives the same bytes)."""
    sender = account_address(key)
    signed = Account.sign_transaction(
        {
            "chainId": chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": calldata,
            "gas": gas_limit,
            "gasPrice": gas_price,
        },
        key,
    )
    return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash), sender, nonce)
