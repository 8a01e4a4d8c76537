"""What a home is: the rules it registers by and the secret that keys its handles."""

from dataclasses import dataclass, field

from materials.catalogue import Catalogue
from materials.registry.policy import RegistrationPolicy
from materials.trust.lists import VerifiedTrustList


@dataclass(frozen=True, slots=True)
class Home:
    """One home during one operation.

    ``status_uri`` is the list in which its materials get their places; ``secret`` (at least 32 bytes, never changed)
    keys pseudonyms and identities.
    """

    policy: RegistrationPolicy
    trust: VerifiedTrustList
    catalogue: Catalogue
    status_uri: str
    secret: bytes = field(repr=False)
