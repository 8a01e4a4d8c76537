"""The application: routes, problems and background thread of one workspace, put together, and run with uvicorn."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anchors.verifier import AnchorVerifier
from api.http import (
    openapi,
    problems,
    routes_anchor,
    routes_children,
    routes_grants,
    routes_log,
    routes_materials,
    routes_pages,
    routes_public,
    routes_verify,
    routes_witness,
)
from api.http.background import Anchoring
from api.http.beside import parenting, stamping, witnessing
from api.http.crowd import Crowd
from api.http.guesses import GuessLimit
from api.http.log_places import TileCaches
from api.http.nonces import Nonces
from api.http.registrations import Registrations
from api.http.slots import VerificationSlots
from api.workspace import Workspace
from signing import MalformedError, UnavailableError

_GRACE_SECONDS: Final = 20
_STARTUP_FAILED: Final = 3  # uvicorn has said why
_AT_ONCE: Final = 64
"""Requests in progress, besides registrations that wait for their commit."""
_IDLE_CONNECTIONS: Final = 512
_DESCRIPTION: Final = (
    "电子材料与证照的登记、授权取用与核验。 · Registration, use under a grant, and verification of electronic "
    "materials. Calls marked with `signedRequest` need a signed request; all others are public."
)


def create_app(workspace: Workspace) -> FastAPI:
    """The service over ``workspace``, which the caller opens before and closes after it."""
    anchoring, witnesses = Anchoring(workspace), witnessing(workspace)
    registrations, nonces = Registrations(workspace), Nonces(workspace.database)
    parts = (anchoring, stamping(workspace), witnesses, parenting(workspace), registrations, nonces)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for part in parts:
            part.start()
        try:
            yield
        finally:
            for part in reversed(parts):
                await run_in_threadpool(part.stop)

    app = _Service(
        title="电子材料存证 · e-materials ledger",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # both would load scripts from other hosts; /docs is a page of ours
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.workspace, app.state.anchoring, app.state.guesses = workspace, anchoring, GuessLimit()
    app.state.slots, app.state.verifier = VerificationSlots(), AnchorVerifier()
    app.state.witnesses, app.state.registrations, app.state.nonces = witnesses, registrations, nonces
    app.state.tile_caches = TileCaches(workspace.settings.service.tile_cache)
    for routes in (routes_materials, routes_grants, routes_verify, routes_public, routes_log, routes_anchor):
        app.include_router(routes.router)
    app.include_router(routes_pages.make_router())
    routes_witness.add_to(app, workspace)
    routes_children.add_to(app, workspace)
    app.add_middleware(NoSniff)
    problems.install(app)
    app.add_middleware(Crowd, at_once=_at_once(workspace))
    return app


def _at_once(workspace: Workspace) -> int:
    log = workspace.settings.log
    return log.queue + 2 * log.batch + _AT_ONCE


def make_server(workspace: Workspace, host: str, port: int) -> uvicorn.Server:
    """The server, not yet running; port 0 takes a free one."""
    config = uvicorn.Config(
        create_app(workspace),
        host=host,
        port=port,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_at_once(workspace) + _IDLE_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
    return uvicorn.Server(config)


def serve(workspace: Workspace, host: str, port: int) -> None:
    """Serve until the process is told to end (SIGINT, SIGTERM); requests in progress are finished first."""
    service = workspace.settings.service.model_copy(update={"host": host, "port": port})
    if service.public_url is None and (port == 0 or _is_unspecified(host)):
        message = "service.public_url is needed when serving all addresses or any free port: clients sign it"
        raise MalformedError("settings.form", message)
    workspace.settings = workspace.settings.model_copy(update={"service": service})
    server = make_server(workspace, host, port)  # sets up logging
    logging.getLogger("uvicorn.error").info("Clients sign for %s", service.signed_origin)
    try:
        server.run()
    except SystemExit as ended:
        if ended.code == _STARTUP_FAILED:
            raise UnavailableError("http.address", "the service could not listen there; see the line above") from None
        raise


def _is_unspecified(host: str) -> bool:
    """Whether ``host`` stands for all addresses of the machine."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


class _Service(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """See ``openapi.document``."""
        return openapi.document(self)


class NoSniff:
    """Says on every answer that its media type is to be taken as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app(scope, receive, mark)


class _WithoutQuery(logging.Filter):
    """Keeps query strings out of the access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the path in uvicorn's access record (client, method, path, version, status)."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, *rest = record.args
            record.args = (client, method, str(path).partition("?")[0], *rest)
        return True
