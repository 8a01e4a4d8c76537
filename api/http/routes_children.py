"""This home as a parent of other ledgers under ``/children/``, if the settings say so.

Nobody is authenticated but the child, by its log's signature on the checkpoint. What is answered is committed.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from api.children import Parent
from api.http.bodies import read_body
from api.http.openapi import ERRORS, public_body
from api.workspace import Workspace
from ledger.checkpoint import ORIGIN_MAX_BYTES
from ledger.witness import Conflict, Suspicion
from ledger.witness_messages import REQUEST_MAX_BYTES, SIZE_TYPE, format_size
from materials.parent_evidence import format_parent_evidence
from signing import VerificationError, parse_decimal

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {}}},
    409: {
        "description": "旧大小不符，正文为已收入的大小 · Not the size taken last, which is the body",
        "content": {SIZE_TYPE: {}},
    },
}
_NO_STORE: Final = {"Cache-Control": "no-store"}
router = APIRouter(prefix="/children", tags=["children"], responses=ERRORS)


def add_to(app: FastAPI, workspace: Workspace) -> None:
    """Offer these routes if the home is a parent; raises as ``Parent.open``."""
    if workspace.settings.children is not None:
        app.state.parent = Parent.open(workspace)
        app.include_router(router)


def _parent(request: Request) -> Parent:
    parent: Parent = request.app.state.parent
    return parent


async def _body(request: Request) -> bytes:
    return await read_body(request, REQUEST_MAX_BYTES)


Here = Annotated[Parent, Depends(_parent)]
Body = Annotated[bytes, Depends(_body)]
Origin = Annotated[str, Query(max_length=ORIGIN_MAX_BYTES, examples=["district.example/licences"])]
Size = Annotated[str, Query(examples=["8"])]


@router.post(
    "/add-checkpoint", response_class=Response, responses=_ANSWERS, openapi_extra=public_body({"text/plain": None})
)
def add_checkpoint(parent: Here, body: Body) -> Response:
    """收入下级检查点 · Take a child's checkpoint: `old <size>`, a consistency proof, an empty line, the checkpoint."""
    answer = parent.take(body)
    if isinstance(answer, Suspicion):
        raise VerificationError(answer.code, answer.message)
    if isinstance(answer, Conflict):  # by header: with media_type a charset would be added
        return Response(format_size(answer.size), 409, _NO_STORE | {"Content-Type": SIZE_TYPE})
    return Response(format_size(answer.checkpoint.size), media_type="text/plain; charset=utf-8", headers=_NO_STORE)


@router.head("/evidence", include_in_schema=False)
@router.get("/evidence", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def evidence(parent: Here, origin: Origin, size: Size) -> Response:
    """下级检查点的凭证 · That the first checkpoint of this child with so many entries is in this log, and anchored."""
    found = parent.evidence(origin, parse_decimal(size, what="size"))
    return Response(format_parent_evidence(found), media_type="application/json", headers={"Cache-Control": "no-cache"})
