"""Signed notes, byte for byte as C2SP signed-note v1.0.0 has them.

A note is UTF-8 text that ends in a newline, an empty line, then one or more signature lines:

    — <key name> <base64( key ID[4] ‖ signature )>

The signed bytes are the text with its last newline, without the empty line. The text may itself hold empty lines: the
last one divides. What the types of lines sign is in ``signing.notes.note_key`` and ``signing.notes.cosignature``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.keys import Signer
from signing.notes.cosignature import cosignature_message, join_time, read_tree_head, subtree_message
from signing.notes.mldsa44 import MlDsa44Signer
from signing.notes.note_key import ML_DSA_44, NoteKey
from signing.notes.note_lines import NoteSignature, VerifiedLine, check_line, format_line, parse_line

_CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f]")
NOTE_MAX_BYTES: Final = 1 << 20
NOTE_MAX_SIGNATURES: Final = 100


@dataclass(frozen=True, slots=True)
class UnverifiedNote:
    """A well-formed note; ``raw`` are its bytes as received, ``text`` the bytes that were signed."""

    raw: bytes
    text: bytes
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A note with a good line of at least one known key; ``verified`` has the first line of each such key.

    Only ``open_note`` makes one.
    """

    raw: bytes
    text: bytes
    verified: tuple[VerifiedLine, ...]


def _check_characters(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("note.form", "note: not UTF-8") from None
    if _CONTROL.search(data):
        raise MalformedError("note.form", "note: holds a control character")


def sign_line(text: bytes, *, name: str, signer: Signer) -> bytes:
    """One line over ``text`` under ``name``: type 0x01 for an Ed25519 key, our 0xff for an SM2 key.

    Raises MalformedError if ``text`` does not end in a newline or holds control characters, or for another key.
    """
    if not text.endswith(b"\n"):
        raise MalformedError("note.form", "note text: does not end in a newline")
    _check_characters(text)
    return format_line(NoteKey.of(name, signer.public_key), signer.sign(text))


def sign_note(text: bytes, *, name: str, signer: Signer) -> bytes:
    """The note of ``text`` with the line that ``sign_line`` makes.

    Raises MalformedError as ``sign_line`` does, and if the note would be too large for ``parse_note``.
    """
    return parse_note(text + b"\n" + sign_line(text, name=name, signer=signer)).raw


def cosign(note: VerifiedNote, *, name: str, signer: Signer | MlDsa44Signer, time: int) -> bytes:
    """The cosignature line of a checkpoint: type 0x04 for an Ed25519 key, 0x06 for ML-DSA-44.

    Says that at ``time`` this was the largest consistent tree seen for its origin: the caller has checked that.
    Raises MalformedError: ``form.checkpoint`` if the note is no checkpoint, ``note.key``, ``note.name``, ``note.time``
    (Unix seconds, not 0 for 0x04).
    """
    head = read_tree_head(note.text)
    if isinstance(signer, MlDsa44Signer):
        key, message = NoteKey(name, ML_DSA_44, signer.raw), subtree_message(name, head, time)
    else:
        key, message = NoteKey.of(name, signer.public_key).cosigner(), cosignature_message(note.text, time)
    return format_line(key, join_time(time, signer.sign(message)))


def add_signature(note: bytes, line: bytes) -> bytes:
    """The note with ``line`` (one signature line with its newline) after its others, none of them verified.

    Raises MalformedError (``note.*``, ``form.size``) if that is no note, or more than one line would be added.
    """
    before, after = parse_note(note), parse_note(note + line)
    if (after.text, after.signatures[:-1]) != (before.text, before.signatures):
        raise MalformedError("note.line", "note: what is added is not one signature line")
    return after.raw


def parse_note(
    data: bytes, *, max_bytes: int = NOTE_MAX_BYTES, max_signatures: int = NOTE_MAX_SIGNATURES
) -> UnverifiedNote:
    """Take a note apart without verifying it; raises MalformedError (``form.size``, ``note.*``)."""
    if len(data) > max_bytes:
        raise MalformedError("form.size", f"note: larger than {max_bytes} bytes")
    split = data.rfind(b"\n\n")
    if split < 0 or not data.endswith(b"\n"):
        raise MalformedError("note.form", "note: no empty line before the signatures, or no newline at the end")
    _check_characters(data)
    text, tail = data[: split + 1], data[split + 2 :]
    if tail.count(b"\n") > max_signatures:
        raise MalformedError("note.form", f"note: more than {max_signatures} signature lines")
    if not tail:
        raise MalformedError("note.form", "note: no signature line")
    lines = tail.decode("utf-8")[:-1].split("\n")
    return UnverifiedNote(data, text, tuple(parse_line(line) for line in lines))


def open_note(data: bytes | UnverifiedNote, keys: Sequence[NoteKey]) -> VerifiedNote:
    """Verify a note against the known ``keys``.

    Lines whose (name, key ID) pair is unknown are ignored, as are keys of types that are not verified here. Raises
    VerificationError: ``note.signature`` if any line of a known key fails (the whole note is refused),
    ``note.unknown-key`` if no line is of a known key, ``note.ambiguous-key`` if two of ``keys`` share name and key ID;
    UnavailableError (``extra.gm``, ``algorithm.unavailable``) if no line fails, but one can't be checked here;
    MalformedError as ``parse_note`` does.
    """
    note = parse_note(data) if isinstance(data, bytes) else data
    known = _index(keys)
    verified: dict[NoteKey, VerifiedLine] = {}
    unchecked: UnavailableError | None = None
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        try:
            verified.setdefault(key, check_line(key, line.signature, note.text))
        except UnavailableError as error:
            unchecked = error
    if unchecked is not None:
        raise unchecked
    if not verified:
        raise VerificationError("note.unknown-key", "note: no signature line is of a known key")
    return VerifiedNote(note.raw, note.text, tuple(verified.values()))


def _index(keys: Sequence[NoteKey]) -> dict[tuple[str, bytes], NoteKey]:
    ours = {key for key in keys if key.is_verifiable}
    known = {(key.name, key.key_id): key for key in ours}
    if len(known) != len(ours):
        raise VerificationError("note.ambiguous-key", "note: two of the known keys share name and key ID")
    return known
