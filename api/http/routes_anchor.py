"""Anchoring: a request to anchor at once, how it stands, and metrics for a monitoring system."""

from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api import clock
from api.anchor_status import ChainStatus, NodesReport, read_status
from api.anchor_views import METRICS_TYPE, metrics_text, status_json
from api.http.auth import require_entity
from api.http.background import Anchoring
from api.http.deps import AnchoringState, Home, OrganisationCaller
from api.http.models_anchor import AnchoringAnswer, AnchoringRequested
from api.http.openapi import ERRORS, signed
from api.workspace import Workspace
from signing import RefusedError

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {}}}}
router = APIRouter(tags=["anchoring"], responses=ERRORS)


@router.post("/v1/anchoring", status_code=202, openapi_extra=signed())
def request_anchoring(caller: OrganisationCaller, workspace: Home, anchoring: AnchoringState) -> AnchoringRequested:
    """立即上链 · Anchor what is new on every chain at once. For the operator only; `GET` shows what became of it."""
    require_entity(caller, workspace.operator)
    anchoring.request()
    return AnchoringRequested(requested=True)


@router.get("/v1/anchoring", openapi_extra=signed())
def show_anchoring(
    caller: OrganisationCaller, workspace: Home, anchoring: AnchoringState, response: Response
) -> AnchoringAnswer:
    """上链进度 · How anchoring stands on each chain. For the operator only."""
    require_entity(caller, workspace.operator)
    response.headers["Cache-Control"] = "no-store"
    return AnchoringAnswer.model_validate(status_json(_statuses(workspace, anchoring)))


def _may_measure(workspace: Home, request: Request) -> None:
    """Only for the addresses of the settings, asking for themselves: behind a proxy everyone would be the proxy."""
    through = any(name in request.headers for name in _FORWARDED)
    networks = workspace.settings.service.metrics_from
    if through or request.client is None or not any(_is_in(request.client.host, each) for each in networks):
        raise RefusedError("access.denied", "metrics are shown to the addresses of service.metrics_from only")


def _is_in(host: str, network: Any) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in network


@router.get("/metrics", response_class=Response, responses=_TEXT)
def metrics(_: Annotated[None, Depends(_may_measure)], workspace: Home, anchoring: AnchoringState) -> Response:
    """监控指标 · Metrics in Prometheus' text format, for the addresses of the settings."""
    text = metrics_text(_statuses(workspace, anchoring))
    return Response(text, media_type=METRICS_TYPE, headers={"Cache-Control": "no-store"})


def _statuses(workspace: Workspace, anchoring: Anchoring) -> list[ChainStatus]:
    """From the database and what the threads know; no node is asked for it."""
    reports = anchoring.reports
    nodes = {name: NodesReport(report.nodes, report.code) for name, report in reports.items()}
    return read_status(workspace, clock.now(), nodes)
