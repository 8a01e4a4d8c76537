"""What an operator sees of the keys held: each one's public facts, and what the trust list says of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from api import names
from api.keys.keyring import KeyFacts
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from materials.ids import EntityId
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import TrustKey
from materials.trust.rollover import list_keys
from signing import JsonValue, NoteKey
from signing.notes.note_key import ED25519


@dataclass(frozen=True, slots=True)
class Listing:
    """One place where the trust list names a key: whose, in which role.

    ``key`` is None for the log's key, and for the list key before its first rotation: neither is an entity's key there.
    """

    entity: EntityId
    role: str
    key: TrustKey | None

    def state(self, now: int) -> str:
        """``current``, ``planned``, ``expired``, or why it ended: ``superseded``, ``compromised``, ``unspecified``."""
        key = self.key
        if key is None:
            return "current"
        if key.revoked is not None and now >= key.revoked.at:
            return key.revoked.reason
        if now < key.nbf:
            return "planned"
        return "expired" if now >= key.exp else "current"

    def to_json(self, now: int) -> dict[str, JsonValue]:
        """The listing for programs."""
        value: dict[str, JsonValue] = {"entity": self.entity, "role": self.role, "state": self.state(now)}
        if self.key is None:
            return value
        revoked = self.key.revoked
        ending: JsonValue = None if revoked is None else {"at": revoked.at, "reason": revoked.reason}
        return value | {"nbf": self.key.nbf, "exp": self.key.exp, "revoked": ending}


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key held here. ``vkeys`` of the log's key: as a log's, and as a witness's (C2SP tlog-cosignature)."""

    facts: KeyFacts
    listings: tuple[Listing, ...]
    vkeys: tuple[NoteKey, ...] = ()

    @property
    def id(self) -> str:
        """Key id, or address of a chain account; empty for a secret."""
        if self.facts.public_key is not None:
            return self.facts.public_key.key_id
        return "" if self.facts.address is None else f"0x{self.facts.address.hex()}"

    def to_json(self, now: int) -> dict[str, JsonValue]:
        """The key for programs, as ``key list`` prints it."""
        public, address = self.facts.public_key, self.facts.address
        return {
            "name": self.facts.name,
            "algorithm": self.facts.kind,
            "key_id": None if public is None else public.key_id,
            "address": None if address is None else f"0x{address.hex()}",
            "where": "file" if self.facts.label is None else "hsm",
            "hsm_label": self.facts.label,
            "listed": [listing.to_json(now) for listing in self.listings],
        }


def view_keys(workspace: Workspace, now: int) -> list[KeyView]:
    """All keys held, by name; raises as ``Keyring.facts``."""
    trust = _trust(workspace, now)
    return [_view(workspace, trust, name) for name in workspace.keyring.names()]


def view_key(workspace: Workspace, name: str, now: int) -> KeyView:
    """The key held under ``name``; raises as ``Keyring.facts``."""
    return _view(workspace, _trust(workspace, now), name)


def _trust(workspace: Workspace, now: int) -> VerifiedTrustList:
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        return current_trust(workspace, connection, now)


def _view(workspace: Workspace, trust: VerifiedTrustList, name: str) -> KeyView:
    facts = workspace.keyring.facts(name)
    vkeys: tuple[NoteKey, ...] = ()
    if name == names.LOG_KEY:
        log_key = workspace.log_key
        vkeys = (log_key, log_key.cosigner()) if log_key.type == ED25519 else (log_key,)
    return KeyView(facts, tuple(_listings(trust, facts, vkeys)), vkeys)


def _listings(trust: VerifiedTrustList, facts: KeyFacts, vkeys: tuple[NoteKey, ...]) -> Iterator[Listing]:
    if any(log.key in vkeys for log in trust.list.logs):
        yield Listing(trust.list.iss, "log", None)
    key_id = None if facts.public_key is None else facts.public_key.key_id
    if key_id == trust.list_key_id and not list_keys(trust.list):
        yield Listing(trust.list.iss, "list", None)
    for entity in trust.list.entities:
        for key in entity.keys:
            if key.key_id == key_id:
                yield Listing(entity.id, key.role, key)
