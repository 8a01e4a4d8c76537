"""Properties of notes with several kinds of line, and of what is signed as JSON."""

import contextlib
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signing import (
    Ed25519Signer,
    LedgerError,
    MalformedError,
    MlDsa44Signer,
    NoteKey,
    Secret,
    UnverifiedNote,
    add_signature,
    cosign,
    dump_json,
    open_note,
    parse_json,
    parse_jws,
    parse_note,
    sign_jws,
    sign_note,
    verify_jws,
)
from signing.notes.cosignature import read_tree_head
from signing.notes.note_lines import check_line

_CASE = json.loads((Path(__file__).parents[1] / "vectors/signed_notes.json").read_text(encoding="utf-8"))["checkpoint"]
_SIGNED = [_CASE["cosignature"], _CASE["sm2"], _CASE["ml_dsa_44"]]
_KEYS = [NoteKey.parse(_CASE["log_vkey"]), *(NoteKey.parse(each["vkey"]) for each in _SIGNED)]
_NOTE = "".join((_CASE["text"], "\n", _CASE["log_line"], *(each["line"] for each in _SIGNED))).encode()
_GOOD = open_note(_NOTE, _KEYS)
_ED, _PQ = Ed25519Signer(Secret(b"\x01" * 32)), MlDsa44Signer(Secret(bytes(32)))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_mutated_note_says_nothing_new(data: st.DataObject) -> None:
    """It is refused, or fewer lines count; text and times stay."""
    raw = _NOTE
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)) | st.integers(0, 400))
        end = start + data.draw(st.integers(0, 100))
        at = data.draw(st.integers(0, len(raw)))
        new = data.draw(st.sampled_from([b"\n", "— ".encode(), b" ", b"A", b"="]) | st.binary(max_size=3))
        raw = raw[:start] + data.draw(st.just(new) | st.just(raw[at : at + 200])) + raw[end:]
    with contextlib.suppress(LedgerError):
        found = open_note(raw, _KEYS)
        assert found.text == _GOOD.text
        assert set(found.verified) <= set(_GOOD.verified)


@settings(max_examples=200, deadline=None)
@given(order=st.permutations(range(4)), twice=st.lists(st.integers(0, 3), max_size=4), known=st.sets(st.integers(0, 3)))
def test_lines_in_any_order(order: list[int], twice: list[int], known: set[int]) -> None:
    lines = _NOTE.rpartition(b"\n\n")[2].splitlines(keepends=True)
    note = _GOOD.text + b"\n" + b"".join(lines[number] for number in [*order, *twice])
    keys = [_KEYS[number] for number in known]
    if known:
        assert [found.key for found in open_note(note, keys).verified] == [_KEYS[n] for n in order if n in known]
    else:
        with contextlib.suppress(LedgerError):
            assert not open_note(note, keys)


@settings(max_examples=300, deadline=None)
@given(which=st.integers(0, 3), signature=st.binary(max_size=80) | st.binary(min_size=2428, max_size=2428))
def test_random_signatures_never_verify(which: int, signature: bytes) -> None:
    for text in (_GOOD.text, b"", b"a\n"):
        with contextlib.suppress(LedgerError):
            assert not check_line(_KEYS[which], signature, text)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bodies_are_heads_or_malformed(body: bytes) -> None:
    with contextlib.suppress(MalformedError):
        read_tree_head(body)
    with contextlib.suppress(MalformedError):
        head = read_tree_head(body + b"\n7\n" + _CASE["text"].split("\n")[2].encode() + b"\n")
        assert (head.origin, head.size) == (body, 7)


@settings(max_examples=300, deadline=None)
@given(note=st.binary(max_size=100) | st.just(_NOTE), line=st.binary(max_size=100))
def test_what_is_added_leaves_the_rest_alone(note: bytes, line: bytes) -> None:
    with contextlib.suppress(MalformedError):
        added: UnverifiedNote = parse_note(add_signature(note, line))
        assert added.raw == note + line
        assert (added.text, added.signatures[:-1]) == (parse_note(note).text, parse_note(note).signatures)


@settings(max_examples=100, deadline=None)
@given(
    origin=st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=60),
    size=st.integers(1, 2**63 - 1),
    time=st.integers(1, 2**63 - 1),
    quantum=st.booleans(),
)
def test_cosignatures_of_any_checkpoint_come_back(origin: str, size: int, time: int, quantum: bool) -> None:
    text = f"{origin}\n{size}\n{_CASE['text'].split(chr(10))[2]}\n".encode()
    note = open_note(sign_note(text, name="log", signer=_ED), [NoteKey.of("log", _ED.public_key)])
    line = cosign(note, name="w", signer=_PQ if quantum else _ED, time=time)
    key = NoteKey("w", 6, _PQ.raw) if quantum else NoteKey.of("w", _ED.public_key).cosigner()
    assert [(found.key, found.time) for found in open_note(note.text + b"\n" + line, [key]).verified] == [(key, time)]


_NAMES = st.text(max_size=5) | st.integers(-2, 2) | st.none()
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(_NAMES, inner, max_size=4)
        | inner.map(lambda value: [[[[[[value]]]]]])
    ),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(value=_VALUES)
def test_whatever_is_written_and_signed_can_be_read(value: Any) -> None:
    """The writer asks no reader; it must refuse by itself all that the reader would."""
    try:
        written = dump_json(value, max_depth=16)
    except MalformedError:
        return
    assert parse_json(written, what="x", max_bytes=len(written)) == json.loads(json.dumps(value))
    try:
        text = sign_jws(_ED, typ="grant+jwt", claims={"a": value})
    except MalformedError:  # one level deeper
        return
    read = verify_jws(parse_jws(text, typ="grant+jwt", max_bytes=len(text)), _ED.public_key)
    assert read.claims == {"a": json.loads(written)}
