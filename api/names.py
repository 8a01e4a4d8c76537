"""Names that the parts of one workspace agree on: keys in the keyring, URIs of lists, places in the workspace."""

from typing import Final

from materials.ids import EntityId, check_organisation_id

LOG_KEY: Final = "home.log"
LIST_KEY: Final = "home.list"
HOME_SECRET: Final = "home.secret"
GOVERNOR_KEY: Final = "home.governor"
ANCHOR_KEY: Final = "home.anchor"


def entity_key(entity: str, role: str) -> str:
    """The keyring's name of an entity's key in one role."""
    return f"{entity}.{role}"


def status_uri(origin: str) -> str:
    """The status list of the materials of the home whose log has this origin."""
    return f"https://{origin}/status/materials"


def grant_status_uri(origin: str) -> str:
    """The status list of the grants that this home counts."""
    return f"https://{origin}/status/grants"


def profile_id(origin: str, chain_id: int) -> str:
    """The trust profile of the chain on which this log is anchored."""
    return f"{origin}#chain-{chain_id}"


def organisation(text: str) -> EntityId:
    """``uscc:<code>`` of a code given with or without the prefix; raises MalformedError if it is none."""
    return check_organisation_id(text if text.startswith("uscc:") else f"uscc:{text}", what="organisation")
