"""The development chain's JSON-RPC over HTTP, for several processes of one machine.

One path, ``POST /``, as Ethereum nodes have it. Whoever reaches it may send transactions, so it listens on loopback
only, answers to loopback names only (a page from elsewhere can't reach it by another name), and takes JSON only (a
browser asks before it sends that to another site).
"""

import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from anchors.devchain.chain import ReadOnlyDevChain
from anchors.devchain.rpc import MAX_BODY_BYTES
from signing import UnavailableError

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = (LOOPBACK, "localhost")
_JSON: Final = "application/json"
_GRACE_SECONDS: Final = 5


def make_app(chain: ReadOnlyDevChain) -> Starlette:
    """The application over ``chain``, which the caller opens before and closes after it."""

    async def answer(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return PlainTextResponse(f"Content-Type: {_JSON} is needed\n", 415)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return PlainTextResponse(f"at most {MAX_BODY_BYTES} bytes\n", 413)
        try:
            answered = await run_in_threadpool(chain.handle, bytes(body))
        except UnavailableError as error:  # a test made the call fail
            return PlainTextResponse(f"{error.code}\n", 503)
        return Response(answered, 200 if answered else 204, media_type=_JSON)

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(_NAMES), www_redirect=False)
    return Starlette(routes=[Route("/", answer, methods=["POST"])], middleware=[hosts])


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback; port 0 takes a free one. Raises UnavailableError ``http.address``."""
    try:
        return socket.create_server((LOOPBACK, port), reuse_port=False)
    except OSError as error:
        raise UnavailableError("http.address", f"can't listen on {LOOPBACK}:{port}: {error.strerror}") from None


def serve_chain(chain: ReadOnlyDevChain, listening: socket.socket) -> None:
    """Answer until the process is told to end (SIGINT, SIGTERM); calls in progress are finished first."""
    config = uvicorn.Config(
        make_app(chain),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listening])
