"""Administrative regions by GB/T 2260 code, compared by whole segments: province, city, county.

``310110`` is inside ``310000``; ``310110`` and ``310100`` share more digits than segments say. Codes have a lifetime,
so none is looked up in a table here.
"""

import re
from typing import Final

from signing.errors import MalformedError

COUNTRY: Final = "100000"
"""The whole country, as the codes of central authorities write it."""

_REGION: Final = re.compile(r"(?!00|10)([0-9]{2})(?:(0000)|(?!00)([0-9]{2})(?:(00)|([0-9]{2})))")


def parse_region(text: str, *, what: str = "region") -> tuple[str, ...]:
    """The segments of a six-digit code: ``310110`` is ``("31", "01", "10")``, ``310000`` is ``("31",)``.

    ``100000`` has none: it holds every other region. Raises MalformedError (``form.region``).
    """
    if text == COUNTRY:
        return ()
    match = _REGION.fullmatch(text)
    if match is None:
        raise MalformedError("form.region", f"{what}: not a six-digit code of GB/T 2260")
    return tuple(segment for segment in match.group(1, 3, 5) if segment is not None)


def region_contains(outer: str, inner: str) -> bool:
    """Whether ``inner`` is ``outer`` or lies within it. Raises MalformedError for text that is no region code."""
    outside, inside = parse_region(outer), parse_region(inner)
    return inside[: len(outside)] == outside
