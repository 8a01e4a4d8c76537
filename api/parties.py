"""Parties of grants: organisations of the trust list, and holders and agents whose keys this workspace keeps.

A holder or agent is named by the key's name (``owner``, ``agent``). Its entity id is a pseudonym made from the key;
as the owner of a material it is known to the home by the material's own owner pseudonym instead.
"""

from api.keys.current_keys import current_keys
from api.organisations import find_organisation
from api.workspace import Workspace
from materials.grants.links import Delegate, GrantLink
from materials.grants.terms import Location
from materials.ids import EntityId, holder_id
from materials.trust.model import Entity, Role
from signing import KeyId, PublicKey, RefusedError, Signer, sha256


def party_key(name: str) -> str:
    """The keyring's name of a holder's or agent's key."""
    return f"party.{name}"


def party_delegate(workspace: Workspace, name: str) -> Delegate:
    """A holder or agent as the receiver of a link; raises UnavailableError (``keyfile.missing``)."""
    key = workspace.keyring.signer(party_key(name)).public_key
    return Delegate(holder_id(sha256(f"ematerials/party/v1\n{key.key_id}".encode())[:16]), key)


def organisation_delegate(workspace: Workspace, entity_id: EntityId, now: int, *, redelegates: bool) -> Delegate:
    """An organisation as the receiver of a link: with its ``api`` key, or with ``grant`` if it passes the link on."""
    role: Role = "grant" if redelegates else "api"
    return Delegate(entity_id, newest_key(listed(workspace, entity_id, now), role, now))


def newest_key(entity: Entity, role: Role, now: int) -> PublicKey:
    """The organisation's present key in one role, held here or not; raises RefusedError (``key.role``)."""
    keys = current_keys(entity, role, now)
    if not keys:
        raise RefusedError("key.role", f"the organisation has no current key of role {role} in the trust list")
    return keys[0].public_key


def listed(workspace: Workspace, entity_id: EntityId, now: int) -> Entity:
    """An organisation of the trust list; raises RefusedError (``key.unknown``)."""
    entity = find_organisation(workspace, entity_id, now)
    if entity is None:
        raise RefusedError("key.unknown", "the trust list does not name this organisation: add it with 'org add'")
    return entity


def location_of(entity: Entity) -> Location:
    """The whole organisation, where the trust list says it is."""
    return Location(entity.region, entity.level, entity.id)


def delegate_signer(workspace: Workspace, link: GrantLink) -> Signer:
    """The private key of the link's delegate, if this workspace keeps it; raises RefusedError (``key.not-held``)."""
    return held_signer(workspace, link.audience.key.key_id)


def held_signer(workspace: Workspace, key_id: KeyId) -> Signer:
    """The signer with this thumbprint, among parties and organisations."""
    for name in workspace.keyring.names():
        public = workspace.keyring.facts(name).public_key if name.startswith(("party.", "uscc:")) else None
        if public is not None and public.key_id == key_id:
            return workspace.keyring.signer(name)
    raise RefusedError("key.not-held", "this workspace does not keep the private key that the grant names")
