"""What a monitor remembers of a log between audits (``ematerials/log-audit/v1``), as one JSON file."""

from dataclasses import dataclass, field
from typing import Final

from ledger.hashing import MAX_SIZE
from signing import JsonValue, MalformedError, dump_json, json_int, json_list, json_object, json_str, parse_json
from signing.notes.note import NOTE_MAX_BYTES

MEMORY_MAX_BYTES: Final = 64 << 20
CONTRADICTIONS_MAX: Final = 8
_VERSION: Final = "ematerials/log-audit/v1"
_WHAT: Final = "audit state"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two notes of one log, both with its good signature, that can't both be true: proof that it equivocated."""

    known: bytes = field(repr=False)
    served: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Memory:
    """``note``: the newest checkpoint that was accepted, b"" before the first. ``checked``: how many entries from the
    left were read and found to be under it. ``contradictions`` stay for ever.
    """

    note: bytes = field(default=b"", repr=False)
    checked: int = 0
    contradictions: tuple[Contradiction, ...] = ()


def format_memory(memory: Memory) -> bytes:
    """The file, byte for byte."""
    evidence: list[JsonValue] = [
        {"known": each.known.decode(), "served": each.served.decode()} for each in memory.contradictions
    ]
    members: dict[str, JsonValue] = {
        "version": _VERSION,
        "checkpoint": memory.note.decode(),
        "checked": memory.checked,
        "contradictions": evidence,
    }
    return dump_json(members) + b"\n"


def parse_memory(data: bytes) -> Memory:
    """Read a file strictly; the notes in it are not verified.

    Raises MalformedError (``form.version``, ``form.size``, ``form.json`` …; never starts afresh by itself, for then
    damage to the file would make a monitor forget).
    """
    value = json_object(
        parse_json(data, what=_WHAT, max_bytes=MEMORY_MAX_BYTES),
        what=_WHAT,
        required=("version", "checkpoint", "checked", "contradictions"),
    )
    if value["version"] != _VERSION:
        raise MalformedError("form.version", f"{_WHAT}: not of version {_VERSION}")
    evidence = json_list(value["contradictions"], what="contradictions", max_items=CONTRADICTIONS_MAX)
    memory = Memory(
        _note(value["checkpoint"]),
        json_int(value["checked"], what="checked", maximum=MAX_SIZE),
        tuple(_contradiction(each) for each in evidence),
    )
    if format_memory(memory) != data:
        raise MalformedError("form.canonical", f"{_WHAT}: not in the one spelling")
    return memory


def _contradiction(value: JsonValue) -> Contradiction:
    members = json_object(value, what="contradiction", required=("known", "served"))
    return Contradiction(_note(members["known"]), _note(members["served"]))


def _note(value: JsonValue) -> bytes:
    return json_str(value, what="note", max_length=NOTE_MAX_BYTES).encode()
