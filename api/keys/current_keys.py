"""Which key signs now: the newest that the trust list gives a role, that counts today, and that is held here.

Never "the file of that name": after a rotation the older files are still there.
"""

from api import names
from api.keys.keyring import Keyring
from materials.trust.model import Entity, Role, TrustKey, TrustList
from materials.trust.rollover import list_keys
from signing import CryptoProfile, KeyId, PublicKey, RefusedError, Signer, UnavailableError


def current_keys(entity: Entity, role: Role, now: int) -> list[TrustKey]:
    """The keys that the entity may sign with today in ``role``, newest first."""
    keys = [key for key in reversed(entity.keys) if key.role == role and counts_now(key, now)]
    return sorted(keys, key=lambda key: key.nbf, reverse=True)


def counts_now(key: TrustKey, now: int) -> bool:
    """Whether the key is listed for today, and not revoked."""
    return key.nbf <= now < key.exp and (key.revoked is None or now < key.revoked.at)


def current_names(keyring: Keyring, entity: Entity, role: Role, now: int) -> list[str]:
    """The keyring's names of the entity's current keys that are held here, newest first."""
    found = [keyring.find(key_base(entity, role), key.key_id) for key in current_keys(entity, role, now)]
    return [name for name in found if name is not None]


def key_base(entity: Entity, role: Role) -> str:
    """The keyring's name of the first key that the entity had in ``role``."""
    return names.LIST_KEY if role == "list" else names.entity_key(entity.id, role)


def holds_key(keyring: Keyring, entity: str, role: Role) -> bool:
    """Whether any key of an organisation in ``role`` is kept here, be it current or not."""
    return names.entity_key(entity, role) in keyring  # successors come after a first one


def current_signers(keyring: Keyring, entity: Entity, role: Role, now: int) -> tuple[Signer, ...]:
    """Signers for the entity's current keys that are held here, newest first, one for each family of cryptography."""
    found: dict[CryptoProfile, Signer] = {}
    for name in current_names(keyring, entity, role, now):
        signer = keyring.signer(name)
        found.setdefault(signer.public_key.profile, signer)
    return tuple(found.values())


def current_signer(keyring: Keyring, entity: Entity, role: Role, now: int) -> Signer:
    """The signer for the entity's newest current key that is held here; raises RefusedError (``key.not-held``)."""
    for name in current_names(keyring, entity, role, now):
        return keyring.signer(name)
    message = f"this workspace holds no current key of role {role} of {entity.id}: see 'key list', 'key rotate'"
    raise RefusedError("key.not-held", message)


def list_key_name(keyring: Keyring, trust_list: TrustList | None, now: int) -> str:
    """The keyring's name of the key that signs the next trust list after ``trust_list`` (None: the first).

    That is the newest current key of role ``list`` of the list's own issuer, once there is one: a successor is
    announced in this way. Raises RefusedError (``key.not-held``).
    """
    if trust_list is None or not list_keys(trust_list):
        return names.LIST_KEY
    for name in current_names(keyring, trust_list.find_entity(trust_list.iss), "list", now):
        return name
    raise RefusedError("key.not-held", "this workspace holds none of the keys that may sign the next trust list")


def held_list_key(keyring: Keyring, key_id: KeyId) -> PublicKey:
    """The public key of this home's list key with that id; raises UnavailableError (``keyfile.missing``)."""
    name = keyring.find(names.LIST_KEY, key_id)
    if name is None:
        raise UnavailableError("keyfile.missing", "the key that signed the trust list is not among those kept here")
    return keyring.public_key(name)
