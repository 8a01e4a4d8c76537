"""Which byte of a bundle belongs to which question of the report: spans of JSON values, and who owns them."""

import json
from collections.abc import Iterator

from materials.report import Facet

Path = tuple[str | int, ...]
Span = tuple[int, int, Path]

SECTIONS = {
    "anchor": Facet.ANCHOR,
    "crls": Facet.ISSUER,
    "events": Facet.STATUS,
    "signatures": Facet.SIGNATURE,
    "status_list": Facet.STATUS,
    "timestamps": Facet.TIMESTAMP,
    "use": Facet.GRANT,
}


def value_spans(data: bytes) -> list[Span]:
    """(start, end, path) of the bytes of each canonical JSON value, outermost last; a string's without quotes."""
    spans: list[Span] = []
    assert _walk(data, 0, (), spans) == len(data)
    return spans


def _walk(data: bytes, at: int, path: Path, spans: list[Span]) -> int:
    start, first = at, data[at : at + 1]
    if first == b'"':
        stop = _string_end(data, at)
        spans.append((at + 1, stop, path))
        return stop + 1
    if first not in (b"{", b"["):
        while data[at : at + 1] not in (b",", b"}", b"]", b""):
            at += 1
        spans.append((start, at, path))
        return at
    at, number = at + 1, 0
    while data[at : at + 1] not in (b"}", b"]"):
        at += data[at : at + 1] == b","
        step: str | int = number
        if first == b"{":
            stop = _string_end(data, at)
            step, at = json.loads(data[at : stop + 1]), stop + 2
        at = _walk(data, at, (*path, step), spans)
        number += 1
    spans.append((start, at + 1, path))
    return at + 1


def _string_end(data: bytes, at: int) -> int:
    """Where the closing quote of the string that opens at ``at`` is."""
    at += 1
    while data[at : at + 1] != b'"':
        at += 2 if data[at : at + 1] == b"\\" else 1
    return at


def owners(data: bytes) -> list[Facet]:
    """The facet that answers for each byte of a bundle while the bundle keeps its form."""
    owning = [Facet.INTEGRITY] * len(data)
    for start, end, path in value_spans(data):
        for first, last, facet in _parts(data[start:end], path):
            owning[start + first : start + last] = [facet] * (last - first)
    return owning


def _parts(text: bytes, path: Path) -> Iterator[tuple[int, int, Facet]]:
    if len(path) == 1 and path[0] in SECTIONS:
        yield 0, len(text), SECTIONS[str(path[0])]
    if path == ("statement",):
        yield 0, text.index(b"~") + 1, Facet.SIGNATURE
    if path == ("receipt",):
        blank = text.index(b"\\n\\n")
        yield 0, blank, Facet.INCLUSION
        yield blank, len(text), Facet.CHECKPOINT
