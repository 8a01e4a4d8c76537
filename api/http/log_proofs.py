"""Proofs from a log, over HTTP: a receipt (C2SP tlog-proof), or a consistency proof with the later checkpoint in the
form in which a witness is asked (C2SP tlog-witness, ``add-checkpoint``). They are made from O(log n) tiles.
"""

from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response

from api.http.bodies import read_body
from api.http.log_places import LogPlace, Place
from api.http.resources import resource
from api.logs import find_entry, prove_entry, prove_extension
from ledger import ENTRY_MAX_BYTES, LeafHash, format_receipt, leaf_hash
from ledger.hashing import MAX_SIZE
from ledger.witness_messages import format_add_checkpoint
from signing import MalformedError, parse_decimal

_NOTE: Final = "text/plain; charset=utf-8"
_LEAF: Final = r"^[0-9a-f]{64}$"
Index = Annotated[str | None, Query(description="条目序号，从 0 起 · index, from 0", examples=["0"])]
Leaf = Annotated[
    str | None, Query(pattern=_LEAF, description="叶子哈希（小写十六进制） · leaf hash in hex", examples=["00" * 32])
]
Size = Annotated[str | None, Query(description="检查点大小，默认最新 · size of the checkpoint; the latest without it")]
From = Annotated[str, Query(alias="from", description="较早的大小 · the earlier size", examples=["1"])]
To = Annotated[str | None, Query(description="较晚的大小，默认最新 · the later size; the latest without it")]


async def _entry(request: Request) -> bytes:
    return await read_body(request, ENTRY_MAX_BYTES)


Entry = Annotated[bytes, Depends(_entry)]


def inclusion(place: Place, request: Request, index: Index = None, leaf: Leaf = None, size: Size = None) -> Response:
    """存在证明 · A receipt for the entry at `index`, or with leaf hash `leaf`, at a published `size`."""
    if (index is None) == (leaf is None):
        raise MalformedError("form.parameter", "one of index and leaf is needed")
    at = None if index is None else _number(index, "index")
    return _receipt(place, request, at, None if leaf is None else LeafHash(bytes.fromhex(leaf)), size)


def inclusion_of(place: Place, request: Request, entry: Entry, size: Size = None) -> Response:
    """条目的存在证明 · A receipt for the entry that is the body; nothing is kept of it."""
    return _receipt(place, request, None, leaf_hash(entry), size)


def consistency(place: Place, request: Request, old: From, to: To = None) -> Response:
    """一致性证明 · That the tree of size `from` is the beginning of the published one of size `to`."""
    first, second = _number(old, "from"), None if to is None else _number(to, "to")
    with place.reading() as (_, log):
        proof, note = prove_extension(log, first, second)
    return resource(request, format_add_checkpoint(first, proof, note), media_type=_NOTE, caching="no-cache")


def _receipt(place: LogPlace, request: Request, index: int | None, leaf: LeafHash | None, size: str | None) -> Response:
    wanted = None if size is None else _number(size, "size")
    with place.reading() as (_, log):
        at = find_entry(log, leaf) if leaf is not None else index or 0
        receipt = prove_entry(log, at, wanted)
    return resource(request, format_receipt(receipt), media_type=_NOTE, caching="no-cache")


def _number(text: str, what: str) -> int:
    return parse_decimal(text, what=what, maximum=MAX_SIZE)
