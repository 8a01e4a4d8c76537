"""r‖s and DER: each value has one spelling in either form, and only numbers from 1 to n−1 are a signature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing import MalformedError, ecdsa, sm2
from signing.dss import der_to_raw, in_range, raw_to_der

_R, _S = 0x41 << 240 | 1, 0xC3 << 248 | 2  # the second needs a leading zero in DER
_RAW = _R.to_bytes(32) + _S.to_bytes(32)
_DER = raw_to_der(_RAW)


def _integer(content: bytes) -> bytes:
    return b"\x02" + bytes([len(content)]) + content


def _sequence(*content: bytes) -> bytes:
    body = b"".join(content)
    return b"\x30" + bytes([len(body)]) + body


_GOOD_R, _GOOD_S = _integer(_R.to_bytes(31)), _integer(_S.to_bytes(33))

_OTHER_SPELLINGS = {
    "negative s": _sequence(_GOOD_R, _integer(_S.to_bytes(32))),
    "negative r": _sequence(_integer(b"\xbe" + bytes(30)), _GOOD_S),
    "padded r": _sequence(_integer(b"\x00" + _R.to_bytes(31)), _GOOD_S),
    "padded s": _sequence(_GOOD_R, _integer(b"\x00" + _S.to_bytes(33))),
    "long-form length of the sequence": b"\x30\x81" + _DER[1:],
    "longer long form": b"\x30\x82\x00" + _DER[1:],
    "long-form length of r": _sequence(b"\x02\x81" + _GOOD_R[1:], _GOOD_S),
    "indefinite length": b"\x30\x80" + _GOOD_R + _GOOD_S + b"\x00\x00",
    "trailing byte": _DER + b"\x00",
    "trailing byte inside": _sequence(_GOOD_R, _GOOD_S, b"\x00"),
    "trailing element": _sequence(_GOOD_R, _GOOD_S, b"\x05\x00"),
    "one number": _sequence(_GOOD_R),
    "three numbers": _sequence(_GOOD_R, _GOOD_S, _GOOD_S),
    "empty number": _sequence(_GOOD_R, b"\x02\x00"),
    "empty sequence": b"\x30\x00",
    "empty": b"",
    "set": b"\x31" + _DER[1:],
    "octet string": _sequence(b"\x04" + _GOOD_R[1:], _GOOD_S),
    "boolean": _sequence(b"\x01\x01\xff", _GOOD_S),
    "cut off": _DER[:-1],
    "raw": _RAW,
    "nested": _sequence(_DER),
    "r too long": _sequence(_integer(b"\x01" + bytes(32)), _GOOD_S),
    "s of 300 bytes": b"\x30\x82\x01\x51" + _GOOD_R + b"\x02\x82\x01\x2c\x01" + bytes(299),
}


def test_the_one_spelling() -> None:
    assert _sequence(_GOOD_R, _GOOD_S) == _DER
    assert der_to_raw(_DER, 32) == _RAW


@pytest.mark.parametrize("der", _OTHER_SPELLINGS.values(), ids=_OTHER_SPELLINGS)
def test_other_spellings(der: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        der_to_raw(der, 32)
    assert caught.value.code == "signature.form"


@given(st.sampled_from([32, 48]).flatmap(lambda size: st.binary(min_size=2 * size, max_size=2 * size)))
def test_round_trip(raw: bytes) -> None:
    assert der_to_raw(raw_to_der(raw), len(raw) // 2) == raw


@given(st.integers(0, len(_DER) - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_signature_or_none(at: int, difference: int) -> None:
    changed = _DER[:at] + bytes([_DER[at] ^ difference]) + _DER[at + 1 :]
    try:
        raw = der_to_raw(changed, 32)
    except MalformedError:
        return
    assert raw != _RAW
    assert raw_to_der(raw) == changed


@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    try:
        raw = der_to_raw(data, 32)
    except MalformedError:
        return
    assert raw_to_der(raw) == data


@pytest.mark.parametrize(("order", "size"), [(ecdsa.ES256.order, 32), (ecdsa.ES384.order, 48), (sm2.ORDER, 32)])
def test_range(order: int, size: int) -> None:
    for bad in (0, order, order + 1, 2 ** (8 * size) - 1):
        assert not in_range(bad.to_bytes(size) + (1).to_bytes(size), size, order)
        assert not in_range((1).to_bytes(size) + bad.to_bytes(size), size, order)
    assert in_range((1).to_bytes(size) + (order - 1).to_bytes(size), size, order)
    for length in (0, size, 2 * size - 1, 2 * size + 1):
        assert not in_range(b"\x01" * length, size, order)
