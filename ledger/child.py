"""The checkpoint of a child ledger as an entry of its parent's log.

    ematerials/child-checkpoint/v1\\n
    old 3\\n                                size of the child's checkpoint that was logged before; 0 if none was
    <base64 hash>\\n                        0 to 63: consistency proof from there
    \\n
    <the child's checkpoint with one signature line, the child's, to the end>

After the first line it is what a witness is asked (C2SP tlog-witness, ``add-checkpoint``). So whoever reads the
parent's log can follow each child in it, without asking the child: one that forks is found there.
"""

from typing import Final

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.tiles import check_entry
from ledger.witness_messages import AddCheckpoint, format_add_checkpoint, parse_add_checkpoint
from signing import MalformedError, NoteKey

CHILD_HEADER: Final = b"ematerials/child-checkpoint/v1\n"


def format_child_entry(request: AddCheckpoint, note: bytes) -> bytes:
    """The entry for a child's request; ``note`` is its checkpoint with the child's line alone.

    Raises MalformedError (``form.child-entry``, ``form.entry-size``).
    """
    entry = CHILD_HEADER + format_add_checkpoint(request.old_size, request.proof, note)
    parse_child_entry(entry)
    check_entry(entry)
    return entry


def parse_child_entry(entry: bytes) -> AddCheckpoint:
    """Read an entry; nothing in it is verified.

    Raises MalformedError: ``form.child-entry`` if it is none, and as ``parse_add_checkpoint``.
    """
    body = entry.removeprefix(CHILD_HEADER)
    if body == entry:
        raise MalformedError("form.child-entry", "entry: not the checkpoint of a child ledger")
    request = parse_add_checkpoint(body)
    if len(request.note.signatures) != 1 or request.old_size >= request.head.size:
        raise MalformedError("form.child-entry", "entry: one signature line, and a size above the old one, are needed")
    return request


def open_child_entry(entry: bytes, key: NoteKey) -> Checkpoint:
    """The child's checkpoint in an entry, once it is shown to be signed by the child's log ``key``.

    Says nothing about the growth from the one before: that needs the entry before. Raises MalformedError as
    ``parse_child_entry``, and what ``open_checkpoint`` raises.
    """
    parse_child_entry(entry)
    return open_checkpoint(entry.partition(b"\n\n")[2], key)
