"""One request to a witness, or to a parent ledger, over HTTP: bounded in size and time, without redirects."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from ledger.witness_messages import ANSWER_MAX_BYTES, SIZE_TYPE, parse_size
from signing import MalformedError, UnavailableError, VerificationError

_FATAL: Final = {400: "the request", 403: "the log's signature", 404: "this log", 422: "the consistency of this log"}
_HEADERS: Final = {"content-type": "text/plain; charset=utf-8", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Told:
    """The answer 200, not verified yet."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class TellsSize:
    """The answer 409: the size that the witness cosigned last."""

    size: int


def ask_witness(url: str, request: bytes, timeout: float) -> Told | TellsSize:
    """What the witness at ``url`` answers within ``timeout`` seconds.

    Raises VerificationError for what is not asked again: ``witness.refused`` (400, 403, 404, 422) and
    ``witness.conflict`` (a 409 without a size: another root of the same size); UnavailableError
    (``witness.unreachable``) else.
    """
    if timeout <= 0:
        raise UnavailableError("witness.unreachable", "the time limit for witnesses is over")
    status, media_type, body = _exchange("POST", url, timeout, ANSWER_MAX_BYTES, content=request)
    if status == httpx.codes.OK:
        return Told(body)
    if status == httpx.codes.CONFLICT:
        return _size(media_type, body)
    if status in _FATAL:
        raise VerificationError("witness.refused", f"the witness does not accept {_FATAL[status]} (HTTP {status})")
    raise UnavailableError("witness.unreachable", f"the witness answered HTTP {status}")


def _size(media_type: str, body: bytes) -> TellsSize:
    if media_type.partition(";")[0].strip().lower() == SIZE_TYPE:
        try:
            return TellsSize(parse_size(body))
        except MalformedError as error:
            raise UnavailableError("witness.unreachable", f"the witness's 409 can't be read: {error}") from None
    raise VerificationError("witness.conflict", "the witness holds another tree of the same size (HTTP 409)")


def fetch(url: str, query: Mapping[str, str], timeout: float, max_bytes: int) -> bytes:
    """What a parent ledger hands out at ``url``, of at most ``max_bytes``.

    Raises UnavailableError (``witness.unreachable``) for any answer but 200, as ``ask_witness`` does.
    """
    status, _, body = _exchange("GET", str(httpx.URL(url, params=dict(query))), timeout, max_bytes)
    if status != httpx.codes.OK:
        raise UnavailableError("witness.unreachable", f"the witness answered HTTP {status}")
    return body


def _exchange(
    method: str, url: str, timeout: float, max_bytes: int, *, content: bytes | None = None
) -> tuple[int, str, bytes]:
    """Status, media type and body; raises UnavailableError if they can't be had within the limits."""
    end = time.monotonic() + timeout
    answer = b""
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream(method, url, content=content, headers=_HEADERS) as response,
        ):
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > max_bytes or time.monotonic() > end:
                    raise UnavailableError("witness.unreachable", "the witness's answer is too large or too slow")
            return response.status_code, response.headers.get("content-type", ""), answer
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError("witness.unreachable", f"no answer: {type(error).__name__}") from error
