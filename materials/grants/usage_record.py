"""What one usage record says, and its JSON form. Paths, codes and pseudonyms; never a value of the material.

Standard: credentials reference §7. ``materials.grants.usage`` signs and verifies records.
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

from materials.grants.links import MAX_LINKS, LinkId
from materials.grants.paths import check_path, check_vct
from materials.grants.terms import MAX_CLAIMS, GrantPurpose, Location
from materials.ids import EntityId, MaterialId, check_code, check_entity_id, check_id, check_material_id
from materials.trust.model import BASES, Basis
from signing.encoding import b64url_decode, b64url_encode
from signing.errors import MalformedError
from signing.strict_json import JsonValue, json_int, json_list, json_object, json_str

WHAT: Final = "usage record"
_PLACE: Final = ("iss", "sub", "jti", "iat", "seq")
_CONTENT: Final = ("user", "grant", "material", "claims", "result", "request_digest", "uses")


@dataclass(frozen=True, slots=True)
class UseCount:
    """This use is the ``n``-th of ``maximum`` that link number ``link`` allows."""

    link: int
    n: int
    maximum: int


@dataclass(frozen=True, slots=True)
class UsageUser:
    """Who asked: a requester, for an organisation at a place (as stated); apart from it, those in between."""

    requester: EntityId
    organisation: EntityId
    location: Location
    intermediaries: tuple[EntityId, ...]


@dataclass(frozen=True, slots=True)
class UsageResult:
    """``released``; or ``refused`` with the code and the link number of the refusal."""

    outcome: Literal["released", "refused"]
    code: str | None = None
    link: int | None = None


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One attempt. ``prev`` is the SHA-256 of the text of the record before, None for the first (``seq`` 0)."""

    jti: str
    home: EntityId
    subject: EntityId
    time: int
    seq: int
    prev: bytes | None
    user: UsageUser
    links: tuple[LinkId, ...]
    basis: Basis
    purpose: GrantPurpose
    vct: str
    material: MaterialId
    requested: tuple[str, ...]
    disclosed: tuple[str, ...]
    result: UsageResult
    request_digest: bytes
    uses: tuple[UseCount, ...]


def record_to_json(record: UsageRecord) -> dict[str, JsonValue]:
    """The claims of the JWS."""
    claims: dict[str, JsonValue] = {
        "iss": record.home,
        "sub": record.subject,
        "jti": record.jti,
        "iat": record.time,
        "seq": record.seq,
        "user": {
            "requester": record.user.requester,
            "organisation": record.user.organisation,
            "location": record.user.location.to_json(),
            "intermediaries": list[JsonValue](record.user.intermediaries),
        },
        "grant": {
            "links": [{"iss": link.iss, "jti": link.jti} for link in record.links],
            "basis": record.basis,
            "purpose": record.purpose.to_json(),
        },
        "material": {"vct": record.vct, "jti": record.material},
        "claims": {
            "requested": list[JsonValue](record.requested),
            "disclosed": list[JsonValue](record.disclosed),
        },
        "result": _result_to_json(record.result),
        "request_digest": b64url_encode(record.request_digest),
        "uses": [{"link": use.link, "n": use.n, "max": use.maximum} for use in record.uses],
    }
    if record.prev is not None:
        claims["prev"] = b64url_encode(record.prev)
    return claims


def read_record(claims: JsonValue) -> UsageRecord:
    """Read the claims of a record. Raises MalformedError."""
    members = json_object(claims, what=WHAT, required=(*_PLACE, *_CONTENT), optional=("prev",))
    seq = json_int(members["seq"], what=f"{WHAT} seq")
    if ("prev" in members) != (seq > 0):
        raise MalformedError("form.prev", f"{WHAT}: prev belongs in every record but the first")
    grant = json_object(members["grant"], what=f"{WHAT} grant", required=("links", "basis", "purpose"))
    if grant["basis"] not in BASES:
        raise MalformedError("form.basis", f"{WHAT}: unknown basis")
    material = json_object(members["material"], what=f"{WHAT} material", required=("vct", "jti"))
    paths = json_object(members["claims"], what=f"{WHAT} claims", required=("requested", "disclosed"))
    return UsageRecord(
        jti=check_id(_text(members["jti"]), prefix="us", what=f"{WHAT} jti"),
        home=_entity(members["iss"]),
        subject=_entity(members["sub"]),
        time=json_int(members["iat"], what=f"{WHAT} iat"),
        seq=seq,
        prev=_digest(members["prev"]) if seq else None,
        user=_read_user(members["user"]),
        links=tuple(_read_link(item) for item in json_list(grant["links"], what=WHAT, max_items=MAX_LINKS)),
        basis=cast(Basis, grant["basis"]),
        purpose=GrantPurpose.from_json(grant["purpose"], what=f"{WHAT} purpose"),
        vct=check_vct(material["vct"], what=f"{WHAT} vct"),
        material=check_material_id(_text(material["jti"]), what=f"{WHAT} material"),
        requested=_read_paths(paths["requested"]),
        disclosed=_read_paths(paths["disclosed"]),
        result=_read_result(members["result"]),
        request_digest=_digest(members["request_digest"]),
        uses=tuple(_read_use(item) for item in json_list(members["uses"], what=WHAT, max_items=MAX_LINKS)),
    )


def _result_to_json(result: UsageResult) -> dict[str, JsonValue]:
    if result.outcome == "released":
        return {"outcome": "released"}
    return {"outcome": "refused", "code": result.code, "link": result.link}


def _read_result(value: JsonValue) -> UsageResult:
    if value == {"outcome": "released"}:
        return UsageResult("released")
    members = json_object(value, what=f"{WHAT} result", required=("outcome", "code", "link"))
    if members["outcome"] != "refused":
        raise MalformedError("form.result", f"{WHAT}: unknown outcome")
    code = check_code(_text(members["code"]), what=f"{WHAT} code")
    return UsageResult("refused", code, json_int(members["link"], what=f"{WHAT} link", maximum=MAX_LINKS - 1))


def _read_user(value: JsonValue) -> UsageUser:
    names = ("requester", "organisation", "location", "intermediaries")
    members = json_object(value, what=f"{WHAT} user", required=names)
    between = json_list(members["intermediaries"], what=f"{WHAT} intermediaries", max_items=MAX_LINKS)
    return UsageUser(
        _entity(members["requester"]),
        _entity(members["organisation"]),
        Location.from_json(members["location"], what=f"{WHAT} location"),
        tuple(_entity(item) for item in between),
    )


def _read_link(value: JsonValue) -> LinkId:
    members = json_object(value, what=f"{WHAT} link", required=("iss", "jti"))
    return LinkId(_entity(members["iss"]), check_id(_text(members["jti"]), prefix="gr", what=f"{WHAT} link"))


def _read_use(value: JsonValue) -> UseCount:
    members = json_object(value, what=f"{WHAT} use", required=("link", "n", "max"))
    link = json_int(members["link"], what=f"{WHAT} use", maximum=MAX_LINKS - 1)
    n, maximum = (json_int(members[name], what=f"{WHAT} use", minimum=1) for name in ("n", "max"))
    return UseCount(link, n, maximum)


def _read_paths(value: JsonValue) -> tuple[str, ...]:
    return tuple(check_path(item, what=f"{WHAT} path") for item in json_list(value, what=WHAT, max_items=MAX_CLAIMS))


def _digest(value: JsonValue) -> bytes:
    digest = b64url_decode(_text(value), what=WHAT)
    if len(digest) != 32:
        raise MalformedError("form.digest", f"{WHAT}: not a SHA-256")
    return digest


def _text(value: JsonValue) -> str:
    return json_str(value, what=WHAT, max_length=128)


def _entity(value: JsonValue) -> EntityId:
    return check_entity_id(_text(value), what=WHAT)
