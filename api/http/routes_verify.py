"""Verification for everyone: a bundle, or whether a file belongs to a material.

A look-up by digest alone does not exist: it would tell anyone who tries digests which documents are registered here.
Whoever asks names the material as well, gets yes or no for exactly that file and the same no for an unknown material,
and only a few wrong guesses per material and hour (``guesses``).
"""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request

from anchors.verifier import AnchorVerifier
from api import clock
from api.http import models
from api.http.bodies import JSON_TYPE, read_body, to_model
from api.http.deps import Guesses, Home, Slots, Verifier
from api.http.guesses import GuessLimit
from api.http.openapi import ERRORS, public_body
from api.http.routes_materials import BUNDLE_TYPE
from api.reading import has_file, view_material
from api.trust_lists import export_trust
from api.workspace import Workspace
from ledger import Policy, parse_policy
from materials.bundle import MAX_BUNDLE_BYTES
from materials.ids import check_material_id
from materials.report import Facet
from materials.verification import verify_bundle
from signing import CryptoProfile, FileDigests, MalformedError, b64_decode, parse_json
from signing.x509.revocation import RevocationList, parse_crl

MAX_WRAPPED_BYTES: Final = MAX_BUNDLE_BYTES * 3 // 2
"""A bundle inside a JSON string is longer by its escapes."""
_BUNDLE_TYPES: Final = (BUNDLE_TYPE, "application/octet-stream")
_BODY: Final = public_body({BUNDLE_TYPE: None, JSON_TYPE: (models.VerifyBundle, models.VerifyFile)})
router = APIRouter(prefix="/v1", tags=["verification"], responses=ERRORS)


async def _question(request: Request) -> tuple[str, bytes]:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared not in (*_BUNDLE_TYPES, JSON_TYPE):
        raise MalformedError("form.media-type", f"body: Content-Type {BUNDLE_TYPE} or {JSON_TYPE} is needed")
    limit = MAX_WRAPPED_BYTES if declared == JSON_TYPE else MAX_BUNDLE_BYTES
    return declared, await read_body(request, limit)


@dataclass(frozen=True, slots=True)
class _Demands:
    """What must be there for the verdict to be valid, and the service's memory of anchors."""

    profiles: list[CryptoProfile]
    facets: list[Facet]
    verifier: AnchorVerifier


def _demands(
    verifier: Verifier,
    profile: Annotated[
        list[CryptoProfile], Query(default_factory=list, description="须有的签名 · a signature that must be there")
    ],
    require: Annotated[
        list[Facet], Query(default_factory=list, description="不得缺少的检查项 · a facet that must not go unchecked")
    ],
) -> _Demands:
    return _Demands(profile, require, verifier)


Question = Annotated[tuple[str, bytes], Depends(_question)]
Demands = Annotated[_Demands, Depends(_demands)]


@router.post("/verify", openapi_extra=_BODY)
def verify(
    workspace: Home, guesses: Guesses, slots: Slots, demands: Demands, question: Question
) -> models.Report | models.FileMatch:
    """核验 · Verify a bundle by this home's trust list, now; or match a file to a material. Public."""
    with slots.held():
        return _answer(workspace, guesses, demands, *question)


def _answer(
    workspace: Workspace, guesses: GuessLimit, demands: _Demands, media_type: str, body: bytes
) -> models.Report | models.FileMatch:
    if media_type != JSON_TYPE:
        return _judge(workspace, demands, body)
    value = parse_json(body, what="body", max_bytes=MAX_WRAPPED_BYTES)
    if isinstance(value, dict) and "statement" in value:
        return _judge(workspace, demands, body)
    if isinstance(value, dict) and "material" in value:
        return _match(workspace, guesses, to_model(value, models.VerifyFile))
    wrapped = to_model(value, models.VerifyBundle)
    return _judge(workspace, demands, wrapped.bundle.encode("utf-8"), wrapped)


def _judge(
    workspace: Workspace, demands: _Demands, bundle: bytes, wrapped: models.VerifyBundle | None = None
) -> models.Report:
    now = clock.now()
    report = verify_bundle(
        bundle,
        export_trust(workspace, now),
        now=now,
        catalogue=workspace.catalogue,
        file=None if wrapped is None or wrapped.file is None else _digests(wrapped.file),
        required=demands.facets,
        profiles=demands.profiles,
        witnesses=None if wrapped is None else _witnesses(wrapped),
        crls=(*([] if wrapped is None else _crls(wrapped)), *workspace.crls.newest()),
        verifier=demands.verifier,
    )
    return models.Report.model_validate(report.to_json())


def _crls(wrapped: models.VerifyBundle) -> list[RevocationList]:
    return [parse_crl(b64_decode(text, what=f"crls[{number}]")) for number, text in enumerate(wrapped.crls)]


def _witnesses(wrapped: models.VerifyBundle) -> Policy | None:
    return None if wrapped.witness_policy is None else parse_policy(wrapped.witness_policy.encode())


def _match(workspace: Workspace, guesses: GuessLimit, body: models.VerifyFile) -> models.FileMatch:
    now, jti = clock.now(), check_material_id(body.material)
    guesses.check(jti, now)
    if not has_file(workspace, jti, _digests(body.file)):
        guesses.miss(jti, now)
        return models.FileMatch(matches=False, status=None)
    return models.FileMatch(matches=True, status=view_material(workspace, jti).status.name.lower())


def _digests(file: models.FileDigest) -> FileDigests:
    return FileDigests(bytes.fromhex(file.sha256), bytes.fromhex(file.sm3), file.size)
