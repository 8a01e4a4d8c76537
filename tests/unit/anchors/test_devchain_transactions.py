"""Raw transactions: what eth-account signs is read back, everything else is malformed."""

import pytest
import rlp
from eth_account import Account
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anchors.devchain.transactions import MAX_RAW_BYTES, decode_transaction
from signing import MalformedError
from tests.support.devchain_world import address_of

KEY = b"\x05" * 32
FIELDS = {"nonce": 7, "gas": 50_000, "gasPrice": 0, "value": 3, "data": b"abc", "to": b"\x09" * 20, "chainId": 20261}
SIGNED = Account.sign_transaction(FIELDS, KEY)
RAW = bytes(SIGNED.raw_transaction)


def test_a_signed_transaction_is_read_back() -> None:
    read = decode_transaction(RAW)
    assert (read.raw, read.hash, read.sender) == (RAW, bytes(SIGNED.hash), address_of(KEY))
    assert (read.chain_id, read.nonce, read.gas, read.gas_price) == (20261, 7, 50_000, 0)
    assert (read.to, read.value, read.data, read.created_address()) == (b"\x09" * 20, 3, b"abc", None)
    assert read.message().intrinsic_gas() == 21_000 + 3 * 16


def test_contract_creation() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "to"} | {"nonce": 0, "data": b"\0\1"}
    key = bytes.fromhex("45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8")
    read = decode_transaction(bytes(Account.sign_transaction(fields, key).raw_transaction))
    assert read.to is None
    # A published pair: the first contract of this sender.
    assert read.sender.hex() == "a94f5374fce5edbc8e2a8697c15331677e6ebf0b"
    assert read.created_address() == bytes.fromhex("6295ee1b4f6dd65047762f924ecd367c17eabf8f")
    assert read.message().intrinsic_gas() == 53_000 + 4 + 16


@pytest.mark.parametrize("length", range(len(RAW)))
def test_every_prefix_is_malformed(length: int) -> None:
    with pytest.raises(MalformedError):
        decode_transaction(RAW[:length])


ITEMS = rlp.decode(RAW)


@pytest.mark.parametrize("at", range(9))
@pytest.mark.parametrize("bad", [[], [b"\x01"], b"\0", b"\xff" * 33])
def test_no_item_may_be_a_list_or_not_canonical(at: int, bad: object) -> None:
    changed = [*ITEMS[:at], bad, *ITEMS[at + 1 :]]
    if at == 5 and isinstance(bad, bytes):  # data may be any bytes; then the sender is another
        assert decode_transaction(rlp.encode(changed)).sender != address_of(KEY)
        return
    with pytest.raises(MalformedError):
        decode_transaction(rlp.encode(changed))


def test_limits_and_deep_nesting() -> None:
    for raw in (b"", bytes(MAX_RAW_BYTES + 1), b"\xf9" + bytes(MAX_RAW_BYTES), rlp.encode([b""] * 10), RAW + b"\0"):
        with pytest.raises(MalformedError):
            decode_transaction(raw)
    deep = b"\xc0"
    for _ in range(3000):
        deep = _wrap(deep)
    with pytest.raises(MalformedError):
        decode_transaction(deep)


def _wrap(inner: bytes) -> bytes:
    if len(inner) < 56:
        return bytes([0xC0 + len(inner)]) + inner
    length = len(inner).to_bytes((len(inner).bit_length() + 7) // 8, "big")
    return bytes([0xF7 + len(length)]) + length + inner


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), min_size=1, max_size=5))
@example([(len(RAW) - 1, RAW[-1] ^ 1)])
def test_changed_bytes_never_keep_the_sender(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(RAW)
    for at, value in changes:
        raw[at] = value
    if bytes(raw) == RAW:
        return
    try:
        read = decode_transaction(bytes(raw))
    except MalformedError:
        return
    assert read.sender != address_of(KEY)
