"""Run the service with uvicorn."""

import logging
from typing import Final

import uvicorn

from api.http.app import create_app
from api.workspace import Workspace

_GRACE_SECONDS: Final = 20
_MAX_CONNECTIONS: Final = 256


class _WithoutQuery(logging.Filter):
    """Keeps query strings out of the access log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the path in uvicorn's access record (client, method, path, version, status)."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, path, *rest = record.args
            record.args = (client, method, str(path).partition("?")[0], *rest)
        return True


def make_server(workspace: Workspace, host: str, port: int) -> uvicorn.Server:
    """The server, not yet running; port 0 takes a free one."""
    config = uvicorn.Config(
        create_app(workspace),
        host=host,
        port=port,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    logging.getLogger("uvicorn.access").addFilter(_WithoutQuery())
    return uvicorn.Server(config)


def serve(workspace: Workspace, host: str, port: int) -> None:
    """Serve until the process is told to end (SIGINT, SIGTERM); requests in progress are finished first."""
    make_server(workspace, host, port).run()
