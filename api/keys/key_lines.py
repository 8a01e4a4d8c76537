"""Finding the key that a person names: in the keyring by name or key id, in the trust list by its line.

A *line* is the first key that an organisation had in a role, and its successors: ``uscc:<USCC>.issue``, ``home.list``.
"""

import re
from dataclasses import dataclass
from typing import Final

from api import names
from api.keys.current_keys import key_base
from api.keys.keyring import Keyring
from api.keys.organisation_keys import KEPT_ROLES
from api.parties import party_key
from materials.trust.model import Entity, Role, TrustKey, TrustList
from signing import RefusedError

_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
FIXED: Final = {
    names.LOG_KEY: "the log is known by its key: another key would be another log",
    names.WITNESS_KEY: "the witness is known by its key: another key would be another witness",
    names.WITNESS_SEED: "the witness is known by its key: another key would be another witness",
    names.HOME_SECRET: "pseudonyms, identities and all stored files hang on it",
    names.GOVERNOR_KEY: "the contract names this account: the governor hands over in the contract",
    names.ANCHOR_KEY: "the contract names this account: the origin's admin admits another one in the contract",
}
"""Keys that can't be rotated or revoked here, and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of keys: whose, and in which role."""

    entity: Entity
    role: Role

    @property
    def base(self) -> str:
        """The keyring's name of its first key."""
        return key_base(self.entity, self.role)


def key_name(text: str) -> str:
    """The keyring's name that a person means: a bare name is a holder's or agent's."""
    return text if text.startswith(("uscc:", "home.", "party.")) else party_key(text)


def held_name(keyring: Keyring, text: str) -> str:
    """The name of the key held that ``text`` means, by its name or key id; raises RefusedError (``key.not-held``)."""
    if _KEY_ID.fullmatch(text):
        for name in keyring.names():
            public = keyring.facts(name).public_key
            if public is not None and public.key_id == text:
                return name
    name = key_name(text)
    if name not in keyring:
        raise RefusedError("key.not-held", f"this workspace keeps no key called {text}: see 'key list'")
    return name


def check_changeable(name: str) -> None:
    """Raises RefusedError (``key.fixed``) for a key that is not in the trust list, and why it can't be changed."""
    why = FIXED.get(name) or ("a holder's key is named by grants, not by the trust list" if _is_party(name) else None)
    if why is not None:
        raise RefusedError("key.fixed", f"key {name} is neither rotated nor revoked here: {why}")


def _is_party(name: str) -> bool:
    return name.startswith("party.")


def find_line(trust_list: TrustList, name: str) -> Line:
    """The line that a key's name belongs to; raises RefusedError ``key.fixed``, ``key.unknown``."""
    check_changeable(name)
    base = names.first_key(name)
    if base == names.LIST_KEY:
        return Line(trust_list.find_entity(trust_list.iss), "list")
    for entity in trust_list.entities:
        for role in KEPT_ROLES:
            if names.entity_key(entity.id, role) == base:
                return Line(entity, role)
    raise RefusedError("key.unknown", f"the trust list names no organisation that has a key called {name}")


def find_listed(trust_list: TrustList, keyring: Keyring, text: str) -> tuple[Entity, TrustKey]:
    """The listed key that ``text`` names, by key id or by name; it need not be held here.

    Raises RefusedError: ``key.fixed``, ``key.unknown``, ``key.ambiguous`` for the name of a line of several keys.
    """
    for entity in trust_list.entities:
        for key in entity.keys:
            if key.key_id == text:
                return entity, key
    name = held_name(keyring, text) if _KEY_ID.fullmatch(text) else key_name(text)
    line = find_line(trust_list, name)
    key_id = names.successor_id(name)
    keys = [key for key in line.entity.keys if key.role == line.role and key_id in (None, key.key_id)]
    if not keys:
        raise RefusedError("key.unknown", f"the trust list names no key {name}")
    if len(keys) > 1:
        ids = ", ".join(key.key_id for key in keys)
        raise RefusedError("key.ambiguous", f"{name} has had several keys, name one by its id: {ids}")
    return line.entity, keys[0]
