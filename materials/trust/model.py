"""Trust: which organisation may do what, with which key, and from when to when.

Values, look-ups and the check of one key against its role, window, revocation, type and region. The signed form of
the list is in ``lists``, its JSON in ``json_form``. Keys come only from here, found by (entity, kid, role).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, get_args

from anchors.profile import TrustProfile
from materials.ids import EntityId
from materials.regions import region_contains
from materials.times import SKEW_SECONDS
from signing.errors import VerificationError
from signing.keys import KeyId, PublicKey
from signing.note_key import NoteKey

Role = Literal["issue", "status", "grant", "api", "timestamp", "list"]
Basis = Literal["holder", "function", "entrust"]
Level = Literal["national", "province", "city", "district", "township", "society"]
RevocationReason = Literal["unspecified", "compromised", "superseded"]

ROLES: Final = get_args(Role)
BASES: Final = get_args(Basis)
LEVELS: Final = get_args(Level)
REVOCATION_REASONS: Final = get_args(RevocationReason)


@dataclass(frozen=True, slots=True)
class KeyRevocation:
    """From ``at`` (Unix seconds) the key counts no more; only ``superseded`` leaves older signatures alone."""

    at: int
    reason: RevocationReason


@dataclass(frozen=True, slots=True)
class TrustKey:
    """A key in exactly one role, usable for signatures made from ``nbf`` until before ``exp``. Old keys stay listed."""

    public_key: PublicKey
    role: Role
    nbf: int
    exp: int
    revoked: KeyRevocation | None = None

    @property
    def key_id(self) -> KeyId:
        """The thumbprint, as headers name it."""
        return self.public_key.key_id


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose registered for a department: for which types (``vct``) and which fields it may ask, on which ground."""

    code: str
    legal_ground: str
    types: tuple[str, ...]
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """An organisation in the list: the types (``vct``) it may issue within its region, and the grants it may root."""

    id: EntityId
    name_zh: str
    name_en: str
    level: Level
    region: str
    types: tuple[str, ...]
    bases: tuple[Basis, ...]
    status_uris: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    keys: tuple[TrustKey, ...]

    def purpose(self, code: str) -> Purpose:
        """The registered purpose ``code``; raises VerificationError (``grant.purpose``)."""
        for purpose in self.purposes:
            if purpose.code == code:
                return purpose
        raise VerificationError("grant.purpose", "the purpose is not registered for this organisation")


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log whose checkpoints count, by its verifier key; the key's name is the log's origin."""

    origin: str
    key: NoteKey


@dataclass(frozen=True, slots=True)
class TrustList:
    """The content of a trust list. ``prev`` is base64url SHA-256 of the text of list ``seq − 1``.

    After ``next_update`` the list is stale, after ``exp`` it counts no more (Unix seconds).
    """

    iss: EntityId
    seq: int
    prev: str | None
    iat: int
    next_update: int
    exp: int
    entities: tuple[Entity, ...]
    logs: tuple[TrustedLog, ...]
    chains: tuple[TrustProfile, ...] = field(repr=False)

    def find_entity(self, entity_id: str) -> Entity:
        """The entity of that id; raises VerificationError (``key.unknown``)."""
        for entity in self.entities:
            if entity.id == entity_id:
                return entity
        raise VerificationError("key.unknown", "the trust list does not name this organisation")

    def find_key(self, entity_id: str, kid: str, role: Role) -> TrustKey:
        """The key by (entity, kid, role); raises VerificationError ``key.unknown`` or ``key.role``.

        Whether the key counted at a time is for ``check_key`` to say.
        """
        keys = [key for key in self.find_entity(entity_id).keys if key.key_id == kid]
        for key in keys:
            if key.role == role:
                return key
        if keys:
            raise VerificationError("key.role", f"the key is not listed for the role {role}")
        raise VerificationError("key.unknown", "the trust list names no such key for this organisation")

    def find_log(self, origin: str) -> NoteKey:
        """The verifier key of a log; raises VerificationError (``log.unknown``)."""
        for log in self.logs:
            if log.origin == origin:
                return log.key
        raise VerificationError("log.unknown", "the trust list does not name this log")


class KeyStanding(StrEnum):
    """How a key that counts for a signature stands today; anything but CURRENT belongs in the verdict."""

    CURRENT = "key.current"
    RETIRED = "key.retired"
    LATER_COMPROMISED = "key.later-compromised"


def check_key(
    key: TrustKey,
    *,
    entity: Entity,
    role: Role,
    at: int,
    now: int,
    proven_at: int | None = None,
    vct: str | None = None,
    region: str | None = None,
) -> KeyStanding:
    """Return how ``key`` of ``entity`` stands if it counts for a signature made ``at`` (as its signer says).

    ``proven_at`` is a time by which the signature provably existed (an anchor, a time stamp). A key that was revoked
    as compromised, or for no stated reason, counts only for signatures proven to be older than that. ``vct`` and
    ``region``, where given, must be among what the entity is listed for. Raises VerificationError: ``key.unknown``,
    ``key.role``, ``key.window``, ``key.compromised``, ``key.constraint``.
    """
    if key not in entity.keys:
        raise VerificationError("key.unknown", "the key is not one of this organisation")
    if key.role != role:
        raise VerificationError("key.role", f"the key is not listed for the role {role}")
    if not key.nbf - SKEW_SECONDS <= at < key.exp + SKEW_SECONDS:
        raise VerificationError("key.window", "signed outside the time for which the key is listed")
    if vct is not None and vct not in entity.types:
        raise VerificationError("key.constraint", "the organisation is not listed for this type of material")
    if region is not None and not region_contains(entity.region, region):
        raise VerificationError("key.constraint", "the place is outside the organisation's region")
    return _standing(key, at=at, now=now, proven_at=proven_at)


def _standing(key: TrustKey, *, at: int, now: int, proven_at: int | None) -> KeyStanding:
    retired = KeyStanding.RETIRED if now >= key.exp else KeyStanding.CURRENT
    revoked = key.revoked
    if revoked is None or now < revoked.at:
        return retired
    if revoked.reason == "superseded":
        if at >= revoked.at:
            raise VerificationError("key.window", "signed after the key was superseded")
        return KeyStanding.RETIRED
    if proven_at is None or proven_at >= revoked.at or at >= revoked.at:
        raise VerificationError("key.compromised", "the key was revoked, and nothing proves the signature to be older")
    return KeyStanding.LATER_COMPROMISED
