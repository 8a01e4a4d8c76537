"""The JSON form of a trust list's members: exact member sets, closed vocabularies, nothing repeated."""

from collections.abc import Collection, Hashable, Sequence
from typing import cast

from anchors.profile_json import parse_profile, profile_to_json
from materials.claims import check_uri
from materials.ids import check_code, check_organisation_id
from materials.regions import parse_region
from materials.trust.model import (
    AUTHORITY_REVOCATIONS,
    AUTHORITY_USES,
    BASES,
    LEVELS,
    REVOCATION_REASONS,
    ROLES,
    AuthorityRevocation,
    AuthorityUse,
    Basis,
    Entity,
    KeyRevocation,
    Level,
    Purpose,
    RevocationReason,
    Role,
    TrustedAuthority,
    TrustedLog,
    TrustKey,
    TrustList,
)
from signing.encoding import b64_decode, b64_encode
from signing.errors import MalformedError
from signing.keys import PublicKey
from signing.notes.note_key import NoteKey
from signing.strict_json import JsonValue, json_int, json_list, json_object, json_str, json_strs
from signing.x509.certificates import CERTIFICATE_MAX_BYTES, CHAIN_MAX, Certificate, parse_certificate

_LIST = ("iss", "seq", "iat", "next_update", "exp", "entities", "logs", "chains")
_ENTITY = ("id", "name_zh", "name_en", "level", "region", "types", "bases", "status_uris", "purposes", "keys")
_MAX_ENTITIES = 5000
_MAX_AUTHORITIES = 100
_MAX_CERTIFICATE_TEXT = (CERTIFICATE_MAX_BYTES + 2) // 3 * 4


def trust_list_to_json(trust_list: TrustList) -> dict[str, JsonValue]:
    """The claims of the signed list; ``read_trust_list`` reads them back."""
    value: dict[str, JsonValue] = {
        "iss": trust_list.iss,
        "seq": trust_list.seq,
        "iat": trust_list.iat,
        "next_update": trust_list.next_update,
        "exp": trust_list.exp,
        "entities": [_entity_to_json(entity) for entity in trust_list.entities],
        "logs": [{"origin": log.origin, "vkey": log.key.format()} for log in trust_list.logs],
        "chains": [profile_to_json(chain) for chain in trust_list.chains],
    }
    if trust_list.prev is not None:
        value["prev"] = trust_list.prev
    if trust_list.authorities:
        value["authorities"] = [_authority_to_json(authority) for authority in trust_list.authorities]
    return value


def _authority_to_json(authority: TrustedAuthority) -> JsonValue:
    return {
        "certificate": b64_encode(authority.certificate.der),
        "use": authority.use,
        "revocation": authority.revocation,
    }


def _entity_to_json(entity: Entity) -> JsonValue:
    return {
        "id": entity.id,
        "name_zh": entity.name_zh,
        "name_en": entity.name_en,
        "level": entity.level,
        "region": entity.region,
        "types": list(entity.types),
        "bases": list(entity.bases),
        "status_uris": list(entity.status_uris),
        "purposes": [
            {
                "code": purpose.code,
                "legal_ground": purpose.legal_ground,
                "types": list(purpose.types),
                "claims": list(purpose.claims),
            }
            for purpose in entity.purposes
        ],
        "keys": [_key_to_json(key) for key in entity.keys],
    }


def _key_to_json(key: TrustKey) -> JsonValue:
    value: dict[str, JsonValue] = {"role": key.role, "nbf": key.nbf, "exp": key.exp}
    if key.chain:
        value["x5c"] = [b64_encode(certificate.der) for certificate in key.chain]
    else:
        value["jwk"] = key.public_key.to_jwk()
    if key.revoked is not None:
        value["revoked"] = {"at": key.revoked.at, "reason": key.revoked.reason}
    return value


def read_trust_list(claims: dict[str, JsonValue]) -> TrustList:
    """Read the claims of a list.

    Raises MalformedError (``form.*``, ``key.*``, ``note.*``, ``certificate.*``, ``trust.repeated``).
    """
    members = json_object(claims, what="trust list", required=_LIST, optional=("prev", "authorities"))
    entities = json_list(members["entities"], what="entities", max_items=_MAX_ENTITIES)
    logs = json_list(members["logs"], what="logs", max_items=_MAX_ENTITIES)
    trust_list = TrustList(
        iss=check_organisation_id(json_str(members["iss"], what="iss"), what="iss"),
        seq=json_int(members["seq"], what="seq", minimum=1),
        prev=json_str(members["prev"], what="prev", max_length=43) if "prev" in members else None,
        iat=json_int(members["iat"], what="iat"),
        next_update=json_int(members["next_update"], what="next_update"),
        exp=json_int(members["exp"], what="exp"),
        entities=tuple(_read_entity(entity) for entity in entities),
        logs=tuple(_read_log(log) for log in logs),
        chains=tuple(parse_profile(chain) for chain in json_list(members["chains"], what="chains", max_items=100)),
        authorities=_read_authorities(members),
    )
    if not trust_list.iat < trust_list.next_update <= trust_list.exp:
        raise MalformedError("time.order", "trust list: not iat < next_update <= exp")
    if (trust_list.seq == 1) != (trust_list.prev is None):
        raise MalformedError("trust.prev", "trust list: prev goes with every list but the first")
    _check_distinct([entity.id for entity in trust_list.entities], "entities")
    _check_distinct([log.origin for log in trust_list.logs], "logs")
    _check_distinct([chain.profile_id for chain in trust_list.chains], "chains")
    _check_distinct([(item.certificate.fingerprint, item.use) for item in trust_list.authorities], "authorities")
    return trust_list


def _read_authorities(members: dict[str, JsonValue]) -> tuple[TrustedAuthority, ...]:
    if "authorities" not in members:
        return ()
    items = json_list(members["authorities"], what="authorities", max_items=_MAX_AUTHORITIES)
    if not items:
        raise MalformedError("form.size", "authorities: left out if there is none")
    return tuple(_read_authority(item) for item in items)


def _read_authority(value: JsonValue) -> TrustedAuthority:
    members = json_object(value, what="authority", required=("certificate", "use", "revocation"))
    return TrustedAuthority(
        certificate=_read_certificate(members["certificate"], "authority"),
        use=cast(AuthorityUse, _one_of(members["use"], AUTHORITY_USES, "use")),
        revocation=cast(AuthorityRevocation, _one_of(members["revocation"], AUTHORITY_REVOCATIONS, "revocation")),
    )


def _read_certificate(value: JsonValue, what: str) -> Certificate:
    text = json_str(value, what=what, max_length=_MAX_CERTIFICATE_TEXT)
    return parse_certificate(b64_decode(text, what=what))


def _read_entity(value: JsonValue) -> Entity:
    members = json_object(value, what="entity", required=_ENTITY)
    region = json_str(members["region"], what="region")
    parse_region(region)
    uris = json_list(members["status_uris"], what="status_uris")
    entity = Entity(
        id=check_organisation_id(json_str(members["id"], what="entity id")),
        name_zh=json_str(members["name_zh"], what="name_zh"),
        name_en=json_str(members["name_en"], what="name_en"),
        level=cast(Level, _one_of(members["level"], LEVELS, "level")),
        region=region,
        types=json_strs(members["types"], what="types"),
        bases=tuple(cast(Basis, _one_of(basis, BASES, "bases")) for basis in json_list(members["bases"], what="bases")),
        status_uris=tuple(check_uri(uri, what="status_uris") for uri in uris),
        purposes=tuple(_read_purpose(item) for item in json_list(members["purposes"], what="purposes")),
        keys=tuple(_read_key(item) for item in json_list(members["keys"], what="keys")),
    )
    _check_distinct([purpose.code for purpose in entity.purposes], "purposes")
    _check_distinct([key.key_id for key in entity.keys], "keys")  # one key, one role
    return entity


def _read_purpose(value: JsonValue) -> Purpose:
    members = json_object(value, what="purpose", required=("code", "legal_ground", "types", "claims"))
    return Purpose(
        code=check_code(json_str(members["code"], what="purpose code"), what="purpose code"),
        legal_ground=json_str(members["legal_ground"], what="legal_ground"),
        types=json_strs(members["types"], what="purpose types"),
        claims=json_strs(members["claims"], what="purpose claims"),
    )


def _read_key(value: JsonValue) -> TrustKey:
    members = json_object(value, what="key", required=("role", "nbf", "exp"), optional=("jwk", "x5c", "revoked"))
    if ("jwk" in members) == ("x5c" in members):
        raise MalformedError("form.member", "key: either jwk or x5c is needed")
    role = cast(Role, _one_of(members["role"], ROLES, "role"))
    nbf, exp = json_int(members["nbf"], what="key nbf"), json_int(members["exp"], what="key exp")
    revoked = _read_revocation(members["revoked"]) if "revoked" in members else None
    if nbf >= exp:
        raise MalformedError("time.order", "key: nbf is not before exp")
    if "jwk" in members:
        return TrustKey(PublicKey.from_jwk(members["jwk"]), role, nbf, exp, revoked)
    chain = json_list(members["x5c"], what="x5c", max_items=CHAIN_MAX)
    return TrustKey.of_chain(tuple(_read_certificate(item, "x5c") for item in chain), role, nbf, exp, revoked)


def _read_revocation(value: JsonValue) -> KeyRevocation:
    members = json_object(value, what="revoked", required=("at", "reason"))
    reason = cast(RevocationReason, _one_of(members["reason"], REVOCATION_REASONS, "reason"))
    return KeyRevocation(json_int(members["at"], what="revoked at"), reason)


def _read_log(value: JsonValue) -> TrustedLog:
    members = json_object(value, what="log", required=("origin", "vkey"))
    key = NoteKey.parse(json_str(members["vkey"], what="vkey"))
    origin = json_str(members["origin"], what="origin")
    if origin != key.name:
        raise MalformedError("trust.log", "log: origin and the name of its key differ")
    return TrustedLog(origin, key)


def _one_of(value: JsonValue, words: Collection[str], what: str) -> str:
    text = json_str(value, what=what)
    if text not in words:
        raise MalformedError("form.code", f"{what}: not one of {', '.join(sorted(words))}")
    return text


def _check_distinct(names: Sequence[Hashable], what: str) -> None:
    if len(set(names)) < len(names):
        raise MalformedError("trust.repeated", f"trust list: one of {what} occurs twice")
