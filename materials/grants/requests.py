"""A request for a material under a grant, and the digest that ties its answer, its record and its retries together."""

import re
from dataclasses import dataclass
from typing import Final

from materials.grants.paths import check_vct
from materials.grants.terms import FILES_CLAIM, GrantPurpose, Location, check_action, read_claims
from materials.ids import MaterialId, check_material_id
from signing.digests import sha256
from signing.errors import MalformedError
from signing.strict_json import JsonValue, dump_json, json_object, json_str

REQUEST_VERSION: Final = "ematerials/retrieval-request/v1"
_IDEMPOTENCY_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    """Who asks (``location``), why, and for what exactly.

    ``action`` is ``retrieve/fields`` or ``retrieve/files``; ``claims`` are names of face fields, or ``files`` for the
    digests of the files. The case number is never empty. Make one with ``parse_request``, which checks all of it.
    """

    purpose: GrantPurpose
    action: str
    vct: str
    material: MaterialId
    claims: tuple[str, ...]
    location: Location


def check_idempotency_key(text: str) -> str:
    """Return the client's own name for one request, 16 to 64 of ``A-Z a-z 0-9 - _``; MalformedError ``form.key``."""
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise MalformedError("form.key", "idempotency key: not 16 to 64 letters, digits, hyphens or underscores")
    return text


def parse_request(value: JsonValue) -> RetrievalRequest:
    """Read the JSON form of a request. Raises MalformedError."""
    what = "retrieval request"
    names = ("version", "purpose", "action", "vct", "material", "claims", "location")
    members = json_object(value, what=what, required=names)
    if members["version"] != REQUEST_VERSION:
        raise MalformedError("form.version", f"{what}: not {REQUEST_VERSION}")
    purpose = GrantPurpose.from_json(members["purpose"], what=f"{what} purpose")
    if not purpose.biz_num:
        raise MalformedError("form.case", f"{what}: a request names its case")
    action = check_action(members["action"], what=what)
    if action not in ("retrieve/fields", "retrieve/files"):
        raise MalformedError("form.action", f"{what}: not an action that can be asked for")
    claims = read_claims(members["claims"], what=f"{what} claims")
    if action == "retrieve/files" and FILES_CLAIM not in claims:
        raise MalformedError("form.action", f"{what}: retrieve/files needs the claim {FILES_CLAIM}")
    return RetrievalRequest(
        purpose=purpose,
        action=action,
        vct=check_vct(members["vct"], what=f"{what} vct"),
        material=check_material_id(json_str(members["material"], what=what, max_length=64), what=f"{what} material"),
        claims=tuple(sorted(claims)),
        location=Location.from_json(members["location"], what=f"{what} location"),
    )


def request_to_json(request: RetrievalRequest) -> dict[str, JsonValue]:
    """The JSON form that ``parse_request`` reads; claims in code-point order."""
    return {
        "version": REQUEST_VERSION,
        "purpose": request.purpose.to_json(),
        "action": request.action,
        "vct": request.vct,
        "material": request.material,
        "claims": list[JsonValue](sorted(request.claims)),
        "location": request.location.to_json(),
    }


def request_digest(request: RetrievalRequest) -> bytes:
    """SHA-256 of the canonical JSON of the request: 32 bytes. Kept in private records only: it could be guessed."""
    return sha256(dump_json(request_to_json(request)))
