"""The application: routes, problems, background thread, put together for one workspace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import (
    openapi,
    problems,
    routes_grants,
    routes_log,
    routes_materials,
    routes_pages,
    routes_public,
    routes_verify,
)
from api.http.background import Anchoring
from api.http.guesses import GuessLimit
from api.workspace import Workspace

_DESCRIPTION: Final = (
    "电子材料与证照的登记、授权取用与核验。 · Registration, use under a grant, and verification of electronic "
    "materials. Calls marked with `signedRequest` need a signed request; all others are public."
)


def create_app(workspace: Workspace) -> FastAPI:
    """The service over ``workspace``, which the caller opens before and closes after it."""
    anchoring = Anchoring(workspace)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anchoring.start()
        try:
            yield
        finally:
            await run_in_threadpool(anchoring.stop)

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
    for routes in (routes_materials, routes_grants, routes_verify, routes_public, routes_log):
        app.include_router(routes.router)
    app.include_router(routes_pages.make_router())
    app.add_middleware(NoSniff)
    problems.install(app)
    return app


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
