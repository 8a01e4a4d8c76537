"""Names that the parts of one workspace agree on: keys in the keyring, URIs of lists, places in the workspace."""

import re
from typing import Final

from materials.ids import EntityId, check_organisation_id
from signing import KeyId, sha256

LOG_KEY: Final = "home.log"
LIST_KEY: Final = "home.list"
HOME_SECRET: Final = "home.secret"
GOVERNOR_KEY: Final = "home.governor"
ANCHOR_KEY: Final = "home.anchor"
WITNESS_KEY: Final = "home.witness"
WITNESS_SEED: Final = "home.witness-ml-dsa"
DEVELOPMENT_CHAIN_IDS: Final = range(20261, 21000)
"""A chain with one of these ids never gives a production grade, whoever serves it."""
_NUMBERED: Final = re.compile(r"(.+)\.([A-Za-z0-9_-]{43})")


def entity_key(entity: str, role: str) -> str:
    """The keyring's name of an entity's key in one role."""
    return f"{entity}.{role}"


def successor_key(name: str, key_id: KeyId) -> str:
    """The keyring's name of a further key for what the key ``name`` is for."""
    return f"{first_key(name)}.{key_id}"


def first_key(name: str) -> str:
    """The name that the first key of a line of successors has."""
    match = _NUMBERED.fullmatch(name)
    return match[1] if match else name


def successor_id(name: str) -> KeyId | None:
    """The key id in the name of a successor; None for a first key, whose name does not tell it."""
    match = _NUMBERED.fullmatch(name)
    return KeyId(match[2]) if match else None


def status_uri(origin: str) -> str:
    """The status list of the materials of the home whose log has this origin."""
    return f"https://{origin}/status/materials"


def grant_status_uri(origin: str) -> str:
    """The status list of the grants that this home counts."""
    return f"https://{origin}/status/grants"


def further_log_key(origin: str) -> str:
    """The keyring's name of the key of a log that this home has beside its own."""
    return f"{LOG_KEY}.{sha256(origin.encode()).hex()[:16]}"


def witness_name(origin: str) -> str:
    """The key name of the witness that the home with this origin is, if its settings give it no other."""
    return f"{origin}/witness"


def profile_id(origin: str, chain_id: int) -> str:
    """The trust profile of the chain on which this log is anchored."""
    return f"{origin}#chain-{chain_id}"


def organisation(text: str) -> EntityId:
    """``uscc:<code>`` of a code given with or without the prefix; raises MalformedError if it is none."""
    return check_organisation_id(text if text.startswith("uscc:") else f"uscc:{text}", what="organisation")
