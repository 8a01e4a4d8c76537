"""Organisations of the trust list: with keys that this workspace makes and keeps for them, or with their own."""

from dataclasses import dataclass, field, replace
from typing import Final, get_args

from api import names
from api.keys.keyring import Keyring
from api.keys.organisation_keys import KEPT_ROLES, KeyTerms, kept_keys
from api.trust_lists import change_trust, current_trust
from api.workspace import Workspace
from materials.catalogue import Catalogue
from materials.identifiers import check_uscc
from materials.ids import EntityId
from materials.regions import parse_region
from materials.trust.key_check import check_key
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import Basis, Entity, Level, Purpose, Role, TrustKey, TrustList
from signing import MalformedError, PublicKey, RefusedError, VerificationError
from signing.x509.certificates import Certificate

KEY_LIFETIME: Final = 5 * 366 * 86400


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key whose private part the organisation holds; ``chain`` certifies it (leaf first, root left out)."""

    role: Role
    public_key: PublicKey
    chain: tuple[Certificate, ...] = ()

    @classmethod
    def certified(cls, role: Role, chain: tuple[Certificate, ...]) -> "OwnKey":
        """The key of a chain's first certificate; a root at its end is left out. VerificationError if it can't sign."""
        key = chain[0].public_key
        if key is None:
            raise VerificationError("certificate.key", "the certificate is for a key that signs nothing here")
        with_root = len(chain) > 1 and chain[-1].subject == chain[-1].issuer
        return cls(role, key, chain[:-1] if with_root else chain)

    def listed(self, now: int) -> TrustKey:
        """The key's entry from ``now``; it ends with the certificate, if that ends first."""
        end = min([now + KEY_LIFETIME, *(certificate.not_after + 1 for certificate in self.chain)])
        if end <= now:
            raise RefusedError("certificate.window", "the certificate has ended")
        return TrustKey(self.public_key, self.role, nbf=now, exp=end, chain=self.chain)


@dataclass(frozen=True, slots=True)
class Organisation:
    """What an operator says of an organisation. ``types`` are codes of material types it may issue.

    For each of ``roles`` keys are made here, as ``keys`` says, unless ``own_keys`` names one of that role.
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
    keys: KeyTerms = field(default_factory=KeyTerms)
    own_keys: tuple[OwnKey, ...] = ()


def make_entity(
    organisation: Organisation,
    keyring: Keyring,
    catalogue: Catalogue,
    *,
    origin: str | None,
    now: int,
    listed: Entity | None = None,
) -> Entity:
    """The organisation's entry in a trust list, with its keys; those that exist are kept.

    ``origin`` is that of the home's log if the organisation is the home, whose status lists it then signs. ``listed``
    is the entry it has. Raises MalformedError for a USCC, region, level or type that is none, and as ``kept_keys``.
    """
    check_uscc(organisation.uscc)
    parse_region(organisation.region)
    if organisation.level not in get_args(Level):
        raise MalformedError("form.level", f"level: one of {', '.join(get_args(Level))} is needed")
    entity_id = EntityId(f"uscc:{organisation.uscc}")
    types = tuple(catalogue.by_code(code).vct for code in organisation.types)
    brought = {key.role for key in organisation.own_keys}
    organisation.keys.check([role for role in organisation.roles if role not in brought])
    keys: list[TrustKey] = []
    for role in organisation.roles:
        own = [key.listed(now) for key in organisation.own_keys if key.role == role]
        kept = [] if own else kept_keys(keyring, entity_id, role, organisation.keys, listed)
        keys += own or [TrustKey(key, role, nbf=now, exp=now + KEY_LIFETIME) for key in kept]
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
        keys=tuple(keys),
    )


def add_organisation(workspace: Workspace, organisation: Organisation, now: int) -> Entity:
    """List an organisation, or change its entry; keys listed before stay, with the dates they had.

    A key that comes with a certificate must verify at once, to an authority of the trust list and with the revocation
    lists at hand: raises as ``check_key``. RefusedError ``key.listed`` for a certificate of a key listed before.
    """
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    listed = _find(trust, EntityId(f"uscc:{organisation.uscc}"))
    drafted = make_entity(organisation, workspace.keyring, workspace.catalogue, origin=None, now=now, listed=listed)
    for key in drafted.keys:
        if key.chain:
            check_key(key, entity=drafted, trust=trust, role=key.role, at=now, now=now)
    if listed is not None and _merged(listed, drafted) == listed:
        return listed

    def change(trust_list: TrustList) -> TrustList:
        old = next((known for known in trust_list.entities if known.id == drafted.id), None)
        others = tuple(known for known in trust_list.entities if known.id != drafted.id)
        return replace(trust_list, entities=(*others, drafted if old is None else _merged(old, drafted)))

    return change_trust(workspace, change, now).list.find_entity(drafted.id)


def _merged(listed: Entity, drafted: Entity) -> Entity:
    held = {key.key_id: key for key in listed.keys}
    for key in drafted.keys:
        if key.chain and key.key_id in held and held[key.key_id].chain != key.chain:
            raise RefusedError("key.listed", "the key is listed already, without this certificate: a new key is needed")
    fresh = tuple(key for key in drafted.keys if key.key_id not in held)
    return replace(drafted, keys=(*listed.keys, *fresh), status_uris=listed.status_uris)


def find_organisation(workspace: Workspace, entity_id: EntityId, now: int) -> Entity | None:
    """The entry of an organisation in the current trust list."""
    with workspace.database.read() as connection:
        return _find(current_trust(workspace, connection, now), entity_id)


def _find(trust: VerifiedTrustList, entity_id: EntityId) -> Entity | None:
    return next((entity for entity in trust.list.entities if entity.id == entity_id), None)
