"""The decision before a statement enters the log: may this issuer's key register this, today? Pure, nothing is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from materials.bundle import MAX_SIGNATURES
from materials.catalogue import Catalogue, MaterialType, check_fields, schema_digest
from materials.fieldkinds import FieldValue
from materials.identifiers import licence_id_warnings, parse_licence_id, uscc_warnings
from materials.ids import entity_uscc
from materials.regions import region_contains
from materials.registry.policy import RegistrationPolicy
from materials.second_signature import (
    SecondSignature,
    check_distinct_algorithms,
    parse_second_signature,
    verify_second_signature,
)
from materials.statement import Statement, check_statement_type
from materials.times import SKEW_SECONDS
from materials.trust.key_check import check_key
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import Entity, TrustKey
from materials.trust.rollover import list_keys
from signing.errors import LedgerError, MalformedError, RefusedError, VerificationError
from signing.keys import KeyId


@dataclass(frozen=True, slots=True)
class Registration:
    """What the policy allows: the statement's issuer and key, its type, and its complete fields.

    ``signatures`` are the further ones that were shown, verified. ``warnings`` are stable codes for what is unusual but
    allowed.
    """

    entity: Entity
    key: TrustKey
    material_type: MaterialType
    fields: dict[str, FieldValue] = field(repr=False)
    signatures: tuple[SecondSignature, ...]
    warnings: tuple[str, ...]


def decide_registration(
    policy: RegistrationPolicy,
    *,
    statement: Statement,
    trust: VerifiedTrustList,
    catalogue: Catalogue,
    now: int,
    signatures: Sequence[str] = (),
) -> Registration:
    """Apply the rules of ``policy`` to a verified ``statement`` shown with all its disclosures.

    ``signatures`` are the further ones over it, detached (``second_signature``); each must hold, by a key that counts.

    Whether its ids are new is for the store to say. Raises RefusedError: ``registration.trust-list``, ``.issuer``,
    ``.key``, ``.type``, ``.schema``, ``.region``, ``.time``, ``.status-uri``, ``.fields``, ``.files``,
    ``.licence-id``; the message names the rule, never a value. For ``signatures`` also MalformedError and
    VerificationError ``signature.*``; UnavailableError where a certificate or a signature can't be checked now.
    """
    if policy.list_key not in {trust.list_key_id, *(key.key_id for key in list_keys(trust.list))}:
        _refuse("trust-list", "the trust list is not the one that the policy names")
    entity = _issuer(policy, statement, trust)
    key = _key(statement.key_id, statement, entity, trust, now)
    material_type = _type(policy, statement, entity, catalogue)
    home = next((listed for listed in trust.list.entities if listed.id == trust.list.iss), entity)
    _check_times_and_status(statement, entity, home, now)
    fields = _fields(statement, material_type, catalogue)
    if not region_contains(entity.region, str(fields["area_code"])):
        _refuse("region", "the material belongs to a place outside the issuer's region")
    if not statement.files:
        _refuse("files", "no file is disclosed")
    further = _signatures(signatures, statement, entity, trust, now)
    warnings = _licence_warnings(statement, material_type, fields)
    return Registration(entity, key, material_type, fields, further, warnings)


def _refuse(rule: str, why: str, cause: LedgerError | None = None) -> NoReturn:
    raise RefusedError(f"registration.{rule}", why) from cause


def _issuer(policy: RegistrationPolicy, statement: Statement, trust: VerifiedTrustList) -> Entity:
    try:
        entity = trust.list.find_entity(statement.iss)
    except VerificationError as error:
        _refuse("issuer", str(error), error)
    if not region_contains(policy.region, entity.region):
        _refuse("region", "the issuer is outside the region of this log")
    return entity


def _key(kid: KeyId, statement: Statement, entity: Entity, trust: VerifiedTrustList, now: int) -> TrustKey:
    """The key must count for a signature made now, not only for one made when the statement says."""
    try:
        key = trust.list.find_key(entity.id, kid, "issue")
        for at in (statement.claims.iat, now):
            check_key(key, entity=entity, trust=trust, role="issue", at=at, now=now)
    except VerificationError as error:
        _refuse("key", str(error), error)
    return key


def _signatures(
    texts: Sequence[str], statement: Statement, entity: Entity, trust: VerifiedTrustList, now: int
) -> tuple[SecondSignature, ...]:
    jwt = statement.entry.decode("ascii")
    if len(texts) > MAX_SIGNATURES:
        raise MalformedError("form.size", f"more than {MAX_SIGNATURES} further signatures")
    keys = [_key(parse_second_signature(jwt, text).key_id, statement, entity, trust, now) for text in texts]
    first = trust.list.find_key(entity.id, statement.key_id, "issue")
    check_distinct_algorithms([key.public_key.algorithm for key in (first, *keys)])
    return tuple(verify_second_signature(jwt, text, key.public_key) for text, key in zip(texts, keys, strict=True))


def _type(policy: RegistrationPolicy, statement: Statement, entity: Entity, catalogue: Catalogue) -> MaterialType:
    if statement.vct not in entity.types:
        _refuse("type", "the issuer is not listed for this type of material")
    try:
        material_type = catalogue.by_vct(statement.vct)
    except MalformedError as error:
        _refuse("schema", str(error), error)
    if policy.types.get(statement.vct) != schema_digest(material_type):
        _refuse("schema", "the policy does not name this type with this schema")
    return material_type


def _check_times_and_status(statement: Statement, entity: Entity, home: Entity, now: int) -> None:
    claims = statement.claims
    if claims.iat > now + SKEW_SECONDS:
        _refuse("time", "the statement is dated in the future")
    if claims.exp <= now:
        _refuse("time", "the statement has already ended")
    if claims.status is not None and claims.status.uri not in (*entity.status_uris, *home.status_uris):
        _refuse("status-uri", "the status list is neither the issuer's nor the home's")


def _fields(statement: Statement, material_type: MaterialType, catalogue: Catalogue) -> dict[str, FieldValue]:
    try:
        check_statement_type(statement, catalogue)
        return check_fields(material_type, {**statement.fields})
    except MalformedError as error:
        _refuse("fields", str(error), error)


def _licence_warnings(
    statement: Statement, material_type: MaterialType, fields: dict[str, FieldValue]
) -> tuple[str, ...]:
    issuer = entity_uscc(statement.iss)
    warnings = () if issuer is None else uscc_warnings(issuer)
    if material_type.licence_type_code is None:
        return warnings
    licence = parse_licence_id(str(fields["licence_id"]))
    if licence.type_code != material_type.licence_type_code:
        _refuse("licence-id", "the licence identifier names another type of licence")
    unusual = licence_id_warnings(licence)
    if not unusual and licence.issuer_code != issuer:
        _refuse("licence-id", "the licence identifier names another issuer")
    if licence.version != statement.claims.version:
        _refuse("licence-id", "the licence identifier has another version than the statement")
    return (*warnings, *unusual)
