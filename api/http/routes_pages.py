"""Pages for people: what this is, verify a bundle, the calls of the service. Package data; nothing from elsewhere."""

from collections.abc import Callable
from importlib import resources
from typing import Final

from fastapi import APIRouter, Response

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript"}
_PAGES: Final = {
    "/": "index.html",
    "/verify": "verify.html",
    "/docs": "docs.html",
    "/pages/style.css": "style.css",
    "/pages/digests.js": "digests.js",
    "/pages/verify.js": "verify.js",
    "/pages/docs.js": "docs.js",
}


def _page(name: str) -> Callable[[], Response]:
    def page() -> Response:
        data = resources.files("api.http").joinpath("pages", name).read_bytes()
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}
        return Response(data, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)

    return page


def make_router() -> APIRouter:
    """The router of all pages."""
    router = APIRouter(include_in_schema=False)
    for path, name in _PAGES.items():
        router.add_api_route(path, _page(name), response_class=Response)
    return router
