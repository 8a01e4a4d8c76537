"""Request bodies: read up to a limit, kept as the bytes that were signed, parsed strictly into models.

The limit holds while the body comes in, whatever ``Content-Length`` says. JSON is read by ``signing.parse_json``
(duplicate members, fractions and lone surrogates are refused) and unknown members are refused by the models.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.http.auth import MAX_JSON_BYTES
from api.http.signatures import ReceivedFields, ReceivedRequest
from materials.registry.submission import SubmittedFile
from signing import JsonValue, MalformedError, UnavailableError, parse_json

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "multipart/form-data"
MAX_FILES: Final = 32
_DROPPED_BYTES: Final = 1 << 20
_REASONS: Final = {"missing": "is missing", "extra_forbidden": "holds an unknown member"}

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parts:
    """A multipart body: the JSON of part ``submission``, and the files in the order in which they came."""

    submission: JsonValue = field(repr=False)
    files: tuple[SubmittedFile, ...]


async def receive(request: Request) -> ReceivedRequest:
    """The request with a body of at most 1 MiB."""
    return replace(receive_head(request), body=await read_body(request, MAX_JSON_BYTES))


def receive_head(request: Request) -> ReceivedRequest:
    """The request without its body."""
    scope = request.scope
    lines = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    query = scope["query_string"].decode("latin-1")
    origin = request.app.state.workspace.settings.service.signed_origin
    target = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    return ReceivedRequest(scope["method"], origin + target, ReceivedFields(lines), None)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body as sent. Raises MalformedError: ``form.size``, ``form.media-type`` if it comes with a content coding.

    Of a body that is too long a little more is read and dropped, so that a client that sent it all reads the answer.
    """
    if "content-encoding" in request.headers:
        raise MalformedError("form.media-type", "body: send it without a content coding")
    body, size = bytearray(), 0
    async for piece in request.stream():
        size += len(piece)
        if size > max_bytes + _DROPPED_BYTES:
            break
        if size <= max_bytes:
            body += piece
    if size > max_bytes:
        raise MalformedError("form.size", f"body: larger than {max_bytes} bytes")
    return bytes(body)


def media_type(fields: ReceivedFields) -> str:
    """The media type of the body, lower case, without parameters."""
    return (fields.get("content-type") or "").partition(";")[0].strip().lower()


def read_members(request: ReceivedRequest) -> dict[str, JsonValue]:
    """The JSON object in the body. Raises MalformedError: ``form.media-type``, ``form.json`` …"""
    if media_type(request.headers) != JSON_TYPE:
        raise MalformedError("form.media-type", f"body: Content-Type {JSON_TYPE} is needed")
    value = parse_json(request.body or b"", what="body", max_bytes=MAX_JSON_BYTES)
    if not isinstance(value, dict):
        raise MalformedError("form.type", "body: an object is needed")
    return value


def read_model(request: ReceivedRequest, model: type[ModelT]) -> ModelT:
    """The JSON object in the body as ``model``. Raises MalformedError."""
    return to_model(read_members(request), model)


def to_model(value: JsonValue, model: type[ModelT]) -> ModelT:
    """``value`` as ``model``; an error names the member, never its value, and of an unknown one not even the name."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        unknown = first["type"] == "extra_forbidden"
        where = ".".join(str(part) for part in (first["loc"][:-1] if unknown else first["loc"])) or "body"
        raise MalformedError("form.member", f"{where}: {_REASONS.get(first['type'], 'not of the form')}") from None


@asynccontextmanager
async def open_parts(request: ReceivedRequest) -> AsyncIterator[Parts]:
    """The parts of a multipart body, whose files are closed at the end.

    Raises MalformedError: ``form.media-type``, ``form.multipart``, and those of ``parse_json``; UnavailableError
    ``file.unavailable`` if there is no room for them.
    """
    if media_type(request.headers) != FORM_TYPE:
        raise MalformedError("form.media-type", f"body: Content-Type {FORM_TYPE} is needed")
    headers = Headers({"content-type": request.headers.get("content-type") or ""})
    parser = MultiPartParser(
        headers, _whole(request.body or b""), max_files=MAX_FILES, max_fields=1, max_part_size=MAX_JSON_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException:
        raise MalformedError("form.multipart", "body: not multipart/form-data, or too many parts") from None
    except OSError as error:  # large files are put aside in the folder for temporary files
        raise UnavailableError("file.unavailable", f"files can't be put aside: {error.strerror}") from error
    try:
        yield _parts(form.multi_items())
    finally:
        await form.close()


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _parts(items: Iterable[tuple[str, UploadFile | str]]) -> Parts:
    submissions: list[str | bytes] = []
    files = []
    for name, part in items:
        if name == "submission":
            submissions.append(part if isinstance(part, str) else part.file.read(MAX_JSON_BYTES + 1))
        elif name == "file" and isinstance(part, UploadFile):
            declared = (part.content_type or "").partition(";")[0].strip().lower()
            files.append(SubmittedFile(part.file, declared))
        else:
            raise MalformedError("form.multipart", "body: a part that is neither 'submission' nor a file called 'file'")
    if len(submissions) != 1:
        raise MalformedError("form.multipart", "body: exactly one part 'submission' is needed")
    return Parts(parse_json(submissions[0], what="submission", max_bytes=MAX_JSON_BYTES), tuple(files))
