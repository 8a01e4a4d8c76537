"""Organisations of the trust list, with keys that this workspace makes and keeps for them."""

from dataclasses import dataclass, replace
from typing import Final, get_args

from api import names
from api.keyring import KeyKind, Keyring
from api.trust_lists import current_trust, put_entity
from api.workspace import Workspace
from materials.catalogue import Catalogue
from materials.identifiers import check_uscc
from materials.ids import EntityId
from materials.regions import parse_region
from materials.trust import Basis, Entity, Level, Purpose, Role, TrustKey
from signing import MalformedError

KEY_LIFETIME: Final = 5 * 366 * 86400
KEPT_ROLES: Final[tuple[Role, ...]] = ("issue", "status", "grant", "api")
_KIND: Final[dict[Role, KeyKind]] = {"issue": "ES256"}


@dataclass(frozen=True, slots=True)
class Organisation:
    """What an operator says of an organisation. ``types`` are codes of material types it may issue."""

    uscc: str
    name_zh: str
    name_en: str
    level: Level
    region: str
    types: tuple[str, ...] = ()
    bases: tuple[Basis, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    roles: tuple[Role, ...] = KEPT_ROLES


def make_entity(
    organisation: Organisation, keyring: Keyring, catalogue: Catalogue, *, origin: str | None, now: int
) -> Entity:
    """The organisation's entry in a trust list, with a key for each role; keys that exist are kept.

    ``origin`` is that of the home's log if the organisation is the home, whose status lists it then signs. Raises
    MalformedError for a USCC, region, level or type that is none.
    """
    check_uscc(organisation.uscc)
    parse_region(organisation.region)
    if organisation.level not in get_args(Level):
        raise MalformedError("form.level", f"level: one of {', '.join(get_args(Level))} is needed")
    entity_id = EntityId(f"uscc:{organisation.uscc}")
    types = tuple(catalogue.by_code(code).vct for code in organisation.types)
    keys = tuple(_key(keyring, entity_id, role, now) for role in organisation.roles)
    uris = () if origin is None else (names.status_uri(origin), names.grant_status_uri(origin))
    return Entity(
        id=entity_id,
        name_zh=organisation.name_zh,
        name_en=organisation.name_en,
        level=organisation.level,
        region=organisation.region,
        types=types,
        bases=organisation.bases,
        status_uris=uris,
        purposes=organisation.purposes,
        keys=keys,
    )


def _key(keyring: Keyring, entity_id: EntityId, role: Role, now: int) -> TrustKey:
    name = names.entity_key(entity_id, role)
    if name not in keyring:
        keyring.create(name, _KIND.get(role, "Ed25519"))
    return TrustKey(keyring.signer(name).public_key, role, nbf=now, exp=now + KEY_LIFETIME)


def add_organisation(workspace: Workspace, organisation: Organisation, now: int) -> Entity:
    """List an organisation, or change its entry; keys listed before stay, with the dates they had."""
    entity = make_entity(organisation, workspace.keyring, workspace.catalogue, origin=None, now=now)
    listed = find_organisation(workspace, entity.id, now)
    if listed is not None:
        held = {key.key_id for key in listed.keys}
        fresh = tuple(key for key in entity.keys if key.key_id not in held)
        entity = replace(entity, keys=(*listed.keys, *fresh), status_uris=listed.status_uris)
    if entity != listed:
        put_entity(workspace, entity, now)
    return entity


def find_organisation(workspace: Workspace, entity_id: EntityId, now: int) -> Entity | None:
    """The entry of an organisation in the current trust list."""
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    return next((entity for entity in trust.list.entities if entity.id == entity_id), None)
