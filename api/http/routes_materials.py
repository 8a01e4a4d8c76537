"""Materials: register, look at, bundle, change status. Public is only what the log shows anyway."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from api import clock
from api.bundling import make_bundle
from api.group_registering import Commit
from api.http import models
from api.http.auth import Caller, require_entity
from api.http.bodies import Parts, open_parts, read_members, to_model
from api.http.deps import Home, OrganisationCaller, Received, ReceivedLarge, RegistrationsState, SubmittingCaller
from api.http.openapi import ERRORS, form_body, json_body, signed
from api.keys.current_keys import holds_key
from api.organisations import find_organisation
from api.reading import MaterialView, issuer_of, reserve_material, view_material
from api.registering import accept_signed_event, change_material_status, register_material, register_statement
from api.workspace import Workspace
from materials.claims import StatusRef
from materials.events import EventCode, parse_event
from materials.ids import EntityId, MaterialId, check_material_id
from materials.registry.records import EventRecord
from materials.registry.submission import Registered, SignedSubmission, SubmittedFile
from materials.statement import parse_statement
from materials.trust.model import Role
from signing import MalformedError, RefusedError

BUNDLE_TYPE: Final = "application/vnd.ematerials.bundle+json"
router = APIRouter(prefix="/v1/materials", tags=["materials"], responses=ERRORS)


async def _parts(request: ReceivedLarge) -> AsyncIterator[Parts]:
    async with open_parts(request) as parts:
        yield parts


Submitted = Annotated[Parts, Depends(_parts, scope="function")]
Files = tuple[SubmittedFile, ...]


@router.post("", status_code=201, openapi_extra=form_body(models.SubmitFields, models.SubmitStatement))
async def register(
    workspace: Home,
    caller: SubmittingCaller,
    parts: Submitted,
    response: Response,
    registrations: RegistrationsState,
) -> models.RegisteredMaterial:
    """登记材料 · Register a material. Again with the same content: 200, and the first one's id."""
    registered = await registrations.run(lambda: _register(workspace, caller, parts, registrations.commit))
    response.status_code = 201 if registered.is_new else 200
    return _answer(registered)


def _register(workspace: Workspace, caller: Caller, parts: Parts, commit: Commit) -> Registered:
    members = parts.submission if isinstance(parts.submission, dict) else {}
    if "statement" in members:
        return _register_statement(workspace, caller, to_model(members, models.SubmitStatement), parts.files, commit)
    return _register_fields(workspace, caller, to_model(members, models.SubmitFields), parts.files, commit)


def _register_fields(
    workspace: Workspace, caller: Caller, body: models.SubmitFields, files: Files, commit: Commit
) -> Registered:
    require_entity(caller, body.issuer)
    _require_kept_key(workspace, caller, "issue")
    return register_material(
        workspace,
        type_code=body.type,
        issuer=EntityId(body.issuer),
        fields=body.fields,
        files=files,
        legal_basis=body.legal_basis,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        version=body.version,
        supersedes=None if body.supersedes is None else check_material_id(body.supersedes),
        commit=commit,
    )


def _register_statement(
    workspace: Workspace, caller: Caller, body: models.SubmitStatement, files: Files, commit: Commit
) -> Registered:
    require_entity(caller, parse_statement(body.statement).claims.iss)
    submission = SignedSubmission(body.statement, files, body.supersession, tuple(body.signatures))
    return register_statement(workspace, submission, commit=commit)


@router.post("/places", status_code=201, openapi_extra=signed())
def reserve(workspace: Home, caller: OrganisationCaller) -> models.MaterialPlace:
    """预留标识与状态位 · Reserve an id and a status place for a statement that the department signs itself."""
    _require_issuer(workspace, caller)
    jti, place = reserve_material(workspace)
    return models.MaterialPlace(id=jti, status=models.StatusPlace(uri=place.uri, idx=place.idx))


@router.get("/{material}")
def view(workspace: Home, material: str) -> models.PublicMaterial:
    """查看公开信息 · What everyone may know of a material. Public; holds no personal data."""
    return _public(view_material(workspace, check_material_id(material)))


@router.get("/{material}/bundle", response_class=Response, openapi_extra=signed())
def bundle(workspace: Home, caller: OrganisationCaller, material: str) -> Response:
    """取证据包 · The evidence bundle with all disclosures. For the issuer only."""
    jti = check_material_id(material)
    require_entity(caller, issuer_of(workspace, jti))
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{jti}.bundle.json"'}
    return Response(make_bundle(workspace, jti), media_type=BUNDLE_TYPE, headers=headers)


@router.post("/{material}/events", openapi_extra=json_body(models.ChangeStatus, models.SubmitEvent))
def change(workspace: Home, caller: OrganisationCaller, material: str, request: Received) -> models.RecordedEvent:
    """改变状态 · Revoke, suspend, reinstate …: for the issuer only. Repeatable."""
    jti = check_material_id(material)
    require_entity(caller, issuer_of(workspace, jti))
    members = read_members(request)
    if "event" in members:
        event = _accept(workspace, jti, to_model(members, models.SubmitEvent))
    else:
        _require_kept_key(workspace, caller, "status")
        event = _sign(workspace, jti, to_model(members, models.ChangeStatus))
    return models.RecordedEvent(material=jti, code=event.kind, log_index=event.log_index, event=event.jws)


def _accept(workspace: Workspace, jti: MaterialId, body: models.SubmitEvent) -> EventRecord:
    if parse_event(body.event).event.sub != jti:
        raise MalformedError("form.subject", "event: is about another material than the path")
    return accept_signed_event(workspace, body.event)


def _sign(workspace: Workspace, jti: MaterialId, body: models.ChangeStatus) -> EventRecord:
    if body.code not in list(EventCode):
        raise MalformedError("form.code", "code: not a kind of event")
    successor = None if body.successor is None else check_material_id(body.successor)
    return change_material_status(workspace, jti, code=EventCode(body.code), reason=body.reason, successor=successor)


def _require_kept_key(workspace: Workspace, caller: Caller, role: Role) -> None:
    if not holds_key(workspace.keyring, caller.entity, role):
        raise RefusedError("registration.no-key", "this home keeps no key for you: sign it yourself")


def _require_issuer(workspace: Workspace, caller: Caller) -> None:
    organisation = find_organisation(workspace, caller.entity, clock.now())
    if organisation is None or not organisation.types:
        raise RefusedError("access.denied", "only a department that may issue materials reserves places")


def _place(ref: StatusRef | None) -> models.StatusPlace | None:
    return None if ref is None else models.StatusPlace(uri=ref.uri, idx=ref.idx)


def _answer(registered: Registered) -> models.RegisteredMaterial:
    record = registered.record
    return models.RegisteredMaterial(
        id=record.jti,
        is_new=registered.is_new,
        log_index=record.log_index,
        status=_place(record.status),
        warnings=list(registered.warnings),
    )


def _public(seen: MaterialView) -> models.PublicMaterial:
    claims = seen.claims
    return models.PublicMaterial(
        id=claims.jti,
        issuer=claims.iss,
        vct=claims.vct,
        issued_at=claims.iat,
        valid_from=claims.nbf,
        valid_to=claims.exp,
        version=claims.version,
        supersedes=claims.supersedes,
        legal_basis=claims.legal_basis,
        status=seen.status.name.lower(),
        status_list=_place(claims.status),
        content=str(seen.state),
        log_index=seen.log_index,
        anchored=seen.anchored,
    )
