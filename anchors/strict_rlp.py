"""RLP with one accepted spelling per value: what is decoded must encode to the same bytes again.

Yellow Paper appendix B. The library's own decoder is lenient about a few truncations and recurses without a bound.
"""

from collections.abc import Sequence
from typing import cast

import rlp

from signing import MalformedError

RlpItem = bytes | list["RlpItem"]


def rlp_encode(item: RlpItem | Sequence[RlpItem]) -> bytes:
    """Encode bytes or nested sequences of bytes."""
    return cast(bytes, rlp.encode(item))


def rlp_decode(data: bytes, *, what: str, max_bytes: int) -> RlpItem:
    """Decode exactly one item that fills ``data``; raises MalformedError (``form.size``, ``form.rlp``)."""
    if len(data) > max_bytes:
        raise MalformedError("form.size", f"{what}: larger than {max_bytes} bytes")
    try:
        item = cast(RlpItem, rlp.decode(data))
        canonical = rlp_encode(item) == data
    except (rlp.exceptions.RLPException, IndexError, ValueError, RecursionError):
        raise MalformedError("form.rlp", f"{what}: not RLP") from None
    if not canonical:
        raise MalformedError("form.rlp", f"{what}: RLP is not canonical")
    return item


def rlp_list(item: RlpItem, *, what: str) -> list[RlpItem]:
    """Return ``item`` if it is a list."""
    if not isinstance(item, list):
        raise MalformedError("form.rlp", f"{what}: a list is needed")
    return item


def rlp_bytes(item: RlpItem, *, what: str, length: int | None = None) -> bytes:
    """Return ``item`` if it is a string, of exactly ``length`` bytes if that is given."""
    if not isinstance(item, bytes):
        raise MalformedError("form.rlp", f"{what}: a string is needed")
    if length is not None and len(item) != length:
        raise MalformedError("form.rlp", f"{what}: {length} bytes are needed")
    return item


def rlp_uint(item: RlpItem, *, what: str, max_bytes: int = 8) -> int:
    """Return ``item`` as an unsigned integer: big-endian, no leading zero byte, zero is the empty string."""
    data = rlp_bytes(item, what=what)
    if len(data) > max_bytes or data.startswith(b"\0"):
        raise MalformedError("form.rlp", f"{what}: not a canonical integer of at most {max_bytes} bytes")
    return int.from_bytes(data, "big")
