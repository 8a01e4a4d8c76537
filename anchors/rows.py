"""Rows of the outbox, read as if a stranger had written them: SQLite keeps any type in any column."""

from typing import Final

from anchors.outbox import Submission
from signing import VerificationError

_SIZES: Final = {"root": 32, "note_hash": 32, "tx_hash": 32, "block_hash": 32, "anchorer": 20}
_BYTES: Final = ("calldata", "raw")
_COUNTS: Final = (
    "size",
    "planned_at",
    "revision",
    "attempts",
    "next_action_at",
    "old_size",
    "nonce",
    "gas_limit",
    "gas_price",
    "sent_at",
    "receipt_status",
    "block_number",
)


def _fits(name: str, value: object) -> bool:
    if value is None:
        return True
    if name in _COUNTS:
        return isinstance(value, int) and value >= 0
    if name in _SIZES:
        return isinstance(value, bytes) and len(value) == _SIZES[name]
    return isinstance(value, bytes)


def check_row(row: Submission) -> Submission:
    """A stored submission whose members have the types and sizes of their columns.

    Raises VerificationError (``outbox.damaged``), naming the column.
    """
    for name in (*_COUNTS, *_SIZES, *_BYTES):
        if not _fits(name, getattr(row, name)):
            raise VerificationError("outbox.damaged", f"anchor_submissions: a row has a {name} that is none")
    return row
