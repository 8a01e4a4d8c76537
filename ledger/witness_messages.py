"""What a log and a witness say to each other (C2SP tlog-witness, ``add-checkpoint``), byte for byte.

    old 3\\n                                   size that the witness cosigned last
    ApjRIpBtz8EIkstTpzmS/…\\n                  0 to 63 hashes: consistency proof from there to the checkpoint
    \\n
    example.gov/licences\\n8\\n…               the checkpoint with its signature lines, to the end

The answer is the witness's signature lines; or, with status 409, the size it cosigned last, as ``text/x.tlog.size``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.checkpoint import Checkpoint, parse_checkpoint, read_checkpoint_lines
from ledger.hashing import EMPTY_ROOT, HASH_SIZE, RootHash
from ledger.proofs import MAX_PROOF_HASHES
from signing import (
    MalformedError,
    NoteKey,
    UnverifiedNote,
    VerificationError,
    b64_decode,
    b64_encode,
    parse_decimal,
    parse_note,
)
from signing.notes.note import NOTE_MAX_BYTES, NOTE_MAX_SIGNATURES
from signing.notes.note_lines import check_line, parse_line

SIZE_TYPE: Final = "text/x.tlog.size"
"""Media type of the body of a 409."""

REQUEST_MAX_BYTES: Final = NOTE_MAX_BYTES
ANSWER_MAX_BYTES: Final = 256 * 1024
_OLD: Final = b"old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A well-formed request, nothing of it verified; ``raw`` are its bytes.

    ``root`` is what the checkpoint claims; ``head`` is the checkpoint, but for size 0 always with the root of the empty
    tree: a witness answers a false one there later, and otherwise, than what is ill-formed.
    """

    raw: bytes = field(repr=False)
    old_size: int
    proof: tuple[bytes, ...]
    note: UnverifiedNote
    head: Checkpoint
    root: RootHash


@dataclass(frozen=True, slots=True)
class CosignatureLine:
    """A cosignature that verified: whose, when (Unix seconds), and the ``line`` with its newline."""

    key: NoteKey
    time: int
    line: bytes


def format_add_checkpoint(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The request's body; raises MalformedError if it would be none."""
    hashes = "".join(f"{b64_encode(value)}\n" for value in proof)
    return parse_add_checkpoint(f"old {old_size}\n{hashes}\n".encode() + note).raw


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Read a request's body.

    Raises MalformedError (``form.size``, ``witness.request``, ``form.decimal``, ``form.base64``, ``note.*``,
    ``form.checkpoint``).
    """
    if len(data) > REQUEST_MAX_BYTES:
        raise MalformedError("form.size", f"request: larger than {REQUEST_MAX_BYTES} bytes")
    head, blank, note = data.partition(b"\n\n")
    old, *lines = head.split(b"\n")
    if not blank or not old.startswith(_OLD):
        raise MalformedError("witness.request", "request: not an 'old' line, hashes, an empty line and a checkpoint")
    if len(lines) > MAX_PROOF_HASHES:
        raise MalformedError("witness.request", f"request: more than {MAX_PROOF_HASHES} hashes")
    old_size = parse_decimal(old.removeprefix(_OLD), what="old size")
    proof = tuple(b64_decode(line.decode("utf-8", "replace"), what="consistency proof") for line in lines)
    if any(len(value) != HASH_SIZE for value in proof):
        raise MalformedError("witness.request", f"request: a hash has not {HASH_SIZE} bytes")
    unverified = parse_note(note)
    origin, size, root, extensions = read_checkpoint_lines(unverified.text)
    if len(root) != HASH_SIZE:
        raise MalformedError("form.checkpoint", f"checkpoint: a root has {HASH_SIZE} bytes")
    checkpoint = Checkpoint(origin, size, RootHash(root) if size else EMPTY_ROOT, extensions)
    return AddCheckpoint(data, old_size, proof, unverified, checkpoint, RootHash(root))


def format_size(size: int) -> bytes:
    """The body of a 409."""
    return b"%d\n" % size


def parse_size(body: bytes) -> int:
    """The size in a 409; raises MalformedError (``witness.answer``, ``form.decimal``)."""
    if len(body) > 32 or not body.endswith(b"\n"):
        raise MalformedError("witness.answer", "witness: its 409 does not hold one size")
    return parse_decimal(body[:-1], what="size in a 409")


def read_cosignatures(
    answer: bytes, note: UnverifiedNote, keys: Sequence[NoteKey], *, latest_time: int
) -> tuple[CosignatureLine, ...]:
    """The cosignatures of ``keys`` in the answer to a request for ``note``, each verified, one for each key.

    Lines of other keys are ignored. Raises MalformedError (``witness.answer``, ``note.line``, ``form.base64``) if it is
    not lines; VerificationError: ``note.signature`` if a line of one of ``keys`` is false or has no time,
    ``witness.time`` if its time is after ``latest_time``, ``witness.no-cosignature`` if there is none of ``keys``.
    """
    parse_checkpoint(note.text)
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[NoteKey, CosignatureLine] = {}
    for line in _lines(answer):
        signature = parse_line(line)
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        time = check_line(key, signature.signature, note.text).time
        if not time or time > latest_time:
            raise VerificationError("witness.time", "witness: its cosignature has no time, or one in the future")
        found.setdefault(key, CosignatureLine(key, time, f"{line}\n".encode()))
    if not found:
        raise VerificationError("witness.no-cosignature", "witness: its answer has no line of the key set for it")
    return tuple(found.values())


def _lines(answer: bytes) -> list[str]:
    if len(answer) > ANSWER_MAX_BYTES:
        raise MalformedError("witness.answer", f"witness: its answer is larger than {ANSWER_MAX_BYTES} bytes")
    try:
        *lines, rest = answer.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("witness.answer", "witness: its answer is not UTF-8") from None
    if rest or len(lines) > NOTE_MAX_SIGNATURES:
        raise MalformedError("witness.answer", "witness: its answer is cut off, or has too many lines")
    return lines
