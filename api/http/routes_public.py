"""What everyone may fetch beside the log: status lists, the trust file, health."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from api import clock, names
from api.http.deps import AnchoringState, Home, WitnessesState
from api.http.models import Readiness
from api.http.openapi import ERRORS
from api.reading import status_list
from api.trust_lists import export_trust
from signing import UnavailableError, parse_decimal

STATUS_LIST_TYPE: Final = "application/statuslist+jwt"
_LIST_CACHE_SECONDS: Final = 60
"""Readers keep a list for its own ``ttl``; whoever asks again should soon see what was revoked."""
router = APIRouter(tags=["public"], responses=ERRORS)


@router.head("/status/{name}", include_in_schema=False)
@router.get("/status/{name}", include_in_schema=False)  # the path of the URI in statements, for a home at its origin
@router.head("/v1/status/{name}", include_in_schema=False)
@router.get("/v1/status/{name}", response_class=Response, responses={200: {"content": {STATUS_LIST_TYPE: {}}}})
def status(
    workspace: Home,
    name: Annotated[str, Path(examples=["materials"], description="`materials` or `grants`")],
    time: Annotated[str | None, Query(description="Unix seconds: the list that was relied on then")] = None,
) -> Response:
    """状态列表 · A status list as a signed token (Token Status List). Its `sub` is the URI that statements name."""
    at = None if time is None else parse_decimal(time, what="time", maximum=2**53 - 1)
    origin = workspace.settings.origin
    uris = {"materials": names.status_uri(origin), "grants": names.grant_status_uri(origin)}
    published = status_list(workspace, uris.get(name, name), at)
    headers = {"Cache-Control": f"public, max-age={_LIST_CACHE_SECONDS}"}
    return Response(published.token, media_type=STATUS_LIST_TYPE, headers=headers)


@router.head("/v1/trust", include_in_schema=False)
@router.get("/v1/trust", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def trust(workspace: Home) -> Response:
    """信任文件 · The trust file. Compare its list key with the home's by another way before relying on it."""
    data = export_trust(workspace, clock.now())
    return Response(data, media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.get("/healthz")
def health() -> dict[str, str]:
    """存活 · The process answers; nothing else is said."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def ready(workspace: Home, anchoring: AnchoringState, witnesses: WitnessesState, response: Response) -> Readiness:
    """就绪 · Whether requests can be served, and how anchoring stands; a chain that is away is no reason to stop."""
    report = anchoring.report
    try:
        with workspace.database.read() as connection:
            size = workspace.log(connection).size()
    except UnavailableError:
        size = None
    response.status_code = 503 if size is None else 200
    response.headers["Cache-Control"] = "no-store"
    return Readiness(
        ready=size is not None,
        log_size=size,
        chain=str(report.state),
        chain_code=report.code,
        anchored_size=report.anchored_size,
        witness_code=witnesses.code,
    )
