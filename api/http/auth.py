"""Who is calling: the key that signed the request, and why that key may speak for an entity here.

An organisation of the trust list signs with a current key of role ``api``, and with no other. Holders, agents and
clerks are in no list: for them a key counts that a genuine grant link names, and only for calls about that grant:

=================  ======================================================================
``nobody``         organisations only
``by_chain``       also the delegates of the chain in the request's body
``by_known_link``  also the delegates of the stored chain of the link that the body names
``by_root``        also holders: by the key in a stored root over their own materials
=================  ======================================================================

A delegator chooses the name under which the next delegate appears, so a name proves nothing outside its own chain; for
the holder's name only the key in the root counts, because the home itself put it there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from api import clock
from api.http.nonces import Nonce, Nonces
from api.http.signatures import NotAuthenticatedError, ReceivedRequest, VerifiedRequest, verify_request
from api.trust_lists import current_trust, renew_trust
from api.workspace import Workspace
from materials.grants.links import GrantLink, LinkId, parse_chain, parse_link
from materials.grants.verify import authenticate_chain, listed_entity
from materials.ids import EntityId
from materials.store.grants import SqlGrantStore
from materials.trust.key_check import KeyStanding, check_key
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import Entity
from signing import JsonValue, KeyId, PublicKey, RefusedError, VerificationError, json_str, json_strs, parse_json

MAX_JSON_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the entity, and the key that signed."""

    entity: EntityId
    key: KeyId


@dataclass(frozen=True, slots=True)
class Lookup:
    """One search for a key: whose it should be, when, by which list, in which snapshot of the database."""

    entity: EntityId
    now: int
    trust: VerifiedTrustList
    connection: Connection


Delegates = Callable[[Lookup], Sequence[GrantLink]]
"""Genuine links whose delegates may make this call."""


def nobody(_: Lookup) -> Sequence[GrantLink]:
    """Only organisations of the trust list may call."""
    return ()


def by_chain(body: bytes | None) -> Delegates:
    """The delegates of the chain in member ``chain`` of the body, proved genuine."""

    def links(lookup: Lookup) -> Sequence[GrantLink]:
        chain = parse_chain(json_strs(_members(body).get("chain"), what="chain", max_length=8192))
        return authenticate_chain(chain, trust=lookup.trust, now=lookup.now).chain.links

    return links


def by_known_link(body: bytes | None) -> Delegates:
    """The delegates of the stored chain of the link with members ``iss`` and ``jti`` of the body."""

    def links(lookup: Lookup) -> Sequence[GrantLink]:
        iss, jti = (json_str(_members(body).get(name), what=name) for name in ("iss", "jti"))
        stored = SqlGrantStore(lookup.connection).chain(LinkId(EntityId(iss), jti))
        return [parse_link(link.text) for link in stored]

    return links


def by_root(lookup: Lookup) -> Sequence[GrantLink]:
    """Roots that name the caller as holder of the materials. One that the home withdrew vouches for no key."""
    stored = SqlGrantStore(lookup.connection).of_party(lookup.entity)
    roots = [link for link in stored if link.depth == 0 and link.subject == link.audience == lookup.entity]
    return [parse_link(link.text) for link in roots if link.withdrawn_by != link.id.iss]


def authenticate(
    workspace: Workspace, nonces: Nonces, request: ReceivedRequest, delegates: Delegates = nobody
) -> Caller:
    """Prove who signed ``request``, and take its nonce before anything else happens.

    Raises NotAuthenticatedError; UnavailableError if that can't be found out now.
    """
    verified = _verify(workspace, request, delegates, clock.now())
    if not nonces.take(Nonce(verified.keyid, verified.nonce, verified.expires)):
        raise NotAuthenticatedError("http.replay", "the nonce was used before")
    return Caller(verified.entity, verified.key)


def check_head(workspace: Workspace, request: ReceivedRequest) -> None:
    """Turn away whom ``authenticate`` will turn away, before a large body is read. Raises as that does."""
    _verify(workspace, request, nobody, clock.now())


def require_entity(caller: Caller, entity: str) -> None:
    """Refuse every caller but ``entity``. Raises RefusedError ``access.denied``."""
    if caller.entity != entity:
        raise RefusedError("access.denied", "this caller may not do this")


def _verify(workspace: Workspace, request: ReceivedRequest, delegates: Delegates, now: int) -> VerifiedRequest:
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
        return verify_request(
            request,
            find_key=lambda entity, kid: _find_key(Lookup(entity, now, trust, connection), kid, delegates),
            now=now,
        )


def _find_key(lookup: Lookup, kid: KeyId, delegates: Delegates) -> PublicKey:
    entity = listed_entity(lookup.trust, lookup.entity)
    if entity is not None:
        return _listed_key(lookup, entity, kid)
    for link in delegates(lookup):
        delegate = link.audience
        if (
            delegate.id == lookup.entity
            and delegate.key.key_id == kid
            and (link.depth == 0 or delegate.id != link.subject)
        ):
            return delegate.key
    raise VerificationError("key.unknown", "neither the trust list nor a grant names this key for that entity")


def _listed_key(lookup: Lookup, entity: Entity, kid: KeyId) -> PublicKey:
    key = lookup.trust.list.find_key(entity.id, kid, "api")
    standing = check_key(key, entity=entity, trust=lookup.trust, role="api", at=lookup.now, now=lookup.now)
    if standing is not KeyStanding.CURRENT:
        raise VerificationError("key.retired", "the key counts for older signatures only")
    return key.public_key


def _members(body: bytes | None) -> dict[str, JsonValue]:
    value = parse_json(body or b"", what="body", max_bytes=MAX_JSON_BYTES)
    return value if isinstance(value, dict) else {}
