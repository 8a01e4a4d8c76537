"""How far a check of a log came, as a file, so that one that was cut off goes on (``ematerials/log-fsck/v1``)."""

from dataclasses import dataclass
from typing import Final

from ledger.hashing import HASH_SIZE, MAX_SIZE
from signing import (
    JsonValue,
    MalformedError,
    b64_decode,
    b64_encode,
    dump_json,
    json_int,
    json_object,
    json_str,
    parse_json,
)

POSITION_MAX_BYTES: Final = 64 << 20
_VERSION: Final = "ematerials/log-fsck/v1"
_WHAT: Final = "fsck state"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was found to be right: roots of its first spans, and the size of the last checkpoint in them."""

    roots: tuple[bytes, ...] = ()
    signed_size: int = 0


def format_position(vkey: str, position: Position) -> bytes:
    """The file for the log of a key, byte for byte."""
    members: dict[str, JsonValue] = {
        "version": _VERSION,
        "log": vkey,
        "roots": b64_encode(b"".join(position.roots)),
        "signed_size": position.signed_size,
    }
    return dump_json(members) + b"\n"


def parse_position(data: bytes, vkey: str) -> Position:
    """Read a file strictly; raises MalformedError (``form.*``), also for one of another log."""
    value = parse_json(data, what=_WHAT, max_bytes=POSITION_MAX_BYTES)
    members = json_object(value, what=_WHAT, required=("version", "log", "roots", "signed_size"))
    if members["version"] != _VERSION:
        raise MalformedError("form.version", f"{_WHAT}: not of version {_VERSION}")
    if members["log"] != vkey:
        raise MalformedError("form.member", f"{_WHAT}: of another log")
    roots = b64_decode(json_str(members["roots"], what="roots", max_length=POSITION_MAX_BYTES), what="roots")
    if len(roots) % HASH_SIZE:
        raise MalformedError("form.range", f"{_WHAT}: roots have {HASH_SIZE} bytes each")
    split = tuple(roots[at : at + HASH_SIZE] for at in range(0, len(roots), HASH_SIZE))
    return Position(split, json_int(members["signed_size"], what="signed_size", maximum=MAX_SIZE))
