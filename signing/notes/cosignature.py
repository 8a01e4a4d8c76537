"""What a cosigner of a checkpoint signs (C2SP tlog-cosignature v1.1.0-rc.1).

* 0x04, Ed25519: ``cosignature/v1\\n``, ``time <decimal>\\n``, then the whole body, extension lines included.
* 0x06, ML-DSA-44: label, cosigner's name, time, origin, start = 0, end = size, root; extension lines not included.

The signature is the time (uint64) followed by the bare signature. Time is Unix seconds, at most 2^63−1. Time 0, which
claims nothing about "at that time the largest tree", is for 0x06 only. The 0x04 message does not name the cosigner: one
key for each cosigner, used for nothing else.
"""

from dataclasses import dataclass
from typing import Final

from signing.digests import sha256
from signing.encoding import INT64_MAX, b64_decode, parse_decimal
from signing.errors import MalformedError

_SUBTREE_LABEL: Final = b"subtree/v1\n\x00"
_ORIGIN_MAX: Final = 255
_TIME_SIZE: Final = 8
_EMPTY_ROOT: Final = sha256(b"")


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The three lines of a checkpoint's body that a cosignature is about; ``root`` has 32 bytes."""

    origin: bytes
    size: int
    root: bytes


def read_tree_head(body: bytes) -> TreeHead:
    """The head in a checkpoint's body; raises MalformedError (``form.checkpoint`` or of the encodings)."""
    origin, *lines = body.split(b"\n")
    if len(lines) < 3 or lines[-1] or not all(lines[:-1]):
        raise MalformedError("form.checkpoint", "checkpoint: not three lines or more, each with its newline")
    if not 0 < len(origin) <= _ORIGIN_MAX:
        raise MalformedError("form.checkpoint", f"checkpoint: the origin has not 1 to {_ORIGIN_MAX} bytes")
    size = parse_decimal(lines[0], what="checkpoint size")
    root = b64_decode(lines[1].decode("utf-8", "replace"), what="checkpoint root")
    if len(root) != len(_EMPTY_ROOT) or (size == 0 and root != _EMPTY_ROOT):
        raise MalformedError("form.checkpoint", "checkpoint: not a root of 32 bytes, or not that of an empty tree")
    return TreeHead(origin, size, root)


def cosignature_message(body: bytes, time: int) -> bytes:
    """The 0x04 message; raises MalformedError (``note.time``)."""
    return b"cosignature/v1\ntime %d\n" % _check_time(time, minimum=1) + body


def subtree_message(name: str, head: TreeHead, time: int) -> bytes:
    """The 0x06 message for a checkpoint, by the cosigner ``name`` (1 to 255 bytes); raises MalformedError."""
    cosigner = name.encode()
    return b"".join(
        (
            _SUBTREE_LABEL,
            len(cosigner).to_bytes() + cosigner,
            _check_time(time, minimum=0).to_bytes(_TIME_SIZE),
            len(head.origin).to_bytes() + head.origin,
            bytes(8),
            head.size.to_bytes(8),
            head.root,
        )
    )


def join_time(time: int, signature: bytes) -> bytes:
    """``timestamped_signature``: uint64 ‖ bare signature."""
    return time.to_bytes(_TIME_SIZE) + signature


def split_time(signature: bytes) -> tuple[int, bytes]:
    """Time and bare signature."""
    return int.from_bytes(signature[:_TIME_SIZE]), signature[_TIME_SIZE:]


def _check_time(time: int, *, minimum: int) -> int:
    if not minimum <= time <= INT64_MAX:
        raise MalformedError("note.time", f"cosignature: its time is not from {minimum} to 2^63-1")
    return time
