"""The claims of a statement that everyone may see; nothing else may stand in the logged JWT."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from materials.catalogue import VCT_PREFIX
from materials.ids import EntityId, MaterialId, check_code, check_material_id, check_organisation_id
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_int, json_list, json_object, json_str

STATEMENT_TYP: Final = "dc+sd-jwt"
SHORT_LIVED_SECONDS: Final = 24 * 3600
VISIBLE: Final = frozenset(
    {"iss", "vct", "jti", "iat", "nbf", "exp", "status", "version", "supersedes", "legal_basis", "files"}
)
"""Every name at the top level that is no field of a material."""

_MECHANICS: Final = ("files", "_sd", "_sd_alg")
_VCT: Final = re.compile(re.escape(VCT_PREFIX) + r"[a-z0-9.-]{1,64}:[1-9][0-9]{0,3}")
_URI: Final = re.compile(r"https?://[!-~]{1,500}")
_DIGEST: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class StatusRef:
    """Where the status of something is read: entry ``idx`` of the list published at ``uri``."""

    uri: str
    idx: int


@dataclass(frozen=True, slots=True)
class StatementClaims:
    """What a statement says in the open. Times are Unix seconds; ``nbf`` to ``exp`` is how long it may be relied on.

    ``version`` counts re-issues of the material from 1; ``supersedes`` names the statement before. ``status`` is None
    only for statements that live at most 24 hours.
    """

    iss: EntityId
    vct: str
    jti: MaterialId
    iat: int
    nbf: int
    exp: int
    version: int
    legal_basis: str
    status: StatusRef | None
    supersedes: MaterialId | None = None


def claims_to_json(claims: StatementClaims) -> dict[str, JsonValue]:
    """The members of the payload, without digests; raises nothing: ``read_claims`` judges."""
    value: dict[str, JsonValue] = {
        "iss": claims.iss,
        "vct": claims.vct,
        "jti": claims.jti,
        "iat": claims.iat,
        "nbf": claims.nbf,
        "exp": claims.exp,
        "version": claims.version,
        "legal_basis": claims.legal_basis,
    }
    if claims.status is not None:
        value["status"] = status_ref_to_json(claims.status)
    if claims.supersedes is not None:
        value["supersedes"] = claims.supersedes
    return value


def status_ref_to_json(ref: StatusRef) -> JsonValue:
    """The ``status`` claim (Token Status List §6)."""
    return {"status_list": {"idx": ref.idx, "uri": ref.uri}}


def read_status_ref(value: JsonValue) -> StatusRef:
    """Read a ``status`` claim; raises MalformedError. Whether ``idx`` is in range is for the list to say."""
    status = json_object(value, what="status", required=("status_list",))
    ref = json_object(status["status_list"], what="status_list", required=("idx", "uri"))
    return StatusRef(check_uri(ref["uri"], what="status uri"), json_int(ref["idx"], what="status idx"))


def check_uri(value: JsonValue, *, what: str) -> str:
    """Return ``value`` as an http(s) URI of printable ASCII; raises MalformedError (``form.uri``)."""
    uri = json_str(value, what=what, max_length=512)
    if not _URI.fullmatch(uri):
        raise MalformedError("form.uri", f"{what}: not an http(s) URI")
    return uri


def read_claims(payload: Mapping[str, JsonValue]) -> StatementClaims:
    """Read the payload of an issuer-signed JWT: exactly our members, and digests that are digests.

    Raises MalformedError: ``form.*``, ``status.missing``, ``time.order``.
    """
    required = ("iss", "vct", "jti", "iat", "nbf", "exp", "version", "legal_basis", *_MECHANICS)
    members = json_object(dict(payload), what="statement", required=required, optional=("status", "supersedes"))
    _check_digests(members)
    supersedes = members.get("supersedes")
    claims = StatementClaims(
        iss=check_organisation_id(json_str(members["iss"], what="iss"), what="iss"),
        vct=_check_vct(members["vct"]),
        jti=check_material_id(json_str(members["jti"], what="jti")),
        iat=json_int(members["iat"], what="iat"),
        nbf=json_int(members["nbf"], what="nbf"),
        exp=json_int(members["exp"], what="exp"),
        version=json_int(members["version"], what="version", minimum=1),
        legal_basis=check_code(json_str(members["legal_basis"], what="legal_basis"), what="legal_basis"),
        status=read_status_ref(members["status"]) if "status" in members else None,
        supersedes=None
        if supersedes is None
        else check_material_id(json_str(supersedes, what="supersedes"), what="supersedes"),
    )
    if "supersedes" in members and (supersedes is None or supersedes == claims.jti):
        raise MalformedError("form.member", "statement: supersedes names no other statement")
    if claims.nbf >= claims.exp:
        raise MalformedError("time.order", "statement: nbf is not before exp")
    if claims.status is None and claims.exp - claims.iat > SHORT_LIVED_SECONDS:
        raise MalformedError("status.missing", "statement: lives longer than 24 hours and has no status")
    return claims


def _check_vct(value: JsonValue) -> str:
    vct = json_str(value, what="vct")
    if not _VCT.fullmatch(vct):
        raise MalformedError("form.vct", "statement: vct is not the name of a material type")
    return vct


def _check_digests(members: Mapping[str, JsonValue]) -> None:
    """Only digests where digests belong: the log must not be able to hold anything else."""
    placeholders = json_list(members["files"], what="files", max_items=32)
    of_files = [json_object(item, what="files", required=("...",))["..."] for item in placeholders]
    for digest in [*json_list(members["_sd"], what="_sd", max_items=128), *of_files]:
        if not _DIGEST.fullmatch(json_str(digest, what="digest")):
            raise MalformedError("sd.form", "statement: not a SHA-256 digest in base64url")
    if members["_sd_alg"] != "sha-256":
        raise MalformedError("sd.algorithm", "statement: _sd_alg is not sha-256")
