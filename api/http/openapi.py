"""The OpenAPI document: bodies that handlers parse themselves, problem documents, and how requests are signed."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http import models, models_grants
from api.http.bodies import FORM_TYPE, JSON_TYPE
from api.http.problems import PROBLEM_TYPE
from api.http.signatures import TAG

_REF: Final = "#/components/schemas/{model}"
_BODIES: Final[tuple[type[BaseModel], ...]] = (
    models.SubmitFields,
    models.SubmitStatement,
    models.ChangeStatus,
    models.SubmitEvent,
    models.VerifyBundle,
    models.VerifyFile,
    models.Problem,
    models_grants.OpenGrant,
    models_grants.ReservePlace,
    models_grants.SubmitGrant,
    models_grants.LinkName,
    models_grants.Retrieve,
)
_SECURITY: Final = {
    "signedRequest": {
        "type": "http",
        "scheme": "signature",
        "description": (
            f'HTTP Message Signatures (RFC 9421), tag="{TAG}": covers @method, @target-uri and, with a body, '
            "content-type and content-digest (sha-256), and idempotency-key where it is sent; parameters created, "
            "expires (at most 300 s later), nonce (128 bits or more, base64url), keyid (entity id # key thumbprint)."
        ),
    }
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "问题文档，见 code · A problem document; see its code",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
}


def json_body(*bodies: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of a signed request with a JSON body, one of ``bodies``."""
    return signed() | {"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": _any_of(bodies)}}}}


def form_body(*bodies: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of a signed request with JSON, one of ``bodies``, in part ``submission``, and files."""
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {
        "type": "object",
        "required": ["submission"],
        "properties": {"submission": _any_of(bodies), "file": {"type": "array", "items": file}},
    }
    content = {FORM_TYPE: {"schema": schema, "encoding": {"submission": {"contentType": JSON_TYPE}}}}
    return signed() | {"requestBody": {"required": True, "content": content}}


def public_body(content: dict[str, type[BaseModel] | tuple[type[BaseModel], ...] | None]) -> dict[str, Any]:
    """``openapi_extra`` of a public call with a body, by media type; None stands for any bytes."""
    described = {}
    for media_type, bodies in content.items():
        several = bodies if isinstance(bodies, tuple) else (bodies,)
        described[media_type] = {"schema": _any_of([body for body in several if body])} if bodies else {}
    return {"requestBody": {"required": True, "content": described}}


def signed() -> dict[str, Any]:
    """``openapi_extra`` of a request that must be signed."""
    return {"security": [{"signedRequest": []}]}


def _any_of(bodies: tuple[type[BaseModel], ...] | list[type[BaseModel]]) -> dict[str, Any]:
    references = [{"$ref": _REF.format(model=body.__name__)} for body in bodies]
    return references[0] if len(references) == 1 else {"oneOf": references}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        _, extra = models_json_schema([(body, "validation") for body in _BODIES], ref_template=_REF)
        components = schema.setdefault("components", {})
        components["schemas"] = components.get("schemas", {}) | extra["$defs"]
        components["securitySchemes"] = _SECURITY
        app.openapi_schema = schema
    return app.openapi_schema
