"""Signature lines of notes: ``— <key name> <base64( key ID[4] ‖ signature )>``, and what each type of key signs."""

from dataclasses import dataclass
from typing import Final

from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError, VerificationError
from signing.keys import PublicKey
from signing.notes import mldsa44
from signing.notes.cosignature import cosignature_message, read_tree_head, split_time, subtree_message
from signing.notes.note_key import COSIGNATURE, ML_DSA_44, SM2_IDENTIFIER, NoteKey, is_key_name

_DASH: Final = "— "


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: key name, 4-byte key ID and the bytes that follow it."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class VerifiedLine:
    """A line that verified: whose it is, and for a cosignature its time (Unix seconds; 0 says nothing of when)."""

    key: NoteKey
    time: int | None


def format_line(key: NoteKey, signature: bytes) -> bytes:
    """The line with its newline."""
    return f"{_DASH}{key.name} {b64_encode(key.key_id + signature)}\n".encode()


def parse_line(line: str) -> NoteSignature:
    """Read a line without its newline; raises MalformedError (``note.line``, ``form.base64``)."""
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not blank:
        raise MalformedError("note.line", "note: a signature line is not '— <name> <base64>'")
    if not is_key_name(name):
        raise MalformedError("note.line", "note: a signature line has no proper key name")
    blob = b64_decode(encoded, what="note signature")
    if len(blob) < 5:
        raise MalformedError("note.line", "note: a signature line holds no signature")
    return NoteSignature(name, blob[:4], blob[4:])


def check_line(key: NoteKey, signature: bytes, text: bytes) -> VerifiedLine:
    """Verify the signature of a known key over a note's text.

    Raises VerificationError (``note.signature``), UnavailableError (``extra.gm``, ``algorithm.unavailable``). No clock
    is asked: whether the time of a cosignature is acceptable is for the caller.
    """
    try:
        if key.type in (COSIGNATURE, ML_DSA_44):
            return VerifiedLine(key, _check_cosignature(key, signature, text))
        _public_key(key).verify(signature, text)
    except (VerificationError, MalformedError):
        raise VerificationError("note.signature", "note: the line of a known key does not verify") from None
    return VerifiedLine(key, None)


def _check_cosignature(key: NoteKey, timed: bytes, text: bytes) -> int:
    head = read_tree_head(text)
    time, signature = split_time(timed)
    if key.type == COSIGNATURE:
        PublicKey("Ed25519", key.public_key).verify(signature, cosignature_message(text, time))
    elif not mldsa44.verifies(key.public_key, signature, subtree_message(key.name, head, time)):
        raise VerificationError("note.signature", "note: the ML-DSA-44 signature does not verify")
    return time


def _public_key(key: NoteKey) -> PublicKey:
    if key.is_sm2:
        return PublicKey("SM2-SM3", key.public_key.removeprefix(SM2_IDENTIFIER))
    return PublicKey("Ed25519", key.public_key)
