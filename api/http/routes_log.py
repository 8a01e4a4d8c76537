"""The read path of the logs (C2SP tlog-tiles): checkpoints, tiles, entry bundles; byte for byte as signed.

The home's own log is under ``/log/``, the others under ``/logs/<number>/``; ``/logs`` lists them. A tile is there once
a signed checkpoint covers it: what a log holds is always covered. ``checkpoints`` (every one that was ever signed),
``cosigned`` and ``proof/…`` (``log_proofs``) are ours.
"""

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from api.http import log_proofs
from api.http.deps import Home
from api.http.log_places import OTHERS_PREFIX, OWN_PREFIX, Place, number_in_path
from api.http.models_log import LogEntry, LogList, Sizes
from api.http.openapi import ERRORS, public_body
from api.http.resources import resource
from api.log_reading import cosigned_checkpoint, shown_checkpoint
from api.logs import held_logs
from ledger import parse_tile_path
from ledger.hashing import MAX_SIZE
from signing import MalformedError, RefusedError, parse_decimal

SIZES_MAX: Final = 1000
"""Sizes in one answer."""

_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_NOTE: Final = "text/plain; charset=utf-8"
_TILE_PATH: Final[dict[str, Any]] = {
    "parameters": [
        {"name": "path", "in": "path", "required": True, "schema": {"type": "string", "examples": ["0/000.p/3"]}}
    ]
}
After = Annotated[str, Query(description="只列更大的 · only larger ones", examples=["0"])]
Limit = Annotated[int, Query(ge=1, le=SIZES_MAX, description="最多几个 · how many at most")]


def checkpoint(place: Place, request: Request) -> Response:
    """最新检查点 · The latest checkpoint, a signed note."""
    with place.reading() as (connection, log):
        note = shown_checkpoint(place.workspace, connection, log.origin)
    return resource(request, note, media_type=_NOTE, caching=_ASK_AGAIN)


def cosigned(place: Place, request: Request) -> Response:
    """最新的已见证检查点 · The newest checkpoint that the log's witness policy accepts."""
    with place.reading() as (connection, log):
        note = cosigned_checkpoint(place.workspace, connection, log.origin)
    return resource(request, note, media_type=_NOTE, caching=_ASK_AGAIN)


def sizes(place: Place, response: Response, after: After = "0", limit: Limit = 100) -> Sizes:
    """历史检查点的大小 · The sizes of the checkpoints that were signed, rising, page by page."""
    start = parse_decimal(after, what="after", maximum=MAX_SIZE)
    with place.reading() as (_, log):
        found = list(islice(log.published_sizes(start, MAX_SIZE), limit + 1))
    response.headers["Cache-Control"] = _ASK_AGAIN
    return Sizes(sizes=found[:limit], next=found[limit - 1] if len(found) > limit else None)


def old_checkpoint(place: Place, request: Request, size: str) -> Response:
    """历史检查点 · The checkpoint of this size with its cosignatures, of which there may be more later."""
    try:
        wanted = parse_decimal(size, what="checkpoint size")
    except MalformedError:
        raise RefusedError("log.no-checkpoint", "not the size of a checkpoint") from None
    with place.reading() as (_, log):
        note = log.checkpoint_at(wanted)
    if note is None:
        raise RefusedError("log.no-checkpoint", "no checkpoint of that size was signed")
    return resource(request, note, media_type=_NOTE, caching=_ASK_AGAIN)


def tile(place: Place, request: Request) -> Response:
    """瓦片与条目包 · Tiles `<L>/<N>[.p/<W>]` and entry bundles `entries/<N>[.p/<W>]`; they never change."""
    try:
        wanted = parse_tile_path(place.path)
    except MalformedError:
        raise RefusedError("log.no-tile", "not the path of a tile") from None
    with place.reading() as (_, log):
        data = log.tile(wanted)
    if data is None:
        raise RefusedError("log.no-tile", "no checkpoint of this log covers that tile yet")
    zipped = wanted.level == "entries"  # hashes don't shrink
    return resource(request, data, media_type="application/octet-stream", caching=_FOREVER, zipped=zipped)


def logs(workspace: Home, response: Response) -> LogList:
    """本馆的全部日志 · The logs of this home, and where each is read."""
    response.headers["Cache-Control"] = _ASK_AGAIN
    with workspace.database.read() as connection:
        return LogList(logs=[LogEntry.of(each) for each in held_logs(workspace, connection)])


def _add_files(to: APIRouter) -> None:
    """What is answered as stored: GET and HEAD."""
    text, binary = "text/plain", "application/octet-stream"
    for path, answer, media_type, extra in (
        ("/checkpoint", checkpoint, text, None),
        ("/cosigned", cosigned, text, None),
        ("/checkpoints/{size}", old_checkpoint, text, None),
        ("/tile/{path:path}", tile, binary, _TILE_PATH),
        ("/proof/inclusion", log_proofs.inclusion, text, None),
        ("/proof/consistency", log_proofs.consistency, text, None),
    ):
        to.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)
        described: dict[int | str, dict[str, Any]] = {200: {"content": {media_type: {}}}}
        to.add_api_route(path, answer, response_class=Response, responses=described, openapi_extra=extra)


def _add_log(to: APIRouter) -> None:
    _add_files(to)
    _add_listing(to, "/checkpoints", sizes)
    to.add_api_route(
        "/proof/inclusion",
        log_proofs.inclusion_of,
        methods=["POST"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}},
        openapi_extra=public_body({"application/octet-stream": None}),
    )


def _make_router() -> APIRouter:
    own = APIRouter(prefix=OWN_PREFIX)
    others = APIRouter(prefix=OTHERS_PREFIX + "/{number}", dependencies=[Depends(number_in_path)])
    whole = APIRouter(tags=["log"], responses=ERRORS)
    for each in (own, others):
        _add_log(each)
        whole.include_router(each)
    _add_listing(whole, OTHERS_PREFIX, logs)
    return whole


def _add_listing(to: APIRouter, path: str, answer: Callable[..., object]) -> None:
    """What is answered as JSON: GET and HEAD."""
    to.add_api_route(path, answer, methods=["HEAD"], include_in_schema=False)
    to.add_api_route(path, answer)


router = _make_router()
