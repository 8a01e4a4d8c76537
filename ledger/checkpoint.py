"""Checkpoints: what a log signs about its tree (C2SP tlog-checkpoint v1.0.0 in a C2SP signed note).

    example.gov/licences\\n                               origin
    8\\n                                                  size, decimal
    XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\\n       root, base64
    \\n
    — example.gov/licences JLdE6V…\\n                     one Ed25519 line of the log; other lines may follow

The origin is also the name of the log's key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.hashing import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, RootHash
from ledger.proofs import verify_consistency
from signing import (
    MalformedError,
    NoteKey,
    Signer,
    VerificationError,
    VerifiedNote,
    b64_decode,
    b64_encode,
    open_note,
    parse_decimal,
    parse_note,
    sign_note,
)
from signing.notes.note_lines import format_line

ORIGIN_MAX_BYTES: Final = 255
_BODY_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: the log's name, the number of its entries and its root.

    ``extensions`` are further lines that other software may have signed; we write none and read no meaning into them.
    """

    origin: str
    size: int
    root: RootHash
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_line(self.origin, "origin")
        if len(self.origin.encode()) > ORIGIN_MAX_BYTES:
            raise MalformedError("form.checkpoint", f"checkpoint: the origin has more than {ORIGIN_MAX_BYTES} bytes")
        if not 0 <= self.size <= MAX_SIZE:
            raise MalformedError("form.checkpoint", "checkpoint: the size is out of range")
        if len(self.root) != HASH_SIZE:
            raise MalformedError("form.checkpoint", f"checkpoint: a root has {HASH_SIZE} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise MalformedError("form.checkpoint", "checkpoint: size 0 without the root of the empty tree")
        for line in self.extensions:
            _check_line(line, "extension line")


def _check_line(line: str, what: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError:
        raise MalformedError("form.checkpoint", f"checkpoint: the {what} is not text") from None
    if not line or any(char < " " for char in line):
        raise MalformedError("form.checkpoint", f"checkpoint: the {what} is empty or holds a control character")


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The body: the bytes that are signed."""
    lines = (checkpoint.origin, str(checkpoint.size), b64_encode(checkpoint.root), *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines).encode()


def parse_checkpoint(body: bytes) -> Checkpoint:
    """Read a body strictly; says nothing about who signed it.

    Raises MalformedError (``form.checkpoint``, ``form.decimal``, ``form.base64``).
    """
    origin, size, root, extensions = read_checkpoint_lines(body)
    return Checkpoint(origin, size, RootHash(root), extensions)


def read_checkpoint_lines(body: bytes) -> tuple[str, int, bytes, tuple[str, ...]]:
    """Origin, size, root and extension lines of a body, not yet looked at together; raises as ``parse_checkpoint``."""
    if len(body) > _BODY_MAX_BYTES:
        raise MalformedError("form.checkpoint", f"checkpoint: larger than {_BODY_MAX_BYTES} bytes")
    try:
        lines = body.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("form.checkpoint", "checkpoint: not UTF-8") from None
    if len(lines) < 4 or lines[-1]:
        raise MalformedError("form.checkpoint", "checkpoint: not three lines or more, each with its newline")
    origin, size, root, *extensions = lines[:-1]
    size_of_tree = parse_decimal(size, what="checkpoint size")
    return origin, size_of_tree, b64_decode(root, what="checkpoint root"), tuple(extensions)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """The signed note of ``checkpoint``, with one Ed25519 line under its origin.

    Raises MalformedError if the origin can't be a key name or the signer is not Ed25519.
    """
    NoteKey.ed25519(checkpoint.origin, signer.public_key.raw)
    return sign_note(format_checkpoint(checkpoint), name=checkpoint.origin, signer=signer)


def read_checkpoint(note: bytes) -> Checkpoint:
    """The checkpoint a note holds, *without* looking at its signatures; raises MalformedError if it is ill-formed."""
    return parse_checkpoint(parse_note(note).text)


def open_checkpoint(note: bytes, key: NoteKey) -> Checkpoint:
    """The checkpoint that the log of ``key`` signed.

    Raises MalformedError, or VerificationError: ``note.*`` if the signature is missing or false,
    ``checkpoint.origin`` if the key signed for another log.
    """
    checkpoint = parse_checkpoint(open_note(note, [key]).text)
    if checkpoint.origin != key.name:
        raise VerificationError("checkpoint.origin", "checkpoint: its origin is not the name of the log's key")
    return checkpoint


def known_lines(opened: VerifiedNote) -> bytes:
    """The note with one line of each key that verified, and without any other line: nothing on it is unproved."""
    lines = {(line.name, line.key_id): line.signature for line in reversed(parse_note(opened.raw).signatures)}
    kept = (format_line(line.key, lines[line.key.name, line.key.key_id]) for line in opened.verified)
    return b"".join((opened.text, b"\n", *kept))


def verify_extension(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Return if ``new`` only adds to ``old``: same log, and a consistency proof that holds.

    Everything extends the empty tree, and equal sizes need equal roots; both with an empty proof.
    Raises VerificationError (``checkpoint.origin``, ``proof.consistency``).
    """
    if old.origin != new.origin:
        raise VerificationError("checkpoint.origin", "checkpoints: of two different logs")
    if 0 < old.size < new.size:
        verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof)
    elif old.size > new.size:
        raise VerificationError("proof.consistency", "checkpoints: the later one is smaller")
    elif proof:
        raise VerificationError("proof.consistency", "consistency proof: must be empty for these sizes")
    elif old.size == new.size and old.root != new.root:
        raise VerificationError("proof.consistency", "checkpoints: of equal size with different roots")
