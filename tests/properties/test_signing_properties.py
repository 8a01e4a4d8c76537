"""Properties of signing: mutated things never verify, only MalformedError escapes, every value has one spelling."""

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from signing import (
    Ed25519Signer,
    Es256Signer,
    LedgerError,
    MalformedError,
    NoteKey,
    PublicKey,
    b64_decode,
    b64_encode,
    b64url_decode,
    b64url_encode,
    dump_json,
    open_note,
    parse_decimal,
    parse_json,
    parse_jws,
    parse_note,
    sign_jws,
    sign_note,
    verify_jws,
)
from signing.keyfile import open_secret

_TYP = "grant+jwt"
_NAME = "example.gov/log"
_SIGNERS = (Ed25519Signer(b"\x01" * 32), Es256Signer(b"\x01" * 32))
_TOKENS = [sign_jws(signer, typ=_TYP, claims={"iss": "a", "list": [1, None, "电"]}) for signer in _SIGNERS]
_NOTE = sign_note("a\n\n8\n电\n".encode(), name=_NAME, signer=_SIGNERS[0])
_NOTE_KEY = NoteKey.ed25519(_NAME, _SIGNERS[0].public_key.raw)

_STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _STRINGS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_STRINGS, inner, max_size=5),
    max_leaves=15,
)
_PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', '"a"', '"b":', "\\", "\\u", "\\ud800", "\\udc00", "1", "-", "0", ".", "e",
     "true", "null", "NaN", "Infinity", " ", "\n", "\x00", "\ufeff", "\ud800", "电", "９", "9" * 20]
)  # fmt: skip


@st.composite
def _mutations(draw: st.DrawFn, original: str, pieces: st.SearchStrategy[str]) -> str:
    """``original`` with one to three stretches of it replaced, dropped, added or moved."""
    text = original
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        at = draw(st.integers(0, len(text)))
        new = draw(pieces | st.just(text[at : at + 3]))
        text = text[:start] + new + text[end:]
    return text


_CHARACTERS = st.text(st.sampled_from("AQgwBZ-_.=+/ \n0\x00é"), max_size=3) | st.text(max_size=2)


@pytest.mark.parametrize("which", [0, 1], ids=["Ed25519", "ES256"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutated_tokens_never_verify(which: int, data: st.DataObject) -> None:
    text = data.draw(_mutations(_TOKENS[which], _CHARACTERS))
    assume(text != _TOKENS[which])
    with pytest.raises(LedgerError):
        verify_jws(parse_jws(text, typ=_TYP, max_bytes=4096), _SIGNERS[which].public_key)


@pytest.mark.parametrize("which", [0, 1], ids=["Ed25519", "ES256"])
@settings(max_examples=200, deadline=None)
@given(part=st.integers(0, 2), bit=st.integers(0, 10_000))
def test_flipped_bits_under_the_encoding_never_verify(which: int, part: int, bit: int) -> None:
    parts = _TOKENS[which].split(".")
    raw = bytearray(b64url_decode(parts[part], what="part"))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    parts[part] = b64url_encode(bytes(raw))
    with pytest.raises(LedgerError):
        verify_jws(parse_jws(".".join(parts), typ=_TYP, max_bytes=4096), _SIGNERS[which].public_key)


@settings(max_examples=200, deadline=None)
@given(claims=st.dictionaries(_STRINGS, _JSON, max_size=5), seed=st.binary(min_size=32, max_size=32), ec=st.booleans())
def test_signed_claims_come_back(claims: dict[str, Any], seed: bytes, ec: bool) -> None:
    signer = Es256Signer(b"\x00" + seed[1:31] + b"\x01") if ec else Ed25519Signer(seed)
    text = sign_jws(signer, typ=_TYP, claims=claims)
    jws = parse_jws(text, typ=_TYP, max_bytes=len(text))
    assert verify_jws(jws, signer.public_key).claims == claims
    assert PublicKey.from_jwk(signer.public_key.to_jwk()) == signer.public_key


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_notes_never_verify(data: st.DataObject) -> None:
    pieces = st.text(st.sampled_from("\n —+=Aa\t\r\u2028"), max_size=3) | st.text(max_size=2)
    text = data.draw(_mutations(_NOTE.decode(), pieces))
    raw = text.encode("utf-8", "surrogatepass")
    signature_kept = raw.startswith(_NOTE) or _text_or_none(raw) == parse_note(_NOTE).text
    assume(not signature_kept)
    with pytest.raises(LedgerError):
        open_note(raw, [_NOTE_KEY])


def _text_or_none(raw: bytes) -> bytes | None:
    """The text of a note, if it is one: lines that nobody knows may be added to a note."""
    try:
        return parse_note(raw).text
    except MalformedError:
        return None


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters=map(chr, range(10))), max_size=60))
def test_notes_of_any_text_come_back(text: str) -> None:
    raw = text.encode() + b"\n"
    assume(not any(byte < 0x20 and byte != 0x0A for byte in raw))
    assert open_note(sign_note(raw, name=_NAME, signer=_SIGNERS[0]), [_NOTE_KEY]).text == raw


@settings(max_examples=300, deadline=None)
@given(value=_JSON)
def test_written_json_is_read_and_has_one_spelling(value: Any) -> None:
    written = dump_json(value)
    assert parse_json(written, what="x", max_bytes=len(written), max_depth=50) == value
    assert dump_json(parse_json(json.dumps(value), what="x", max_bytes=100_000, max_depth=50)) == written


def _accepted_json_agrees(data: bytes | str) -> None:
    try:
        value = parse_json(data, what="x", max_bytes=10_000)
    except MalformedError:
        return
    assert value == json.loads(data)
    assert parse_json(dump_json(value), what="x", max_bytes=10_000) == value


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200) | st.lists(_PIECES, max_size=30).map("".join))
def test_json_reader_raises_only_malformed(data: bytes | str) -> None:
    _accepted_json_agrees(data)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_json_raises_only_malformed(data: st.DataObject) -> None:
    text = data.draw(_JSON.map(json.dumps).flatmap(lambda good: _mutations(good, _PIECES)))
    _accepted_json_agrees(text)
    _accepted_json_agrees(text.encode("utf-8", "surrogatepass"))


_READERS: list[Callable[[bytes], object]] = [
    lambda raw: parse_jws(raw.decode("utf-8", "surrogateescape"), typ=_TYP, max_bytes=1000),
    parse_note,
    lambda raw: NoteKey.parse(raw.decode("utf-8", "surrogateescape")),
    lambda raw: open_secret(raw, b"passphrase"),
    lambda raw: parse_decimal(raw, what="x"),
    lambda raw: parse_decimal(raw.decode("utf-8", "surrogateescape"), what="x"),
    lambda raw: b64_decode(raw.decode("utf-8", "surrogateescape"), what="x"),
    lambda raw: b64url_decode(raw.decode("utf-8", "surrogateescape"), what="x"),
    lambda raw: PublicKey("Ed25519", raw),
    lambda raw: PublicKey("ES256", raw),
]


@pytest.mark.parametrize("reader", _READERS, ids=range(len(_READERS)))
@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=100) | st.binary(min_size=32, max_size=32) | st.binary(min_size=64, max_size=64))
def test_readers_raise_only_malformed(reader: Callable[[bytes], object], raw: bytes) -> None:
    with contextlib.suppress(MalformedError):
        reader(raw)


@settings(max_examples=200, deadline=None)
@given(signature=st.binary(max_size=100), message=st.binary(max_size=50), which=st.sampled_from([0, 1]))
def test_random_signatures_never_verify(signature: bytes, message: bytes, which: int) -> None:
    with pytest.raises(LedgerError):
        _SIGNERS[which].public_key.verify(signature, message)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=50), noise=st.text(max_size=8))
def test_base64_has_one_spelling(data: bytes, noise: str) -> None:
    assert b64_encode(data) == base64.b64encode(data).decode()
    for encode, decode in ((b64_encode, b64_decode), (b64url_encode, b64url_decode)):
        assert decode(encode(data), what="x") == data
        try:
            assert encode(decode(encode(data) + noise, what="x")) == encode(data) + noise
        except MalformedError:
            continue


@settings(max_examples=200, deadline=None)
@given(value=st.integers(0, 2**63 - 1), noise=st.text(max_size=3))
def test_decimals_have_one_spelling(value: int, noise: str) -> None:
    assert parse_decimal(str(value), what="x") == value
    for text in (noise + str(value), str(value) + noise):
        try:
            assert str(parse_decimal(text, what="x")) == text
        except MalformedError:
            continue
