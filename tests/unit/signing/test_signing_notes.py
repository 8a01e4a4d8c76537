"""Signed notes: published vectors, the rules for lines, and every changed byte."""

import base64
import hashlib
import json
import time
from pathlib import Path

import pytest

from signing import (
    Ed25519Signer,
    Es256Signer,
    LedgerError,
    MalformedError,
    NoteKey,
    Secret,
    VerificationError,
    add_signature,
    b64_encode,
    open_note,
    parse_note,
    sign_line,
    sign_note,
)

_VECTORS = Path(__file__).parents[2] / "vectors"
_NOTES = json.loads((_VECTORS / "signing_standards.json").read_text(encoding="utf-8"))["notes"]
_GO = json.loads((_VECTORS / "signed_notes.json").read_text(encoding="utf-8"))["go"]
_SIGNER, _OTHER = Ed25519Signer(b"\x01" * 32), Ed25519Signer(b"\x02" * 32)
_NAME, _TEXT = "example.gov/licences", "example.gov/licences\n8\n电子证照\n".encode()
_KEY = NoteKey.ed25519(_NAME, _SIGNER.public_key.raw)
_NOTE = sign_note(_TEXT, name=_NAME, signer=_SIGNER)
_LINE = _NOTE[len(_TEXT) + 1 :]


def _line(name: str, key_id: bytes, signature: bytes) -> bytes:
    return f"— {name} {b64_encode(key_id + signature)}\n".encode()


def _code(data: bytes, *keys: NoteKey) -> str:
    with pytest.raises(LedgerError) as caught:
        open_note(data, keys or (_KEY,))
    return caught.value.code


def _vector_key(vector: dict) -> NoteKey:
    if "vkey" in vector:
        return NoteKey.parse(vector["vkey"])
    return NoteKey.ed25519(vector["note"].partition("\n")[0], bytes.fromhex(vector["key"]))


@pytest.mark.parametrize("vector", _NOTES, ids=lambda vector: vector["name"])
def test_published_notes(vector: dict) -> None:
    raw, key = vector["note"].encode(), _vector_key(vector)
    note = open_note(raw, [key])
    assert (note.raw, note.text) == (raw, raw.rpartition(b"\n\n")[0] + b"\n")
    assert [line.key.name for line in note.verified] == [key.name]
    assert key.key_id.hex() == vector.get("key_id", key.key_id.hex())
    if "seed" in vector:
        signed = sign_note(note.text, name=key.name, signer=Ed25519Signer(bytes.fromhex(vector["seed"])))
        assert raw.startswith(signed)


def test_digests_of_the_published_checkpoint() -> None:
    raw = _NOTES[2]["note"].encode()
    log_line_only = b"".join(raw.splitlines(keepends=True)[:-1])
    figures = [(len(data), hashlib.sha256(data).hexdigest()[:8]) for data in (raw, log_line_only, parse_note(raw).text)]
    assert figures == [(315, "2c7177fc"), (187, "afc60298"), (68, "fa87a91d")]


def test_notes_of_the_go_library() -> None:
    keys = [NoteKey.parse(vkey) for vkey in _GO["vkeys"]]
    text, (peter, enoch) = _GO["text"].encode(), [line.encode() for line in _GO["lines"]]
    seed = base64.b64decode(_GO["private_key"].split("+", 4)[4])[1:]
    assert sign_note(text, name="PeterNeumann", signer=Ed25519Signer(Secret(seed))) == text + b"\n" + peter
    note = text + b"\n" + peter + enoch
    for known in (keys, keys[:1], keys[1:]):
        assert [line.key for line in open_note(note, known).verified] == known
    unknown = NoteKey.parse(_GO["unknown_vkey"])
    assert _code(note, unknown) == "note.unknown-key"
    for bad in (
        text + b"\n" + peter * 101, text + b"\n", note[:-1], b"\x01" + note, b"\xff" + note,
        note + b"Unexpected line.\n", note.replace(b"PeterNeumann", b"Bad Name"),
        text + b"\n" + peter[:60] + b"AB" + peter[60:], text + b"\n" + peter[:60] + b"ABCD" + peter[60:],
    ):  # fmt: skip
        assert _code(bad, *keys) in ("note.form", "note.line", "note.signature", "form.base64")


@pytest.mark.parametrize("vector", _NOTES, ids=lambda vector: vector["name"])
def test_every_changed_byte_is_refused(vector: dict) -> None:
    key = _vector_key(vector)
    whole = vector["note"].encode()
    raw = whole[: whole.index("\n— ".encode()) + 1] + _lines(whole)[0]
    open_note(raw, [key])
    for at in range(len(raw)):
        for byte in {raw[at] ^ 1, raw[at] ^ 0x20, raw[at] ^ 0x80, 0x0A, 0x20} - {raw[at]}:
            with pytest.raises(LedgerError):
                open_note(raw[:at] + bytes([byte]) + raw[at + 1 :], [key])
        for changed in (raw[:at], raw[at + 1 :], raw[:at] + raw[at + 1 :], raw[:at] + b"\n" + raw[at:]):
            with pytest.raises(LedgerError):
                open_note(changed, [key])


def _lines(raw: bytes) -> list[bytes]:
    return raw.rpartition(b"\n\n")[2].splitlines(keepends=True)


@pytest.mark.parametrize(
    "text", [b"\n", b"\n\n", b"a\n", b"a\n\nb\n", b"a\n\n\n\nb\n", b"a\n\n", "a\n\n— x YWFhYWE=\n".encode(), b"\x7f\n"]
)
def test_texts_with_empty_lines(text: bytes) -> None:
    assert open_note(sign_note(text, name=_NAME, signer=_SIGNER), [_KEY]).text == text


@pytest.mark.parametrize(
    "text", [b"", b"a", b"a\r\n", b"a\tb\n", b"\x00\n", b"a\x1f\n", b"\xff\n", b"\xed\xa0\x80\n", b"\n\na"]
)
def test_texts_that_are_not_signed(text: bytes) -> None:
    with pytest.raises(MalformedError):
        sign_note(text, name=_NAME, signer=_SIGNER)


def test_only_ed25519_and_good_names_sign() -> None:
    with pytest.raises(MalformedError):
        sign_note(_TEXT, name=_NAME, signer=Es256Signer(b"\x01" * 32))
    for name in ("", "a b", "a+b", "a\u3000b", "a\n"):
        with pytest.raises(MalformedError):
            sign_note(_TEXT, name=name, signer=_SIGNER)


@pytest.mark.parametrize("char", [*(bytes([byte]) for byte in range(32) if byte != 10)], ids=repr)
def test_control_characters(char: bytes) -> None:
    text = b"a" + char + b"b\n"
    note = text + b"\n" + _line(_NAME, _KEY.key_id, _SIGNER.sign(text))
    assert _code(note) == "note.form"


def test_several_lines() -> None:
    other = NoteKey.ed25519("witness.example/w1", _OTHER.public_key.raw)
    signed = _line(other.name, other.key_id, _OTHER.sign(_TEXT))
    for note in (_NOTE + signed, _NOTE[: -len(_LINE)] + signed + _LINE):
        assert {line.key.name for line in open_note(note, [_KEY, other]).verified} == {_NAME, other.name}
        assert [line.key.name for line in open_note(note, [other]).verified] == [other.name]
        assert len(parse_note(note).signatures) == 2


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    "line",
    [
        _line(_NAME, b"\x00\x00\x00\x00", bytes(64)),
        _line("example.gov/other", _KEY.key_id, bytes(64)),
        _line("unknown", b"abcd", b"x"),
        _line("unknown", b"abcd", bytes(5000)),
        _line("sm2.example", b"abcd", bytes(200)),
        _line("a" * 300, b"abcd", bytes(64)),
        _line("a\u200bb", b"abcd", bytes(64)),
        _line("a\u0378b", b"abcd", bytes(64)),
    ],
    ids=["known name", "known key ID", "short", "long", "other algorithm", "long name", "invisible", "unassigned"],
)
def test_lines_of_unknown_keys_are_ignored(line: bytes, place: str) -> None:
    note = _NOTE[: -len(_LINE)] + (line + _LINE if place == "before" else _LINE + line)
    assert [found.key for found in open_note(note, [_KEY]).verified] == [_KEY]
    assert _code(_NOTE[: -len(_LINE)] + line) == "note.unknown-key"


def test_no_known_key() -> None:
    other_name = NoteKey.ed25519("example.gov/other", _SIGNER.public_key.raw)
    other_key = NoteKey.ed25519(_NAME, _OTHER.public_key.raw)
    assert _code(_NOTE, other_name, other_key) == "note.unknown-key"
    with pytest.raises(VerificationError):
        open_note(_NOTE, [])
    assert _code(_NOTE, NoteKey(_NAME, 0x04, _SIGNER.public_key.raw)) == "note.unknown-key"


@pytest.mark.parametrize(
    "signature", [bytes(64), b"x", _SIGNER.sign(b"x"), _SIGNER.sign(_TEXT) + b"x", _OTHER.sign(_TEXT)]
)
def test_failing_line_of_a_known_key_refuses_the_whole_note(signature: bytes) -> None:
    bad = _line(_NAME, _KEY.key_id, signature)
    other = NoteKey.ed25519("witness.example/w1", _OTHER.public_key.raw)
    good = _line(other.name, other.key_id, _OTHER.sign(_TEXT))
    for lines in (bad, _LINE + bad, bad + _LINE, good + bad, good + _LINE + bad):
        assert _code(_TEXT + b"\n" + lines, _KEY, other) == "note.signature"


def test_a_line_twice_counts_once() -> None:
    assert len(open_note(_NOTE + _LINE, [_KEY]).verified) == 1
    assert len(open_note(_NOTE + _LINE, [_KEY, _KEY]).verified) == 1
    assert len(parse_note(_NOTE + _LINE).signatures) == 2


def test_lines_are_added_one_by_one() -> None:
    line = sign_line(_TEXT, name="witness.example/w1", signer=_OTHER)
    other = NoteKey.of("witness.example/w1", _OTHER.public_key)
    note = add_signature(_NOTE, line)
    assert note == _NOTE + line
    assert [found.key for found in open_note(note, [other, _KEY]).verified] == [_KEY, other]
    assert add_signature(note, line) == note + line


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"\n" + _LINE, _LINE[:-1], _LINE + b"\n", _LINE * 2, b"x\n" + _LINE, b"\n\n" + _LINE,
     _LINE + b"\n" + _LINE, b"x\n", "— x YQ==\n".encode(), b"\xff\n"],
    ids=range(12),
)  # fmt: skip
def test_only_one_whole_line_is_added(line: bytes) -> None:
    with pytest.raises(MalformedError):
        add_signature(_NOTE, line)


def test_nothing_is_added_to_what_is_no_note_or_full() -> None:
    for note in (b"", _TEXT, _TEXT + b"\n", _NOTE[:-1], _NOTE + _LINE * 99):
        with pytest.raises(MalformedError):
            add_signature(note, _LINE)
    assert len(parse_note(add_signature(_NOTE + _LINE * 98, _LINE)).signatures) == 100


def test_two_known_keys_with_one_id_are_refused() -> None:
    """Key IDs have 32 bits: seconds of searching gave these two seeds, whose keys share one under this name."""
    signers = [Ed25519Signer(number.to_bytes(32)) for number in (30630, 87342)]
    keys = [NoteKey.ed25519(_NAME, signer.public_key.raw) for signer in signers]
    assert keys[0].key_id == keys[1].key_id
    for signer, key in zip(signers, keys, strict=True):
        note = sign_note(_TEXT, name=_NAME, signer=signer)
        assert open_note(note, [_KEY, key]).text == _TEXT
        assert _code(note, *keys) == "note.ambiguous-key"


@pytest.mark.parametrize(
    "line",
    [
        _LINE[:-1],
        _LINE.replace("— ".encode(), b"- "),
        _LINE.replace("— ".encode(), "– ".encode()),
        _LINE.replace("— ".encode(), "― ".encode()),
        _LINE.replace("— ".encode(), "—".encode()),
        _LINE.replace("— ".encode(), "—  ".encode()),
        _LINE.replace("— ".encode(), "—\u00a0".encode()),
        _LINE.replace("— ".encode(), b""),
        b" " + _LINE,
        _LINE[:-1] + b" \n",
        _LINE[:-1] + b"\r\n",
        _LINE[:-1] + b"\t\n",
        _LINE[:-1] + b"=\n",
        _LINE[:-2] + b"\n",
        _LINE[:-1] + b" comment\n",
        _LINE.replace(_NAME.encode() + b" ", _NAME.encode() + b"  "),
        _LINE.replace(_NAME.encode(), b""),
        _LINE.replace(_NAME.encode(), b"a+b"),
        _LINE.replace(_NAME.encode(), "a\u3000b".encode()),
        _LINE.replace(_NAME.encode(), "a\u2028b".encode()),
        _LINE.replace(_NAME.encode(), "a\x85b".encode()),
        _LINE + b"\n",
        _LINE + b"x\n",
        _LINE[:-1] + "\u2028".encode() + _LINE,
        _LINE[:-1] + "\x85".encode() + _LINE,
        _LINE + "— x\n".encode(),
        _LINE + "— x \n".encode(),
        _LINE + "— x YQ==\n".encode(),
        _LINE + "— x YWJjZA==\n".encode(),
        _LINE + "— x YWJjZGV=\n".encode(),
        _LINE + "— x -_-_-_-_\n".encode(),
        _LINE + b"\xff\n",
        b"",
        b"\n",
    ],
    ids=repr,
)
def test_malformed_lines(line: bytes) -> None:
    with pytest.raises(MalformedError):
        open_note(_TEXT + b"\n" + line, [_KEY])


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\n\n", b"\n\n\n", _TEXT, _TEXT + _LINE, _LINE, b"\n" + _LINE, b"a\n\nb"]
)
def test_no_note_at_all(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note(data)


def test_sixteen_lines_and_a_hundred_are_read_and_one_more_is_not() -> None:
    unknown = [_line(f"witness.example/{number}", b"abcd", bytes(2428)) for number in range(100)]
    for count in (16, 99):
        assert len(parse_note(_NOTE + b"".join(unknown[:count])).signatures) == count + 1
    with pytest.raises(MalformedError):
        parse_note(_NOTE + b"".join(unknown))


def test_the_limit_is_one_mebibyte() -> None:
    text = b"a" * ((1 << 20) - len(_NOTE) + len(_TEXT) - 1) + b"\n"
    note = sign_note(text, name=_NAME, signer=_SIGNER)
    assert len(note) == 1 << 20
    assert open_note(note, [_KEY]).text == text
    assert _code(b"a" + note) == "form.size"
    with pytest.raises(MalformedError):
        sign_note(b"a" + text, name=_NAME, signer=_SIGNER)


@pytest.mark.parametrize(
    "data",
    [
        _TEXT + b"\n" + _LINE * 1_000_000,
        _TEXT + b"\n" + _LINE * 7000,
        _TEXT + b"\n" + "— \n".encode() * 200_000,
        b"\n" * 1_000_000,
        b"\n" * (1 << 20) + _LINE,
        b"a\n" * 500_000 + b"\n" + b"x" * 10_000 + b"\n",
        _TEXT + b"\n" + b"x" * 1_000_000 + b"\n",
        _TEXT + b"\n" + "— x ".encode() + b"=" * 1_000_000 + b"\n",
    ],
    ids=range(8),
)
def test_hostile_notes_are_refused_fast(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(MalformedError):
        open_note(data, [_KEY])
    assert time.process_time() - started < 0.5
