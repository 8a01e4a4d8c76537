"""Receipts: index, inclusion proof and signed checkpoint in one file (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1\\n
    index 5\\n
    <base64 hash>\\n          0 to 63 lines, the leaf's sibling first
    \\n
    <the checkpoint note, verbatim>

C2SP allows an ``extra`` line before the index. Nothing authenticates it, so we neither write nor accept one: every
byte of a receipt that is accepted here is covered by the log's signature or by the hashes below it, except for
signature lines of keys that the reader does not know.
"""

from dataclasses import dataclass, field
from typing import Final

from ledger.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from ledger.hashing import HASH_SIZE, LeafHash, leaf_hash
from ledger.proofs import MAX_PROOF_HASHES, verify_inclusion
from signing import MalformedError, NoteKey, b64_decode, b64_encode, parse_decimal

RECEIPT_MAX_BYTES: Final = 1 << 20
_HEADER: Final = b"c2sp.org/tlog-proof@v1"
_INDEX: Final = b"index "


@dataclass(frozen=True, slots=True)
class Receipt:
    """A well-formed receipt, not verified: ``proof`` are 32-byte hashes, ``checkpoint_note`` the note's exact bytes."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint_note: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """That the log of a known key holds ``leaf`` at ``index`` of the tree of ``checkpoint``."""

    index: int
    leaf: LeafHash
    checkpoint: Checkpoint


def format_receipt(receipt: Receipt) -> bytes:
    """The file, byte for byte; give it the media type ``text/plain; charset=utf-8`` and the ending ``.tlog-proof``."""
    lines = [_HEADER, _INDEX + str(receipt.index).encode(), *(b64_encode(value).encode() for value in receipt.proof)]
    return b"\n".join([*lines, b"", receipt.checkpoint_note])


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt strictly; the checkpoint in it is of the right form but not verified.

    Raises MalformedError (``form.size``, ``form.receipt``, ``form.decimal``, ``form.base64``, and those of notes and
    checkpoints).
    """
    if len(data) > RECEIPT_MAX_BYTES:
        raise MalformedError("form.size", f"receipt: larger than {RECEIPT_MAX_BYTES} bytes")
    head, blank, note = data.partition(b"\n\n")
    header, *lines = head.split(b"\n", MAX_PROOF_HASHES + 2)
    if header != _HEADER or not blank or not lines:
        raise MalformedError("form.receipt", "receipt: does not begin as c2sp.org/tlog-proof@v1 does")
    if not lines[0].startswith(_INDEX):
        raise MalformedError("form.receipt", "receipt: the second line is not the index (an extra line is refused)")
    if len(lines) > MAX_PROOF_HASHES + 1:
        raise MalformedError("form.receipt", f"receipt: more than {MAX_PROOF_HASHES} hashes")
    index = parse_decimal(lines[0].removeprefix(_INDEX), what="receipt index")
    read_checkpoint(note)
    return Receipt(index, tuple(_parse_hash(line) for line in lines[1:]), note)


def _parse_hash(line: bytes) -> bytes:
    value = b64_decode(line.decode("utf-8", "replace"), what="receipt hash")
    if len(value) != HASH_SIZE:
        raise MalformedError("form.receipt", f"receipt: a hash has {HASH_SIZE} bytes")
    return value


def verify_receipt_inclusion(receipt: Receipt, leaf: LeafHash, checkpoint: Checkpoint) -> None:
    """Return if the receipt's proof places ``leaf`` in the tree of ``checkpoint``, which the caller has verified.

    Raises VerificationError (``proof.inclusion``).
    """
    verify_inclusion(index=receipt.index, size=checkpoint.size, leaf=leaf, proof=receipt.proof, root=checkpoint.root)


def verify_receipt(receipt: Receipt, entry: bytes, key: NoteKey) -> VerifiedReceipt:
    """Check, in the order of C2SP tlog-proof: leaf of ``entry``, origin and signature of the log, inclusion.

    Raises VerificationError or MalformedError as ``open_checkpoint`` does, and VerificationError ``proof.inclusion``.
    """
    leaf = leaf_hash(entry)
    checkpoint = open_checkpoint(receipt.checkpoint_note, key)
    verify_receipt_inclusion(receipt, leaf, checkpoint)
    return VerifiedReceipt(receipt.index, leaf, checkpoint)
