"""The SM2 line of a note (type 0xff, ``ematerials/note/sm2-sm3/v1``), beside the Ed25519 line and alone."""

import hashlib
import json
import sys
from pathlib import Path

import gmalg
import pytest

from signing import (
    Ed25519Signer,
    LedgerError,
    MalformedError,
    NoteKey,
    PublicKey,
    Secret,
    Sm2Signer,
    add_signature,
    b64_decode,
    b64_encode,
    open_note,
    sign_line,
    sign_note,
)
from signing.notes.note_key import PRIVATE, SM2_IDENTIFIER
from signing.sm2 import ORDER

_CASE = json.loads((Path(__file__).parents[2] / "vectors/signed_notes.json").read_text(encoding="utf-8"))["checkpoint"]
_TEXT = _CASE["text"].encode()
_NAME = _CASE["text"].partition("\n")[0]
_POINT = bytes.fromhex(_CASE["sm2"]["point"])
_SIGNER = Sm2Signer(Secret(bytes.fromhex(_CASE["sm2"]["secret"]) + _POINT))
_KEY = NoteKey.parse(_CASE["sm2"]["vkey"])
_LINE = _CASE["sm2"]["line"].encode()
_LOG_NOTE, _LOG_KEY = _TEXT + b"\n" + _CASE["log_line"].encode(), NoteKey.parse(_CASE["log_vkey"])


def _line(key: NoteKey, signature: bytes) -> bytes:
    return f"— {key.name} {b64_encode(key.key_id + signature)}\n".encode()


def _code(data: bytes, *keys: NoteKey) -> str:
    with pytest.raises(LedgerError) as caught:
        open_note(data, keys)
    return caught.value.code


def test_key_byte_by_byte() -> None:
    follows = b"\xff" + b"ematerials/note/sm2-sm3/v1" + _POINT
    key_id = hashlib.sha256(_NAME.encode() + b"\n" + follows).digest()[:4]
    assert NoteKey.of(_NAME, PublicKey("SM2-SM3", _POINT)) == _KEY
    assert _KEY.format() == f"{_NAME}+{key_id.hex()}+{b64_encode(follows)}"
    assert (len(follows), _KEY.key_id, _KEY.type, _KEY.is_sm2) == (91, key_id, 0xFF, True)


def test_kept_line_verifies_here_and_elsewhere() -> None:
    assert [found.key for found in open_note(_TEXT + b"\n" + _LINE, [_KEY]).verified] == [_KEY]
    blob = b64_decode(_LINE.split(b" ")[2].strip().decode(), what="line")
    assert len(blob) == 4 + 64
    other = gmalg.SM2(uid=b"1234567812345678", pk=b"\x04" + _POINT)
    assert other.verify(_TEXT, blob[4:36], blob[36:])


def test_line_of_another_implementation() -> None:
    other = gmalg.SM2(bytes.fromhex(_CASE["sm2"]["secret"]), b"1234567812345678", b"\x04" + _POINT)
    assert open_note(_TEXT + b"\n" + _line(_KEY, b"".join(other.sign(_TEXT))), [_KEY]).verified[0].time is None
    other_id = gmalg.SM2(bytes.fromhex(_CASE["sm2"]["secret"]), b"ALICE123@YAHOO.COM", b"\x04" + _POINT)
    assert _code(_TEXT + b"\n" + _line(_KEY, b"".join(other_id.sign(_TEXT))), _KEY) == "note.signature"


def test_two_families_on_one_note() -> None:
    note = add_signature(_LOG_NOTE, sign_line(_TEXT, name=_NAME, signer=_SIGNER))
    for keys in ((_LOG_KEY,), (_KEY,), (_LOG_KEY, _KEY)):
        assert [found.key for found in open_note(note, keys).verified] == list(keys)
    alone = sign_note(_TEXT, name=_NAME, signer=_SIGNER)
    assert open_note(alone, [_KEY, _LOG_KEY]).verified[0].key == _KEY
    assert _code(alone, _LOG_KEY) == "note.unknown-key"


@pytest.mark.parametrize(
    "signature",
    [
        bytes(64), b"x", b"", _SIGNER.sign(b"x"), _SIGNER.sign(_TEXT) + b"x", _SIGNER.sign(_TEXT)[:-1],
        bytes(32) + _SIGNER.sign(_TEXT)[32:], _SIGNER.sign(_TEXT)[:32] + bytes(32),
        ORDER.to_bytes(32) + _SIGNER.sign(_TEXT)[32:], _SIGNER.sign(_TEXT)[:32] + ORDER.to_bytes(32), b"\xff" * 64,
        Ed25519Signer(Secret(b"\x01" * 32)).sign(_TEXT),
    ],
    ids=range(12),
)  # fmt: skip
def test_failing_sm2_line_refuses_the_whole_note(signature: bytes) -> None:
    if not signature:
        assert _code(_LOG_NOTE + _line(_KEY, signature), _LOG_KEY, _KEY) == "note.line"
        return
    for note in (_LOG_NOTE + _line(_KEY, signature), _LOG_NOTE + _LINE + _line(_KEY, signature)):
        assert _code(note, _LOG_KEY, _KEY) == "note.signature"
        assert open_note(note, [_LOG_KEY]).text == _TEXT


@pytest.mark.parametrize(
    "identifier", [b"", b"ematerials/note/sm2-sm3/v2", b"example.org/sm2", b"Ematerials/note/sm2-sm3/v1"]
)
def test_other_identifiers_are_unknown_types(identifier: bytes) -> None:
    """They are read and written; their lines are nobody's, whatever they hold."""
    key = NoteKey(_NAME, PRIVATE, identifier + _POINT)
    assert NoteKey.parse(key.format()) == key
    assert not key.is_sm2
    line = _line(key, _SIGNER.sign(_TEXT))
    assert _code(_TEXT + b"\n" + line, key) == "note.unknown-key"
    assert [found.key for found in open_note(_LOG_NOTE + line, [key, _LOG_KEY]).verified] == [_LOG_KEY]


@pytest.mark.parametrize(
    "rest",
    [b"", _POINT[:-1], _POINT + b"\x00", b"\x04" + _POINT, bytes(64), _POINT[:32] + bytes(32), b"\xff" * 64],
    ids=range(7),
)
def test_keys_that_are_no_points(rest: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        NoteKey(_NAME, PRIVATE, SM2_IDENTIFIER + rest)
    assert caught.value.code == "note.vkey"


def test_every_changed_byte() -> None:
    raw = _TEXT + b"\n" + _LINE
    for at in range(len(raw)):
        for byte in {raw[at] ^ 1, raw[at] ^ 0x20, 0x0A} - {raw[at]}:
            assert _code(raw[:at] + bytes([byte]) + raw[at + 1 :], _KEY)
        for changed in (raw[:at], raw[:at] + raw[at + 1 :]):
            assert _code(changed, _KEY)


def test_without_the_extra_nothing_is_said_unless_another_line_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    note = _LOG_NOTE + _LINE
    assert _code(note, _LOG_KEY, _KEY) == "extra.gm"
    assert open_note(note, [_LOG_KEY]).verified[0].key == _LOG_KEY
    assert _code(note + _line(_LOG_KEY, bytes(64)), _LOG_KEY, _KEY) == "note.signature"
    assert NoteKey.parse(_CASE["sm2"]["vkey"]) == _KEY
