"""What the home keeps about a material beside its signed statement: values that cross the storage ports."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NewType

from materials.claims import StatusRef
from materials.ids import EntityId, EventId, MaterialId
from materials.status import StatusValue
from signing import FileDigests

IdentityHash = NewType("IdentityHash", bytes)
"""Keyed hash of everything that makes a registration the same registration: 32 bytes."""
LicenceHash = NewType("LicenceHash", bytes)
"""Keyed hash of a licence identifier without its version and check character: 32 bytes."""

StampedKind = Literal["statement", "checkpoint"]
"""What a time stamp is over: the issuer-signed JWT of a statement (ASCII), or the text of a checkpoint's note."""


class MaterialState(StrEnum):
    """How much of a material the home still holds. Whether it is in force is its status, not its state."""

    CLAIMED = "claimed"  # only inside the transaction that registers it
    HELD = "held"
    ERASED = "erased"  # keys and salts destroyed; what was handed out before still verifies


@dataclass(frozen=True, slots=True)
class MaterialClaim:
    """What a registration reserves before anything is signed or logged."""

    jti: MaterialId
    identity: IdentityHash
    licence: LicenceHash | None
    version: int
    supersedes: MaterialId | None
    owner: EntityId
    vct: str
    issuer: EntityId
    registered_at: int


@dataclass(frozen=True, slots=True)
class MaterialRecord:
    """One registered material. ``jwt`` is the issuer-signed part as logged at ``log_index``, without disclosures.

    ``identity`` is None once erased; ``licence`` is None if the material holds no licence identifier (any more).
    ``registered_at`` is the statement's ``iat``.
    """

    jti: MaterialId
    version: int
    supersedes: MaterialId | None
    owner: EntityId
    vct: str
    issuer: EntityId
    state: MaterialState
    registered_at: int
    status: StatusRef | None
    log_index: int
    jwt: str = field(repr=False)
    identity: IdentityHash | None = field(repr=False)
    licence: LicenceHash | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """One allocated place of a status list, and what it says now."""

    ref: StatusRef
    subject: str
    status: StatusValue


@dataclass(frozen=True, slots=True)
class PublishedList:
    """One signed status list as published; relied on while ``iat <= t < exp``."""

    uri: str
    seq: int
    iat: int
    exp: int
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One life-cycle event as signed (``jws``) and logged."""

    event_jti: EventId
    jti: MaterialId
    seq: int
    kind: str
    log_index: int
    jws: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultObject:
    """One encrypted object: its data key under the key-encryption key, and the ciphertext if it is a small one.

    ``part`` is ``disclosures`` or ``file/<n>``. ``wrapped_key`` is None once the object is erased.
    """

    object_id: str
    jti: MaterialId
    part: str
    wrapped_key: bytes | None = field(repr=False)
    sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file whose ciphertext is durable: what the vault is to keep of it, and what was really read."""

    kept: VaultObject
    digests: FileDigests


@dataclass(frozen=True, slots=True)
class KeptTimestamp:
    """One time stamp over the message with SHA-256 ``digest``, as the time-stamping service at URL ``service`` made it.

    ``gen_time`` (Unix seconds) and everything else that counts is in ``token``; whoever relies on it verifies it.
    """

    digest: bytes
    service: str
    over: StampedKind
    gen_time: int
    token: bytes = field(repr=False)
