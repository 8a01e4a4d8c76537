"""Strict base64, base64url and decimals."""

import base64

import pytest

from signing import MalformedError, b64_decode, b64_encode, b64url_decode, b64url_encode, parse_decimal


@pytest.mark.parametrize(
    ("data", "standard", "url"),
    [
        (b"", "", ""),
        (b"f", "Zg==", "Zg"),
        (b"fo", "Zm8=", "Zm8"),
        (b"foobar", "Zm9vYmFy", "Zm9vYmFy"),
        (b"\xfb\xff\xfe", "+//+", "-__-"),
    ],
)
def test_rfc4648_vectors(data: bytes, standard: str, url: str) -> None:
    assert (b64_encode(data), b64url_encode(data)) == (standard, url)
    assert b64_decode(standard, what="x") == b64url_decode(url, what="x") == data


@pytest.mark.parametrize(
    "text",
    ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z", "=", "====", "Zg==Zg==", "Zm8=\n", " Zm8=", "Zm\n8=", "Z!m8=", "-__-",
     "Zm8\u00a0", "Ｚｍ８=", "Zm8=\x00", "\ud800", "Zg=\u200b="],
)  # fmt: skip
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        b64_decode(text, what="the signature")
    assert caught.value.code == "form.base64"
    assert str(caught.value).startswith("the signature: ")


@pytest.mark.parametrize(
    "text",
    ["Zg==", "Zm8=", "Zh", "Zm9", "Z", "=", "+//+", "+__-", "Zm8\n", "\nZm8", " Zm8", "Zm 8", "Z!m8", "Zm8.", "Ｚｍ８",
     "Zm8\x00", "\udfff", "Zm9vY"],
)  # fmt: skip
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        b64url_decode(text, what="x")
    assert caught.value.code == "form.base64url"


def test_all_last_characters() -> None:
    """Of the 64 spellings that differ in unused trailing bits, exactly the canonical ones are read."""
    alphabet = base64.urlsafe_b64encode(bytes(range(256))).decode() + "-_"
    for size, expected in ((1, 4), (2, 16)):
        stem = b64url_encode(b"\x00" * size)[:-1]
        good = 0
        for last in set(alphabet) - {"="}:
            try:
                b64url_decode(stem + last, what="x")
                good += 1
            except MalformedError:
                continue
        assert good == expected


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("7", 7), ("10", 10), (b"42", 42), (str(2**63 - 1), 2**63 - 1)])
def test_decimals(text: str | bytes, value: int) -> None:
    assert parse_decimal(text, what="size") == value


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "-0", "+42", "4_2", " 42", "42 ", "42\n", "\n42", "4 2", "0x2a", "42.0", "4e1", "٤٢", "４２", "²",
     "৪", "42\x00", "\ud800", b"\xff", b"42\n", b"", str(2**63), "9" * 20, "9" * 21, "9" * 5000, b"9" * 5000],
)  # fmt: skip
def test_other_decimals_are_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_decimal(text, what="size")
    assert caught.value.code == "form.decimal"


def test_decimal_limit() -> None:
    assert parse_decimal("255", what="size", maximum=255) == 255
    with pytest.raises(MalformedError):
        parse_decimal("256", what="size", maximum=255)
