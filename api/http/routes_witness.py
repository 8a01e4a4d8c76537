"""This home as a witness of other logs (C2SP tlog-witness) under ``/witness/``, if the settings say so.

Nobody is authenticated but the log, by its signature on the checkpoint. What is answered is committed. What a log
signed and could not prove is there for everyone to see, under ``<origin hash>/evidence``; that is ours.
"""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response

from api.cosigning import Witness
from api.http.bodies import read_body
from api.http.models_witness import EvidenceItem, EvidenceList
from api.http.openapi import ERRORS, public_body
from api.workspace import Workspace
from ledger.witness import Conflict, Suspicion
from ledger.witness_messages import REQUEST_MAX_BYTES, SIZE_TYPE, format_size
from signing import RefusedError, VerificationError, parse_decimal

_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {}}},
    409: {
        "description": "旧大小不符，正文为本见证人已签的大小 · Not the size cosigned last",
        "content": {SIZE_TYPE: {}},
    },
}
_RAW: Final[dict[str, Any]] = {"application/octet-stream": {}}
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


Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", examples=["00" * 32])]
Code = Annotated[str, Path(pattern=r"^witness\.[a-z-]{1,30}$", examples=["witness.fork"])]
Decimal = Annotated[str, Path(examples=["8"])]
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


@router.head("/{origin_hash}/evidence", include_in_schema=False)
@router.get("/{origin_hash}/evidence")
def evidence(witness: Here, origin_hash: Hash, response: Response) -> EvidenceList:
    """作假的证据 · What this log signed that did not extend what it had signed before; oldest first."""
    response.headers["Cache-Control"] = "no-cache"
    found = [EvidenceItem.of(each, f"{router.prefix}/{origin_hash}") for each in witness.evidence(origin_hash)]
    return EvidenceList(evidence=found)


@router.head("/{origin_hash}/evidence/{code}/{size}/{root}/{part}", include_in_schema=False)
@router.get(
    "/{origin_hash}/evidence/{code}/{size}/{root}/{part}", response_class=Response, responses={200: {"content": _RAW}}
)
def evidence_bytes(
    witness: Here, origin_hash: Hash, code: Code, size: Decimal, root: Hash, part: Literal["request", "held"]
) -> Response:
    """证据原文 · The whole request as it came, or the note that was held then, with both signatures."""
    wanted = parse_decimal(size, what="size")
    found = witness.find_evidence(origin_hash, code, wanted, bytes.fromhex(root))
    if found is None:
        raise RefusedError("witness.no-evidence", "no such evidence was kept here")
    data = found.request if part == "request" else found.held
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-cache"})
