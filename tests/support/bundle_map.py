"""Which byte of a bundle belongs to which question of the report: JSON spans, and the facet that owns each."""

import json
from collections.abc import Iterator

from materials.report import Facet

Path = tuple[str | int, ...]
Span = tuple[int, int, Path]


def scalar_spans(data: bytes) -> list[Span]:
    """(start, end, path) of each string's, number's or literal's bytes, quotes left out; the rest is structure."""
    spans: list[Span] = []
    end = _walk(data, 0, (), spans)
    assert end == len(data)
    return spans


def _walk(data: bytes, at: int, path: Path, spans: list[Span]) -> int:
    if data[at : at + 1] == b"{":
        at += 1
        while data[at : at + 1] != b"}":
            at += data[at : at + 1] == b","
            stop = _string_end(data, at)
            at = _walk(data, stop + 2, (*path, json.loads(data[at : stop + 1])), spans)
        return at + 1
    if data[at : at + 1] == b"[":
        at, number = at + 1, 0
        while data[at : at + 1] != b"]":
            at += data[at : at + 1] == b","
            at = _walk(data, at, (*path, number), spans)
            number += 1
        return at + 1
    if data[at : at + 1] == b'"':
        stop = _string_end(data, at)
        spans.append((at + 1, stop, path))
        return stop + 1
    stop = at
    while data[stop : stop + 1] not in (b",", b"}", b"]", b""):
        stop += 1
    spans.append((at, stop, path))
    return stop


def _string_end(data: bytes, at: int) -> int:
    """Where the closing quote of the string that opens at ``at`` is."""
    at += 1
    while data[at : at + 1] != b'"':
        at += 2 if data[at : at + 1] == b"\\" else 1
    return at


def owners(data: bytes) -> list[Facet]:
    """The facet that answers for each byte of a bundle while the bundle keeps its form."""
    owning = [Facet.INTEGRITY] * len(data)
    for start, end, path in scalar_spans(data):
        for first, last, facet in _parts(data[start:end], path):
            owning[start + first : start + last] = [facet] * (last - first)
    return owning


def _parts(text: bytes, path: Path) -> Iterator[tuple[int, int, Facet]]:
    whole = {"anchor": Facet.ANCHOR, "status_list": Facet.STATUS, "events": Facet.STATUS, "use": Facet.GRANT}
    if path[0] in whole:
        yield 0, len(text), whole[str(path[0])]
    elif path == ("statement",):
        tilde = text.index(b"~")
        yield 0, tilde, Facet.SIGNATURE
        yield tilde, len(text), Facet.INTEGRITY
    elif path == ("receipt",):
        blank = text.index(b"\\n\\n") + 2
        yield 0, blank, Facet.INCLUSION
        yield blank, len(text), Facet.CHECKPOINT
