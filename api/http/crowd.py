"""At most so many requests at once: a further one is told to come back, before anything of it is read."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import problem

_ALWAYS: Final = "/healthz"  # a crowd is no reason to restart the service


class Crowd:
    """Counts requests in progress; outermost, and in the event loop only."""

    def __init__(self, app: ASGIApp, *, at_once: int) -> None:
        self._app = app
        self._at_once = at_once
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] == _ALWAYS:
            await self._app(scope, receive, send)
        elif self._inside >= self._at_once:
            answer = problem(503, "http.busy", "too many requests at once; try again in a second")
            answer.headers["Connection"] = "close"  # the body is not read
            await answer(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._inside -= 1
