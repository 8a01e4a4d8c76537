"""The log's read path (C2SP tlog-tiles) under ``/log/``: checkpoints, tiles, entry bundles; byte for byte as signed.

There is one URL for each resource: the raw path must be spelt exactly so. A path with percent escapes, leading zeros,
doubled slashes or a width of 0 or 256 is not found; nothing is redirected. A tile is there once a signed checkpoint
covers it: what the log holds is always covered. ``checkpoints/<size>`` is ours: every checkpoint that was ever signed.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api.http.deps import Home
from api.http.openapi import ERRORS
from api.http.resources import resource
from ledger import parse_tile_path
from signing import MalformedError, RefusedError, parse_decimal

PREFIX: Final = "/log/"
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_NOTE: Final = "text/plain; charset=utf-8"
_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {}}}}
_BYTES: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"application/octet-stream": {}}}}
_TILE_PATH: Final[dict[str, Any]] = {
    "parameters": [
        {"name": "path", "in": "path", "required": True, "schema": {"type": "string", "examples": ["0/000.p/3"]}}
    ]
}
router = APIRouter(prefix="/log", tags=["log"], responses=ERRORS)


def _exact_path(request: Request) -> str:
    """The path below ``/log/`` as it was sent; only unescaped ASCII gets here unchanged."""
    raw: str = request.scope["raw_path"].decode("latin-1")
    if raw != request.scope["path"]:
        raise RefusedError("log.no-tile", "not the one path of a resource of this log")
    return raw.removeprefix(PREFIX)


ExactPath = Annotated[str, Depends(_exact_path)]


@router.head("/checkpoint", include_in_schema=False)
@router.get("/checkpoint", response_class=Response, responses=_TEXT)
def checkpoint(workspace: Home, request: Request, _: ExactPath) -> Response:
    """最新检查点 · The latest checkpoint, a signed note."""
    with workspace.database.read() as connection:
        note = workspace.log(connection).checkpoint()
    return resource(request, note, media_type=_NOTE, caching=_ASK_AGAIN)


@router.head("/checkpoints/{size}", include_in_schema=False)
@router.get("/checkpoints/{size}", response_class=Response, responses=_TEXT)
def old_checkpoint(workspace: Home, request: Request, size: str, _: ExactPath) -> Response:
    """历史检查点 · The checkpoint of this size with its cosignatures, of which there may be more later."""
    try:
        wanted = parse_decimal(size, what="checkpoint size")
    except MalformedError:
        raise RefusedError("log.no-checkpoint", "not the size of a checkpoint") from None
    with workspace.database.read() as connection:
        note = workspace.log(connection).checkpoint_at(wanted)
    if note is None:
        raise RefusedError("log.no-checkpoint", "no checkpoint of that size was signed")
    return resource(request, note, media_type=_NOTE, caching=_ASK_AGAIN)


@router.head("/tile/{path:path}", include_in_schema=False)
@router.get("/tile/{path:path}", response_class=Response, responses=_BYTES, openapi_extra=_TILE_PATH)
def tile(workspace: Home, request: Request, path: ExactPath) -> Response:
    """瓦片与条目包 · Tiles `<L>/<N>[.p/<W>]` and entry bundles `entries/<N>[.p/<W>]`; they never change."""
    try:
        wanted = parse_tile_path(path)
    except MalformedError:
        raise RefusedError("log.no-tile", "not the path of a tile") from None
    with workspace.database.read() as connection:
        data = workspace.log(connection).tile(wanted)
    if data is None:
        raise RefusedError("log.no-tile", "no checkpoint of this log covers that tile yet")
    zipped = wanted.level == "entries"  # hashes don't shrink
    return resource(request, data, media_type="application/octet-stream", caching=_FOREVER, zipped=zipped)
