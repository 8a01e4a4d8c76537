"""One request to a witness over HTTP (C2SP tlog-witness): bounded in size and time, without redirects."""

import time
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
    try:
        status, media_type, body = _post(url, request, timeout)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnavailableError("witness.unreachable", f"no answer: {type(error).__name__}") from error
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


def _post(url: str, request: bytes, timeout: float) -> tuple[int, str, bytes]:
    end = time.monotonic() + timeout
    answer = b""
    with (
        httpx.Client(timeout=timeout, follow_redirects=False) as client,
        client.stream("POST", url, content=request, headers=_HEADERS) as response,
    ):
        for chunk in response.iter_raw():
            answer += chunk
            if len(answer) > ANSWER_MAX_BYTES or time.monotonic() > end:
                raise UnavailableError("witness.unreachable", "the witness's answer is too large or too slow")
        return response.status_code, response.headers.get("content-type", ""), answer
