"""Steps between trees that are too large to build: subtree hashes are invented, and joined as RFC 9162 joins them."""

import hashlib
from itertools import count


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def invented_step(old: int, new: int) -> tuple[bytes, bytes, list[bytes]]:
    """Old root, new root and a consistency proof that joins them, for 0 < ``old`` < ``new``."""
    fresh = (hashlib.sha256(b"subtree %d" % number).digest() for number in count())
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = next(fresh)
    nodes = [] if old & (old - 1) == 0 else [fr]
    while sn:
        nodes.append(next(fresh))
        if fn & 1 or fn == sn:
            fr, sr = _node(nodes[-1], fr), _node(nodes[-1], sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _node(sr, nodes[-1])
        fn, sn = fn >> 1, sn >> 1
    return fr, sr, nodes
