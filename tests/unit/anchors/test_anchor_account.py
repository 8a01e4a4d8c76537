"""Accounts and the transactions they sign: byte for byte eth-account's, wherever the key lives."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account as EthAccount
from hypothesis import given, settings
from hypothesis import strategies as st

from anchors.account import ORDER, Account, MemoryAccount, account_address, recover_address
from anchors.strict_rlp import rlp_decode, rlp_encode
from anchors.transaction import check_transaction, sign_transaction
from signing import LedgerError, MalformedError, Secret, UnavailableError, VerificationError
from tests.support.devchain_world import account_of

_KEY = b"\x46" * 32  # of the example in EIP-155
_ADDRESS = bytes.fromhex("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")
_TO = b"\x35" * 20
_FIELDS: dict[str, Any] = {"chain_id": 20261, "nonce": 9, "gas_limit": 21_000, "gas_price": 0}


def test_a_known_account() -> None:
    account = account_of(_KEY)
    assert account_address(account) == _ADDRESS == bytes.fromhex(EthAccount.from_key(_KEY).address[2:])
    assert len(account.public_point) == 64


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\1" * 31, b"\1" * 33, ORDER.to_bytes(32), b"\xff" * 32])
def test_a_secret_is_a_scalar(secret: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        MemoryAccount(Secret(secret))
    assert caught.value.code == "anchor.key"


def test_the_largest_and_the_smallest_scalar() -> None:
    """Opposite points: the same X."""
    one, largest = account_of(b"\1".rjust(32, b"\0")), account_of((ORDER - 1).to_bytes(32))
    assert one.public_point[:32] == largest.public_point[:32]
    assert account_address(one) != account_address(largest)


def test_a_secret_is_not_shown() -> None:
    account = account_of(_KEY)
    assert "46" * 32 not in repr(account) + str(account)
    assert not hasattr(account, "__dict__")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_digest_has_32_bytes(size: int) -> None:
    with pytest.raises(MalformedError):
        account_of(_KEY).sign_digest(bytes(size))


@settings(max_examples=150, deadline=None)
@given(
    key=st.integers(1, ORDER - 1),
    chain_id=st.integers(1, 2**53),
    nonce=st.integers(0, 2**64 - 1),
    to=st.none() | st.binary(min_size=20, max_size=20),
    calldata=st.binary(max_size=300),
    gas_limit=st.integers(0, 2**40),
    gas_price=st.integers(0, 2**70),
)
def test_transactions_are_those_of_eth_account(
    key: int, chain_id: int, nonce: int, to: bytes | None, calldata: bytes, gas_limit: int, gas_price: int
) -> None:
    secret = key.to_bytes(32)
    ours = sign_transaction(
        account_of(secret),
        chain_id=chain_id,
        nonce=nonce,
        to=to,
        calldata=calldata,
        gas_limit=gas_limit,
        gas_price=gas_price,
    )
    fields = {
        "chainId": chain_id,
        "nonce": nonce,
        "value": 0,
        "data": calldata,
        "gas": gas_limit,
        "gasPrice": gas_price,
    }
    theirs = EthAccount.sign_transaction(fields if to is None else {**fields, "to": to}, secret)
    assert ours.raw == bytes(theirs.raw_transaction)
    assert ours.tx_hash == bytes(theirs.hash)
    assert (ours.sender, ours.nonce) == (account_address(account_of(secret)), nonce)
    assert EthAccount.recover_transaction(ours.raw) == EthAccount.from_key(secret).address


class _Answers:
    """An account that answers with what it is given."""

    def __init__(self, answer: bytes | LedgerError) -> None:
        self._answer = answer
        self.public_point = account_of(_KEY).public_point

    def sign_digest(self, digest: bytes) -> bytes:
        if isinstance(self._answer, LedgerError):
            raise self._answer
        return self._answer


class _HighS:
    """As many HSMs sign: either s."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.public_point = account.public_point

    def sign_digest(self, digest: bytes) -> bytes:
        signature = self._account.sign_digest(digest)
        return signature[:32] + (ORDER - int.from_bytes(signature[32:])).to_bytes(32)


def test_the_lower_s_is_sent() -> None:
    account = account_of(_KEY)
    for nonce in range(20):
        fields = _FIELDS | {"nonce": nonce}
        low = sign_transaction(account, to=_TO, calldata=b"data", **fields)
        assert sign_transaction(_HighS(account), to=_TO, calldata=b"data", **fields) == low


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        bytes(64),
        b"\xff" * 64,
        bytes(31) + b"\1" + bytes(32),
        ORDER.to_bytes(32) * 2,
        b"\1" * 63,
        b"\1" * 96,
        account_of(b"\x47" * 32).sign_digest(b"\x11" * 32),
    ],
)
def test_a_signature_that_is_not_the_accounts_is_not_sent(answer: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        sign_transaction(_Answers(answer), to=_TO, calldata=b"", **_FIELDS)
    assert caught.value.code == "anchor.signature"


def test_a_key_that_is_away() -> None:
    with pytest.raises(UnavailableError):
        sign_transaction(_Answers(UnavailableError("hsm.unavailable", "gone")), to=_TO, calldata=b"", **_FIELDS)


def test_recovery_takes_one_spelling() -> None:
    digest, account = b"\x5a" * 32, account_of(_KEY)
    signature = account.sign_digest(digest)
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    assert _ADDRESS in {recover_address(digest, r, s, parity) for parity in (0, 1)}
    for wrong in ((0, s, 0), (r, 0, 0), (ORDER, s, 0), (r, ORDER - s, 0), (r, ORDER - s, 1), (r, s, 2), (r, s, -1)):
        assert recover_address(digest, *wrong) is None


def test_a_recorded_transaction_is_held_against_its_bytes() -> None:
    transaction = sign_transaction(account_of(_KEY), to=_TO, calldata=b"data", **_FIELDS)
    check_transaction(transaction, to=_TO, calldata=b"data")
    for wrong in (
        replace(transaction, tx_hash=bytes(32)),
        replace(transaction, sender=bytes(20)),
        replace(transaction, nonce=10),
    ):
        with pytest.raises(VerificationError):
            check_transaction(wrong, to=_TO, calldata=b"data")
    for to, calldata in ((bytes(20), b"data"), (_TO, b"date")):
        with pytest.raises(VerificationError):
            check_transaction(transaction, to=to, calldata=calldata)


def test_each_changed_byte_of_a_transaction_is_found() -> None:
    transaction = sign_transaction(account_of(_KEY), to=_TO, calldata=b"data", **_FIELDS)
    for at in range(len(transaction.raw)):
        for flip in (0x01, 0x80):
            raw = bytearray(transaction.raw)
            raw[at] ^= flip
            with pytest.raises((MalformedError, VerificationError)):
                check_transaction(replace(transaction, raw=bytes(raw)), to=_TO, calldata=b"data")


def test_raw_bytes_without_a_chain_id_or_of_another_form() -> None:
    transaction = sign_transaction(account_of(_KEY), to=_TO, calldata=b"data", **_FIELDS)
    fields = rlp_decode(transaction.raw, what="test", max_bytes=1000)
    assert isinstance(fields, list)
    unprotected = rlp_encode([*fields[:6], b"\x1b", *fields[7:]])
    nested = rlp_encode([*fields[:6], [b"\x1b"], *fields[7:]])
    for raw in (unprotected, nested, rlp_encode(fields[:8]), rlp_encode([]), b"", b"\x02\xc0", rlp_encode(b"text")):
        with pytest.raises((MalformedError, VerificationError)):
            check_transaction(replace(transaction, raw=raw), to=_TO, calldata=b"data")
