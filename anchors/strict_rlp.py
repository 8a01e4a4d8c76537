"""RLP with one accepted spelling per value, read and written in one pass.

Yellow Paper appendix B. Lengths are the shortest, single small bytes stand for themselves, nothing follows the item,
and nesting is bounded.
"""

from collections.abc import Sequence
from typing import Final

from signing import MalformedError

RlpItem = bytes | list["RlpItem"]

_DEPTH_MAX: Final = 16
_SHORT_MAX: Final = 55
_STRING, _LONG_STRING, _LIST, _LONG_LIST = 0x80, 0xB7, 0xC0, 0xF7


class _NotRlpError(Exception):
    """What the reader raises inside; ``rlp_decode`` says of what."""


def _prefix(length: int, short: int, long: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((short + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((long + len(size),)) + size


def rlp_encode(item: RlpItem | Sequence[RlpItem]) -> bytes:
    """Encode bytes or nested sequences of bytes."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _STRING:
            return item
        return _prefix(len(item), _STRING, _LONG_STRING) + item
    body = b"".join([rlp_encode(each) for each in item])
    return _prefix(len(body), _LIST, _LONG_LIST) + body


def _long_length(data: bytes, at: int, size: int, end: int) -> int:
    if at + size > end or data[at] == 0:
        raise _NotRlpError
    length = int.from_bytes(data[at : at + size], "big")
    if length <= _SHORT_MAX:
        raise _NotRlpError
    return length


def _read_list(data: bytes, start: int, stop: int, depth: int) -> list[RlpItem]:
    if depth == 0:
        raise _NotRlpError
    items: list[RlpItem] = []
    while start < stop:
        item, start = _read(data, start, stop, depth - 1)
        items.append(item)
    return items


def _read(data: bytes, at: int, end: int, depth: int) -> tuple[RlpItem, int]:
    """The item at ``at``, and where it stops; nothing beyond ``end`` is looked at."""
    if at >= end:
        raise _NotRlpError
    first, start = data[at], at + 1
    if first < _STRING:
        return data[at:start], start
    base = _STRING if first < _LIST else _LIST
    length = first - base
    if length > _SHORT_MAX:
        size = length - _SHORT_MAX
        length = _long_length(data, start, size, end)
        start += size
    stop = start + length
    if stop > end:
        raise _NotRlpError
    if base == _LIST:
        return _read_list(data, start, stop, depth), stop
    if length == 1 and data[start] < _STRING:
        raise _NotRlpError
    return data[start:stop], stop


def rlp_decode(data: bytes, *, what: str, max_bytes: int) -> RlpItem:
    """Decode exactly one item that fills ``data``; raises MalformedError (``form.size``, ``form.rlp``)."""
    if len(data) > max_bytes:
        raise MalformedError("form.size", f"{what}: larger than {max_bytes} bytes")
    try:
        item, stop = _read(data, 0, len(data), _DEPTH_MAX)
    except _NotRlpError:
        raise MalformedError("form.rlp", f"{what}: not RLP, or not canonical") from None
    if stop != len(data):
        raise MalformedError("form.rlp", f"{what}: bytes follow the RLP")
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
