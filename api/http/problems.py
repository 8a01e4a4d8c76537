"""Errors as problem documents (RFC 9457, ``application/problem+json``), with a stable ``code``.

``type`` is ``urn:ematerials:problem:<code>``; ``title`` says the kind in Chinese and English, ``detail`` what is wrong,
in English and never with values from the request. A refusal of a grant names ``link`` and ``rule``. Whoever has not
proved who they are gets one and the same answer for everything that can be wrong with that.
"""

import logging
import traceback
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import clock
from api.http.signatures import TAG, NotAuthenticatedError
from materials.grants.errors import GrantRefusedError
from signing import LedgerError, MalformedError, RefusedError, UnavailableError

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = {429: 3600, 503: 5}
_SOON: Final = {"http.busy": 1, "log.busy": 1, "log.unknown-outcome": 1}
"""Codes of 503 whose message tells callers what to do, and after how many seconds."""
_log = logging.getLogger("ematerials.http")

_TITLES: Final = {
    400: "请求格式不正确 · The request is not of the required form",
    401: "请求未通过身份验证 · The request is not authenticated",
    403: "不允许此操作 · This is not allowed",
    404: "没有这一资源 · There is no such thing",
    405: "不支持此方法 · The method is not allowed",
    409: "与现有状态冲突 · This conflicts with the present state",
    410: "材料内容已销毁 · The content has been erased",
    413: "请求过大 · The request is too large",
    415: "不支持此内容类型 · The media type is not supported",
    422: "内容未通过核验 · What was sent does not verify",
    429: "请求过于频繁 · Too many requests",
    500: "服务内部错误 · The service failed",
    503: "服务暂不可用 · The service can't do this now",
}

_BY_CODE: Final = {
    "form.size": 413,
    "form.media-type": 415,
    "material.unknown": 404,
    "status.unknown-list": 404,
    "vault.erased": 410,
    "status.final": 409,
    "status.not-yet-effective": 409,
    "status.allocated": 409,
    "registration.identifier-taken": 409,
    "registration.id-taken": 409,
    "registration.supersedes": 409,
    "registration.no-key": 409,
    "grant.file": 404,
    "log.frozen": 409,
    "log.no-checkpoint": 404,
    "log.no-cosigned": 404,
    "log.no-entry": 404,
    "log.no-log": 404,
    "log.no-tile": 404,
    "parent.no-checkpoint": 404,
    "witness.unknown-log": 404,
    "witness.no-checkpoint": 404,
    "witness.no-evidence": 404,
    "grant.idempotency": 409,
    "grant.repeated": 409,
    "verify.too-many-guesses": 429,
}

_OUR_KEYS: Final = ("keyfile.", "passphrase.", "hsm.", "key.not-held")
_OUR_FAULT: Final = ("log.", "vault.", "store.", "proof.", "checkpoint.", "note.", "contract.", "chain.")
"""A check that failed on our own keys or data: the caller can't mend it, and it may pass once an operator has."""


def status_of(error: LedgerError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, NotAuthenticatedError):
        return 401
    if isinstance(error, UnavailableError) or error.code.startswith(_OUR_KEYS):
        return 503
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, MalformedError):
        return 400
    if isinstance(error, RefusedError):
        return 403
    return 503 if error.code.startswith(_OUR_FAULT) else 422


def problem(status: int, code: str, detail: str, **members: object) -> Response:
    """A problem document."""
    document = {
        "type": f"urn:ematerials:problem:{code}",
        "title": _TITLES.get(status, _TITLES[400 if status < 500 else 500]),
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    headers = {"Cache-Control": "no-store"}
    if status in (401, 413):
        headers["Connection"] = "close"  # the rest of the body is not read
    if status in RETRY_AFTER_SECONDS:
        headers["Retry-After"] = str(_SOON.get(code, RETRY_AFTER_SECONDS[status]))
    return JSONResponse(document, status, headers, PROBLEM_TYPE)


def of_ledger_error(_: Request, error: Exception) -> Response:
    """The answer to any error that the library raises on purpose."""
    if not isinstance(error, LedgerError):
        raise error
    status = status_of(error)
    if status == 401:
        return _unauthenticated(error)
    if status == 503:
        _log.warning("%s: %s%s", error.code, error, "" if error.__cause__ is None else f" ({describe(error)})")
        detail = "something that this needs is not to be had at the moment; try again later"
        return problem(status, error.code, str(error) if error.code in _SOON else detail)
    if isinstance(error, GrantRefusedError):
        return problem(status, error.code, str(error), link=error.link, rule=error.rule)
    return problem(status, error.code, str(error))


def _unauthenticated(error: LedgerError) -> Response:
    _log.info("not authenticated: %s", error.code)
    answer = problem(401, "http.unauthenticated", "a request signed by a key that may make this call is needed")
    answer.headers["WWW-Authenticate"] = "Signature"
    answer.headers["Accept-Signature"] = (
        f'em=("@method" "@target-uri" "content-type" "content-digest");created;expires;nonce="";keyid="";tag="{TAG}"'
    )
    return answer


def of_http_exception(_: Request, error: Exception) -> Response:
    """The answer to what the router refuses: no such path, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    codes = {404: "http.not-found", 405: "http.method"}
    answer = problem(status, codes.get(status, "http.refused"), "no such resource, or not with this method")
    answer.headers.update((isinstance(error, HTTPException) and error.headers) or {})
    return answer


def of_parameters(_: Request, error: Exception) -> Response:
    """The answer to a path or query parameter of another form; names it, never its value."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    name = ".".join(str(part) for part in errors[0]["loc"]) if errors else "a parameter"
    return problem(400, "form.parameter", f"{name}: not of the required form")


class LastResort:
    """Outermost: an exception that nobody expected becomes a 500 with an opaque id, and a log line with the same.

    The log line names types and places in the code only: texts of foreign exceptions may quote personal data.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # nobody waits for an answer
        except Exception as error:
            incident = clock.random_bytes(8).hex()
            _log.error("incident %s: %s", incident, describe(error))
            if started:
                raise ConnectionAbortedError(f"incident {incident}") from None
            answer = problem(
                500, "http.internal", f"unexpected; tell the operator incident {incident}", incident=incident
            )
            await answer(scope, receive, send)


def describe(error: BaseException) -> str:
    """Type and place of an exception and of its causes, without their texts."""
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)[-6:]
        places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        parts.append(f"{type(cause).__module__}.{type(cause).__name__} at {places}")
        cause = cause.__cause__
    return "; from ".join(parts)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""
    app.add_exception_handler(LedgerError, of_ledger_error)
    app.add_exception_handler(HTTPException, of_http_exception)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_middleware(LastResort)
