"""Is a chain of grant links genuine, and in force? Steps 1–5 of the decision (credentials reference §3.4).

The order is that of the standard, in two stages with two types. ``authenticate_chain`` proves who granted what to
whom: only then is the subject known, and a refusal may be written to the subject's usage records. ``check_in_force``
looks at the clock and at the status of every link. ``verify_chain`` does both, for an offline verifier.
"""

from collections.abc import Callable
from dataclasses import dataclass

from materials.claims import StatusRef
from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, GrantLink
from materials.grants.narrowing import purpose_narrows
from materials.status import StatusValue
from materials.times import check_window
from materials.trust.key_check import check_key
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import Entity, Role
from signing.errors import UnavailableError, VerificationError
from signing.jws import verify_jws
from signing.keys import PublicKey

StatusLookup = Callable[[StatusRef], StatusValue]
"""Reads a status. UnavailableError if it can't be had now, VerificationError if the list is not to be trusted."""


@dataclass(frozen=True, slots=True)
class AuthenticGrant:
    """A chain whose links belong together and were signed by those they name. Only ``authenticate_chain`` makes one."""

    chain: GrantChain


@dataclass(frozen=True, slots=True)
class VerifiedGrant:
    """An authentic chain that was in force at ``as_of`` (Unix seconds). Only ``check_in_force`` makes one.

    How often it was used is not part of this: no signed text can count (``uses: unchecked``).
    """

    chain: GrantChain
    as_of: int


def verify_chain(chain: GrantChain, *, trust: VerifiedTrustList, status: StatusLookup, now: int) -> VerifiedGrant:
    """Prove ``chain`` genuine and in force at ``now``.

    Raises GrantRefusedError with link and rule; UnavailableError ``grant.status-unavailable`` if a status can't be had.
    """
    return check_in_force(authenticate_chain(chain, trust=trust, now=now), status=status, now=now)


def authenticate_chain(chain: GrantChain, *, trust: VerifiedTrustList, now: int) -> AuthenticGrant:
    """Check how the links hang together, every signature, and the root's title. Raises GrantRefusedError."""
    for number, link in enumerate(chain.links):
        _check_depth(chain, number, link)
        if number:
            _check_parent(chain.links[number - 1], link, number)
    _check_root(chain, trust, now)
    for number in range(1, len(chain.links)):
        parent, link = chain.links[number - 1], chain.links[number]
        _check_signature(link, parent.audience.key, number)
        check_listed_key(trust, link.id.iss, parent.audience.key, role="grant", link=number, at=link.iat, now=now)
    return AuthenticGrant(chain)


def check_in_force(grant: AuthenticGrant, *, status: StatusLookup, now: int) -> VerifiedGrant:
    """Check the time window and the status of every link at ``now``; raises as ``verify_chain`` does."""
    for number, link in enumerate(grant.chain.links):
        try:
            check_window(nbf=max(link.nbf, link.iat), exp=link.exp, now=now, what="grant link")
        except VerificationError as error:
            raise GrantRefusedError(_rule(error), number, "now is outside the time window of the link") from None
    for number, link in enumerate(grant.chain.links):
        if link.status is not None:
            _check_status(link.status, status, number)
    return VerifiedGrant(grant.chain, now)


def check_listed_key(
    trust: VerifiedTrustList, entity_id: str, key: PublicKey, *, role: Role, link: int, at: int, now: int
) -> None:
    """Refuse ``key`` if its owner is in the trust list and the list does not give it that key in that role.

    Holders and agents are not in the list: for them the key that the link above named is enough.
    """
    entity = listed_entity(trust, entity_id)
    if entity is not None:
        _check_entity_key(trust, entity, key.key_id, role=role, link=link, at=at, now=now)


def listed_entity(trust: VerifiedTrustList, entity_id: str) -> Entity | None:
    """The entry of an entity; None if it has none."""
    return next((entity for entity in trust.list.entities if entity.id == entity_id), None)


def _check_depth(chain: GrantChain, number: int, link: GrantLink) -> None:
    if link.depth != number:
        raise GrantRefusedError("depth", number, "the link does not stand at the depth that it states")
    if any(link.depth > other.max_depth for other in chain.links[: number + 1]):
        raise GrantRefusedError("depth", number, "the chain is deeper than a link allows")
    if link is not chain.leaf and not link.redelegate:
        raise GrantRefusedError("redelegate", number, "the link may not be passed on")


def _check_parent(parent: GrantLink, link: GrantLink, number: int) -> None:
    """Bind both ways, and refuse what a child may never change."""
    rules = {
        "parent-hash": link.parent_hash == parent.text_hash,
        "audience": link.id.iss == parent.audience.id,
        "key-binding": link.jws.kid == parent.audience.key.key_id,
        "subject": link.subject == parent.subject,
        "basis": link.basis == parent.basis,
        "home": link.uses.home == parent.uses.home,
        "depth": link.max_depth <= parent.max_depth,
        "outlives-parent": link.exp <= parent.exp,
        "purpose": purpose_narrows(link.purpose, parent.purpose),
    }
    for rule, holds in rules.items():
        if not holds:
            raise GrantRefusedError(rule, number, "the link does not follow from the one above it")


def _check_root(chain: GrantChain, trust: VerifiedTrustList, now: int) -> None:
    root = chain.root
    if root.id.iss != root.uses.home:
        raise GrantRefusedError("home", 0, "the root is not issued by the home that counts the uses")
    home = listed_entity(trust, root.id.iss)
    if home is None:
        raise GrantRefusedError("key-unknown", 0, "the issuer of the root is not in the trust list")
    key = _check_entity_key(trust, home, root.jws.kid, role="grant", link=0, at=root.iat, now=now)
    _check_signature(root, key, 0)
    if root.basis not in home.bases:
        raise GrantRefusedError("basis", 0, "the issuer of the root may not grant on this basis")
    for number, link in enumerate(chain.links):
        if link.status is not None and link.status.uri not in home.status_uris:
            raise GrantRefusedError("status-list", number, "the status list is none of the home's")


def _check_entity_key(
    trust: VerifiedTrustList, entity: Entity, key_id: str, *, role: Role, link: int, at: int, now: int
) -> PublicKey:
    try:
        key = trust.list.find_key(entity.id, key_id, role)
        check_key(key, entity=entity, trust=trust, role=role, at=at, now=now)
    except VerificationError as error:
        if error.code.startswith("certificate."):
            raise GrantRefusedError("certificate", link, "the key's certificate does not hold here") from None
        raise GrantRefusedError(_rule(error), link, "the trust list does not allow this key here") from None
    return key.public_key


def _check_signature(link: GrantLink, key: PublicKey, number: int) -> None:
    try:
        verify_jws(link.jws, key)
    except VerificationError:
        raise GrantRefusedError("signature", number, "the signature does not verify") from None


def _check_status(ref: StatusRef, status: StatusLookup, number: int) -> None:
    try:
        value = status(ref)
    except UnavailableError:
        raise UnavailableError("grant.status-unavailable", f"grant link {number}: the status can't be had") from None
    except VerificationError:
        raise GrantRefusedError("status-list", number, "the status list does not hold") from None
    if value is StatusValue.SUSPENDED:
        raise GrantRefusedError("suspended", number, "the link is suspended")
    if value is not StatusValue.VALID:
        raise GrantRefusedError("revoked", number, "the link was revoked")


def _rule(error: VerificationError) -> str:
    """``time.expired`` becomes ``time-expired``: the rule of the grant keeps the name of the check that failed."""
    return error.code.replace(".", "-")
