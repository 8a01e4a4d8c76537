"""Integers, object identifiers and algorithm names in DER: each has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing import MalformedError
from signing.rfc3161.der_values import INTEGER, OID, by_tag, der, der_integer, read_algorithm, read_integer, read_oid
from signing.x509.der import read_elements
from tests.support.tsa_forge import oid


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_an_integer_comes_back(value: int) -> None:
    (element,) = read_elements(der_integer(value), what="x")
    assert read_integer(element, what="x") == value


@pytest.mark.parametrize("content", ["", "0001", "ffff", "007f", "ff80", "00" + "ff" * 33])
def test_an_integer_has_one_spelling(content: str) -> None:
    (element,) = read_elements(der(INTEGER, bytes.fromhex(content)), what="x")
    with pytest.raises(MalformedError):
        read_integer(element, what="x")


@pytest.mark.parametrize(("content", "value"), [("ff", -1), ("80", -128), ("00ff", 255), ("7f", 127)])
def test_signs(content: str, value: int) -> None:
    (element,) = read_elements(der(INTEGER, bytes.fromhex(content)), what="x")
    assert read_integer(element, what="x") == value


@pytest.mark.parametrize("dotted", ["0.0", "1.2.840.113549.1.1.1", "2.5.29.37", "2.999.3", "1.39.16384"])
def test_an_object_identifier_comes_back(dotted: str) -> None:
    (element,) = read_elements(oid(dotted), what="x")
    assert read_oid(element, what="x") == dotted


@pytest.mark.parametrize("content", ["", "80", "8001", "2a8001", "2a86", "2a" * 65])
def test_an_object_identifier_has_one_spelling(content: str) -> None:
    (element,) = read_elements(der(OID, bytes.fromhex(content)), what="x")
    with pytest.raises(MalformedError):
        read_oid(element, what="x")


def test_an_algorithm_with_parameters_is_another_one() -> None:
    plain, null = der(0x30, oid("1.2.3")), der(0x30, oid("1.2.3"), b"\x05\x00")
    assert [read_algorithm(*read_elements(each, what="x"), what="x") for each in (plain, null)] == ["1.2.3", "1.2.3"]
    (element,) = read_elements(der(0x30, oid("1.2.3"), b"\x04\x00"), what="x")
    assert read_algorithm(element, what="x") == "1.2.3+"
    for bent in (b"\x30\x00", der(0x31, oid("1.2.3")), der(0x30, oid("1.2.3"), b"\x05\x00", b"\x05\x00")):
        (element,) = read_elements(bent, what="x")
        with pytest.raises(MalformedError):
            read_algorithm(element, what="x")


def test_optional_members_come_once_and_in_order() -> None:
    one, two = read_elements(der(0x30) + der(0x31), what="x")
    assert by_tag((one, two), 0x02, 0x30, 0x31, what="x") == {0x30: one, 0x31: two}
    for members in ((two, one), (one, one), (one, two)):
        with pytest.raises(MalformedError):
            by_tag(members, 0x30, what="x") if members == (one, two) else by_tag(members, 0x30, 0x31, what="x")
