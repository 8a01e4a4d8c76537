"""Grants and retrieval: open, pass on, withdraw, use, and the holder's page of uses."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.granting import Retrieved, keep_chain, open_grant, read_file, reserve_place, retrieve, usage_records, withdraw
from api.http import models_grants as models
from api.http.auth import Caller, require_entity
from api.http.bodies import read_model
from api.http.deps import ChainCaller, HolderCaller, Home, LinkCaller, OrganisationCaller, Received
from api.http.models import StatusPlace
from api.http.openapi import ERRORS, json_body, signed
from api.http.signatures import IDEMPOTENCY_HEADER, ReceivedRequest
from materials.grants.issue import GrantTerms
from materials.grants.links import LinkId, parse_chain
from materials.grants.requests import parse_request
from materials.grants.retrieve import Retrieval
from materials.grants.terms import GrantPurpose, read_details
from materials.ids import EntityId, check_material_id
from signing import MalformedError, PublicKey

router = APIRouter(prefix="/v1", tags=["grants"], responses=ERRORS)


@router.post("/grants/roots", status_code=201, openapi_extra=json_body(models.OpenGrant))
def open_root(workspace: Home, caller: OrganisationCaller, request: Received) -> models.GrantChainAnswer:
    """开立授权 · Open a grant for a holder's key. For the operator only, who has made sure that the holder asked."""
    require_entity(caller, workspace.operator)
    body = read_model(request, models.OpenGrant)
    chain = open_grant(
        workspace,
        check_material_id(body.material),
        holder_key=PublicKey.from_jwk(body.holder_key, what="holder_key"),
        terms=_terms(body.terms),
        basis=body.basis,
    )
    return models.GrantChainAnswer(chain=list(chain.texts))


@router.post("/grants/places", status_code=201, openapi_extra=json_body(models.ReservePlace))
def reserve(workspace: Home, caller: ChainCaller, request: Received) -> models.GrantPlace:
    """预留授权标识 · Reserve id and status place for a link that the last delegate of the chain will sign."""
    chain = parse_chain(read_model(request, models.ReservePlace).chain)
    require_entity(caller, chain.leaf.audience.id)
    jti, place = reserve_place(workspace)
    return models.GrantPlace(id=jti, status=StatusPlace(uri=place.uri, idx=place.idx))


@router.post("/grants", openapi_extra=json_body(models.SubmitGrant))
def submit(workspace: Home, caller: ChainCaller, request: Received) -> models.KeptGrant:
    """提交授权链 · Hand in a chain whose last link the caller signed. Repeatable."""
    chain = parse_chain(read_model(request, models.SubmitGrant).chain)
    require_entity(caller, chain.leaf.id.iss)
    new = keep_chain(workspace, chain)
    return models.KeptGrant(new=[models.LinkName(iss=link.iss, jti=link.jti) for link in new])


@router.post("/grants/withdrawals", openapi_extra=json_body(models.LinkName))
def withdraw_link(workspace: Home, caller: LinkCaller, request: Received) -> models.WithdrawnLink:
    """撤回授权 · Withdraw a link, and with it all below: by the holder, or by who issued it or one above."""
    body = read_model(request, models.LinkName)
    stored = withdraw(workspace, LinkId(EntityId(body.iss), body.jti), actor=caller.entity)
    return models.WithdrawnLink(
        iss=stored.id.iss, jti=stored.id.jti, withdrawn_by=stored.withdrawn_by, withdrawn_at=stored.withdrawn_at
    )


@router.post("/retrievals", openapi_extra=json_body(models.Retrieve))
def use_grant(workspace: Home, caller: ChainCaller, request: Received, response: Response) -> models.RetrievedMaterial:
    """凭授权取用 · Retrieve under a grant. Header `Idempotency-Key`: a repetition is answered again, not counted."""
    retrieved = retrieve(workspace, _retrieval(caller, request))
    response.headers["Cache-Control"] = "no-store"
    return models.RetrievedMaterial(
        bundle=retrieved.bundle.decode("utf-8"),
        usage=retrieved.usage,
        files=_files(retrieved),
        replayed=retrieved.replayed,
    )


@router.post("/retrievals/files/{number}", response_class=Response, openapi_extra=json_body(models.Retrieve))
def fetch_file(workspace: Home, caller: ChainCaller, request: Received, number: int) -> Response:
    """取回文件 · A released file: the same body and `Idempotency-Key` as the retrieval, whose answer it belongs to."""
    retrieved = retrieve(workspace, _retrieval(caller, request))
    data = b"".join(read_file(workspace, retrieved, number))  # whole: what is damaged is never sent in part
    media_type = next(file.record.media_type for file in retrieved.files if file.number == number)
    headers = {"Cache-Control": "no-store", "Content-Disposition": "attachment"}
    return Response(data, media_type=media_type, headers=headers)


@router.get("/usage", openapi_extra=signed())
def usage(
    workspace: Home,
    caller: HolderCaller,
    response: Response,
    first: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> models.UsagePage:
    """使用记录 · Who used the caller's materials, when and why: signed records, oldest first. For the holder only."""
    records = usage_records(workspace, caller.entity, first=first, limit=limit)
    response.headers["Cache-Control"] = "no-store"
    return models.UsagePage(records=list(records), next=first + limit if len(records) == limit else None)


def _terms(terms: models.Terms) -> GrantTerms:
    return GrantTerms(
        purpose=GrantPurpose.from_json(terms.purpose, what="purpose"),
        details=read_details(terms.details, what="details"),
        max_uses=terms.max_uses,
        nbf=terms.nbf,
        exp=terms.exp,
        max_depth=terms.max_depth,
        redelegate=terms.redelegate,
        uses_scope=terms.uses_scope,
    )


def _retrieval(caller: Caller, request: ReceivedRequest) -> Retrieval:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None:
        raise MalformedError("form.key", "header Idempotency-Key: is missing, or occurs twice")
    body = read_model(request, models.Retrieve)
    return Retrieval(parse_request(body.request), parse_chain(body.chain), caller.key, key)


def _files(retrieved: Retrieved) -> list[models.FileToFetch]:
    return [
        models.FileToFetch(
            number=file.number,
            path=f"/v1/retrievals/files/{file.number}",
            media_type=file.record.media_type,
            size=file.record.size,
            sha256=file.record.sha256.hex(),
            sm3=file.record.sm3.hex(),
        )
        for file in retrieved.files
    ]
