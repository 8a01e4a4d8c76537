"""Signed notes, byte for byte as C2SP signed-note v1.0.0 has them.

A note is UTF-8 text that ends in a newline, an empty line, then one or more signature lines:

    — <key name> <base64( key ID[4] ‖ signature )>

The signed bytes are the text with its last newline, without the empty line. The text may itself hold empty lines: the
last one divides.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError, VerificationError
from signing.keys import PublicKey, Signer
from signing.note_key import ED25519, NoteKey, is_key_name

_DASH: Final = "— "
_CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f]")
NOTE_MAX_BYTES: Final = 1 << 20
NOTE_MAX_SIGNATURES: Final = 100


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, 4-byte key ID and the bytes that follow it."""

    name: str
    key_id: bytes
    signature: bytes


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
    verified: tuple[NoteSignature, ...]


def _check_characters(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("note.form", "note: not UTF-8") from None
    if _CONTROL.search(data):
        raise MalformedError("note.form", "note: holds a control character")


def sign_note(text: bytes, *, name: str, signer: Signer) -> bytes:
    """Return the note of ``text`` with one Ed25519 line (type 0x01) of ``signer`` under ``name``.

    Raises MalformedError if ``text`` does not end in a newline, holds control characters or is too large for
    ``parse_note``, or if the key is not Ed25519.
    """
    if not text.endswith(b"\n"):
        raise MalformedError("note.form", "note text: does not end in a newline")
    if signer.public_key.algorithm != "Ed25519":
        raise MalformedError("note.key", "a note is signed with an Ed25519 key")
    key = NoteKey.ed25519(name, signer.public_key.raw)
    line = f"{_DASH}{name} {b64_encode(key.key_id + signer.sign(text))}\n"
    return parse_note(text + b"\n" + line.encode()).raw


def _parse_line(line: str) -> NoteSignature:
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not blank:
        raise MalformedError("note.line", "note: a signature line is not '— <name> <base64>'")
    if not is_key_name(name):
        raise MalformedError("note.line", "note: a signature line has no proper key name")
    blob = b64_decode(encoded, what="note signature")
    if len(blob) < 5:
        raise MalformedError("note.line", "note: a signature line holds no signature")
    return NoteSignature(name, blob[:4], blob[4:])


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
    return UnverifiedNote(data, text, tuple(_parse_line(line) for line in lines))


def open_note(data: bytes | UnverifiedNote, keys: Sequence[NoteKey]) -> VerifiedNote:
    """Verify a note against the known Ed25519 ``keys``.

    Lines whose (name, key ID) pair is unknown are ignored. Raises VerificationError: ``note.signature`` if any line of
    a known key fails (the whole note is refused), ``note.unknown-key`` if no line is of a known key,
    ``note.ambiguous-key`` if two of ``keys`` share name and key ID. Raises MalformedError as ``parse_note`` does.
    """
    note = parse_note(data) if isinstance(data, bytes) else data
    ours = {key for key in keys if key.type == ED25519}
    known = {(key.name, key.key_id): key for key in ours}
    if len(known) != len(ours):
        raise VerificationError("note.ambiguous-key", "note: two of the known keys share name and key ID")
    verified: dict[NoteKey, NoteSignature] = {}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        try:
            PublicKey("Ed25519", key.public_key).verify(line.signature, note.text)
        except VerificationError:
            raise VerificationError("note.signature", "note: the line of a known key does not verify") from None
        verified.setdefault(key, line)
    if not verified:
        raise VerificationError("note.unknown-key", "note: no signature line is of a known key")
    return VerifiedNote(note.raw, note.text, tuple(verified.values()))
