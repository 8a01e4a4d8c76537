"""Answers that a reader may keep: entity tags, conditional requests (RFC 9110 §13), gzip where it is accepted.

The decoded bytes are the resource. Each coding of it has an entity tag of its own, and ``Vary`` says what chose it.
"""

import gzip
import re
from typing import Final

from fastapi import Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

from signing import sha256

_NOT_ACCEPTED: Final = re.compile(r"q\s*=\s*0(?:\.0{0,3})?")
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def resource(request: Request, content: bytes, *, media_type: str, caching: str, zipped: bool = False) -> Response:
    """``content`` for GET and HEAD, or 304 if the reader has it; ``zipped``: in gzip for those who accept that."""
    headers = {"Cache-Control": caching}
    tag = sha256(content).hex()[:32]
    if zipped:
        headers["Vary"] = "Accept-Encoding"
        zipped = accepts_gzip(_field(request, "accept-encoding"))
    headers["ETag"] = f'"{tag}-gzip"' if zipped else f'"{tag}"'
    if _has(_field(request, "if-none-match"), headers["ETag"]):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
        content = gzip.compress(content, compresslevel=6, mtime=0)
    return Response(content, media_type=media_type, headers=headers)


def accepts_gzip(field: str) -> bool:
    """Whether an Accept-Encoding field allows gzip (RFC 9110 §12.5.3); without the field, nothing but identity."""
    codings = [item.partition(";") for item in field.lower().split(",")]
    allowed = {coding.strip(): not _NOT_ACCEPTED.fullmatch(weight.strip()) for coding, _, weight in codings}
    return allowed.get("gzip", allowed.get("*", False))


def _has(field: str, tag: str) -> bool:
    """Whether If-None-Match names ``tag``, by the weak comparison (RFC 9110 §13.1.2)."""
    return field.strip() == "*" or tag in _TAG.findall(field)


def _field(request: Request, name: str) -> str:
    return ", ".join(request.headers.getlist(name))
