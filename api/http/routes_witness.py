"""This home as a witness of other logs (C2SP tlog-witness) under ``/witness/``, if the settings say so.

Nobody is authenticated but the log, by its signature on the checkpoint. What is answered is committed.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from api.cosigning import Witness
from api.http.bodies import read_body
from api.http.openapi import ERRORS, public_body
from api.workspace import Workspace
from ledger.witness import Conflict, Suspicion
from ledger.witness_messages import REQUEST_MAX_BYTES, SIZE_TYPE, format_size
from signing import RefusedError, VerificationError

_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {}}},
    409: {
        "description": "旧大小不符，正文为本见证人已签的大小 · Not the size cosigned last",
        "content": {SIZE_TYPE: {}},
    },
}
router = APIRouter(prefix="/witness", tags=["witness"], responses=ERRORS)


def add_to(app: FastAPI, workspace: Workspace) -> None:
    """Offer these routes if the home is a witness; raises as ``Witness.open``."""
    if workspace.settings.witness is not None:
        app.state.witness = Witness.open(workspace)
        app.include_router(router)


def _witness(request: Request) -> Witness:
    witness: Witness = request.app.state.witness
    return witness


async def _body(request: Request) -> bytes:
    return await read_body(request, REQUEST_MAX_BYTES)


Here = Annotated[Witness, Depends(_witness)]
Body = Annotated[bytes, Depends(_body)]


@router.post(
    "/add-checkpoint", response_class=Response, responses=_ANSWERS, openapi_extra=public_body({"text/plain": None})
)
def add_checkpoint(witness: Here, body: Body) -> Response:
    """请求见证签名 · Ask for a cosignature: `old <size>`, a consistency proof, an empty line, the checkpoint."""
    answer = witness.add_checkpoint(body)
    headers = {"Cache-Control": "no-store"}
    if isinstance(answer, Suspicion):
        raise VerificationError(answer.code, answer.message)
    if isinstance(answer, Conflict):  # by header: with media_type a charset would be added
        return Response(format_size(answer.size), 409, headers | {"Content-Type": SIZE_TYPE})
    return Response(answer.lines, media_type=_TEXT_TYPE, headers=headers)


@router.head("/{origin_hash}/checkpoint", include_in_schema=False)
@router.get("/{origin_hash}/checkpoint", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def checkpoint(witness: Here, origin_hash: str, request: Request) -> Response:
    """已见证的检查点 · The checkpoint cosigned last of the log whose origin has this SHA-256 (hex, lower case)."""
    is_exact = request.scope["raw_path"] == f"{router.prefix}/{origin_hash}/checkpoint".encode()  # no percent escapes
    head = witness.head(origin_hash) if is_exact else None
    if head is None:
        raise RefusedError("witness.no-checkpoint", "no checkpoint of that log was cosigned here")
    return Response(head.note, media_type=_TEXT_TYPE, headers={"Cache-Control": "no-cache"})
