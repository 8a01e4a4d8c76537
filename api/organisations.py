"""Organisations of the trust list: with keys that this workspace makes and keeps for them, or with their own."""

from dataclasses import dataclass, replace
from typing import Final, get_args

from api import names
from api.keyring import KeyKind, Keyring
from api.trust_lists import change_trust, current_trust
from api.workspace import Workspace
from materials.catalogue import Catalogue
from materials.identifiers import check_uscc
from materials.ids import EntityId
from materials.regions import parse_region
from materials.trust.model import Basis, Entity, Level, Purpose, Role, TrustKey, TrustList
from signing import MalformedError, PublicKey

KEY_LIFETIME: Final = 5 * 366 * 86400
KEPT_ROLES: Final[tuple[Role, ...]] = ("issue", "status", "grant", "api")
_KIND: Final[dict[Role, KeyKind]] = {"issue": "ES256"}


@dataclass(frozen=True, slots=True)
class Organisation:
    """What an operator says of an organisation. ``types`` are codes of material types it may issue.

    For each of ``roles`` a key is made here, unless ``own_keys`` names one whose private part the organisation holds.
    """

    uscc: str
    name_zh: str
    name_en: str
    level: Level
    region: str
    types: tuple[str, ...] = ()
    bases: tuple[Basis, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    roles: tuple[Role, ...] = KEPT_ROLES
    own_keys: tuple[tuple[Role, PublicKey], ...] = ()


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
    own = dict(organisation.own_keys)
    keys = tuple(
        TrustKey(own.get(role) or _kept_key(keyring, entity_id, role), role, nbf=now, exp=now + KEY_LIFETIME)
        for role in organisation.roles
    )
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


def _kept_key(keyring: Keyring, entity_id: EntityId, role: Role) -> PublicKey:
    name = names.entity_key(entity_id, role)
    if name not in keyring:
        keyring.create(name, _KIND.get(role, "Ed25519"))
    return keyring.signer(name).public_key


def add_organisation(workspace: Workspace, organisation: Organisation, now: int) -> Entity:
    """List an organisation, or change its entry; keys listed before stay, with the dates they had."""
    drafted = make_entity(organisation, workspace.keyring, workspace.catalogue, origin=None, now=now)
    listed = find_organisation(workspace, drafted.id, now)
    if listed is not None and _merged(listed, drafted) == listed:
        return listed

    def change(trust_list: TrustList) -> TrustList:
        old = next((known for known in trust_list.entities if known.id == drafted.id), None)
        others = tuple(known for known in trust_list.entities if known.id != drafted.id)
        return replace(trust_list, entities=(*others, drafted if old is None else _merged(old, drafted)))

    return change_trust(workspace, change, now).list.find_entity(drafted.id)


def _merged(listed: Entity, drafted: Entity) -> Entity:
    held = {key.key_id for key in listed.keys}
    fresh = tuple(key for key in drafted.keys if key.key_id not in held)
    return replace(drafted, keys=(*listed.keys, *fresh), status_uris=listed.status_uris)


def find_organisation(workspace: Workspace, entity_id: EntityId, now: int) -> Entity | None:
    """The entry of an organisation in the current trust list."""
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    return next((entity for entity in trust.list.entities if entity.id == entity_id), None)
