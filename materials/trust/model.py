"""Trust: which organisation may do what, with which key, and from when to when.

Values and look-ups. Whether a key counts for a signature is for ``key_check`` to say. The signed form of the list is in
``lists``, its JSON in ``json_form``. Keys come only from here, found by (entity, kid, role).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

from anchors.profile import TrustProfile
from materials.ids import EntityId
from materials.times import SKEW_SECONDS
from signing.digests import sha256
from signing.encoding import b64url_encode
from signing.errors import MalformedError, VerificationError
from signing.keys import KeyId, PublicKey
from signing.notes.note_key import NoteKey
from signing.x509.certificates import Certificate
from signing.x509.revocation import RevocationList

Role = Literal["issue", "status", "grant", "api", "timestamp", "list"]
Basis = Literal["holder", "function", "entrust"]
Level = Literal["national", "province", "city", "district", "township", "society"]
RevocationReason = Literal["unspecified", "compromised", "superseded"]
AuthorityUse = Literal["organisation", "timestamp"]
AuthorityRevocation = Literal["crl", "none"]

ROLES: Final = get_args(Role)
BASES: Final = get_args(Basis)
LEVELS: Final = get_args(Level)
REVOCATION_REASONS: Final = get_args(RevocationReason)
AUTHORITY_USES: Final = get_args(AuthorityUse)
AUTHORITY_REVOCATIONS: Final = get_args(AuthorityRevocation)


@dataclass(frozen=True, slots=True)
class KeyRevocation:
    """From ``at`` (Unix seconds) the key counts no more; only ``superseded`` leaves older signatures alone."""

    at: int
    reason: RevocationReason


@dataclass(frozen=True, slots=True)
class TrustKey:
    """A key in exactly one role, usable for signatures made from ``nbf`` until before ``exp``. Old keys stay listed.

    ``chain``, if the key is listed by certificate: the organisation's first, the root left out (RFC 7515 §4.1.6).
    Raises MalformedError (``key.chain``) if its first certificate is of another key.
    """

    public_key: PublicKey
    role: Role
    nbf: int
    exp: int
    revoked: KeyRevocation | None = None
    chain: tuple[Certificate, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.chain and self.chain[0].public_key != self.public_key:
            raise MalformedError("key.chain", "the first certificate of the chain is not of this key")

    @classmethod
    def of_chain(
        cls, chain: tuple[Certificate, ...], role: Role, nbf: int, exp: int, revoked: KeyRevocation | None = None
    ) -> "TrustKey":
        """The key of the chain's first certificate; MalformedError ``key.chain`` if it is none that we verify with."""
        public_key = chain[0].public_key if chain else None
        if public_key is None:
            raise MalformedError("key.chain", "no certificate, or one of a key that signs nothing here")
        return cls(public_key, role, nbf, exp, revoked, chain)

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
class TrustedAuthority:
    """A root certificate whose chains count: those of organisations' keys, or those of time-stamping services.

    ``revocation`` says whether each certificate below it must be shown not to be on a current CRL.
    """

    certificate: Certificate = field(repr=False)
    use: AuthorityUse
    revocation: AuthorityRevocation


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
    authorities: tuple[TrustedAuthority, ...] = ()

    def authorities_for(self, use: AuthorityUse) -> tuple[TrustedAuthority, ...]:
        """The roots whose chains count for ``use``."""
        return tuple(authority for authority in self.authorities if authority.use == use)

    def find_entity(self, entity_id: str) -> Entity:
        """The entity of that id; raises VerificationError (``key.unknown``)."""
        for entity in self.entities:
            if entity.id == entity_id:
                return entity
        raise VerificationError("key.unknown", "the trust list does not name this organisation")

    def find_key(self, entity_id: str, kid: str, role: Role) -> TrustKey:
        """The key by (entity, kid, role); raises VerificationError ``key.unknown`` or ``key.role``.

        Whether the key counted at a time is for ``key_check.check_key`` to say.
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


@dataclass(frozen=True, slots=True)
class VerifiedTrustList:
    """A trust list whose signature and date are good; only ``lists.verify_trust_list`` makes one.

    ``crls`` are the revocation lists at hand for keys listed by certificate; each is verified where it is used.
    """

    list: TrustList
    list_key_id: KeyId
    text: str = field(repr=False)
    crls: tuple[RevocationList, ...] = field(default=(), repr=False)

    def with_crls(self, crls: Iterable[RevocationList]) -> "VerifiedTrustList":
        """The same list, with these revocation lists at hand as well."""
        return replace(self, crls=(*self.crls, *crls))

    @property
    def digest(self) -> str:
        """What the next list names as ``prev``: base64url SHA-256 of the text."""
        return b64url_encode(sha256(self.text.encode("ascii")))

    def stale(self, now: int) -> bool:
        """Whether a newer list should exist by now; still usable, but a verdict says so."""
        return now >= self.list.next_update + SKEW_SECONDS
