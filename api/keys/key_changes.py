"""Rotating and revoking the keys that the trust list names. Rotation takes effect in this order:

    1 the successor's key is made and kept; its name ends with its key id
    2 one transaction publishes the trust list that names the successor and ends its predecessor
    3 a trust-list key is first announced by its predecessor (2, ending nothing); the next list is the successor's own

A run that ended after 1 left a successor that no list names: the next run takes that one. After 2 the trust list says
who signs, so nothing else has to be finished; 3 follows with the next list, whoever publishes it.
"""

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from api import names
from api.home import home_ports
from api.keys.current_keys import counts_now, current_keys, current_names
from api.keys.key_lines import Line, find_line, find_listed, held_name
from api.keys.keyring import Keyring
from api.organisations import KEY_LIFETIME
from api.status_lists import publish_list
from api.trust_lists import publish_trust, renew_trust
from api.workspace import Workspace
from materials.store.trust import SqlTrustStore
from materials.trust.lists import VerifiedTrustList, parse_trust_list
from materials.trust.model import Entity, KeyRevocation, RevocationReason, TrustKey, TrustList
from materials.trust.rollover import list_signer_id
from signing import Algorithm, CryptoProfile, KeyId, RefusedError, UnavailableError
from signing.algorithms import ALGORITHMS

LIST_KEY_LIFETIME: Final = 20 * 366 * 86400
_STRENGTH: Final[dict[RevocationReason, int]] = {"superseded": 0, "unspecified": 1, "compromised": 2}


@dataclass(frozen=True, slots=True)
class Successor:
    """What the next key of a line is to be. What is None stays as it is with its predecessor."""

    algorithm: Algorithm | None = None
    in_hsm: bool | None = None


@dataclass(frozen=True, slots=True)
class Rotated:
    """The successor: its name in the keyring and its entry in the trust list; the keys that it ends."""

    name: str
    key: TrustKey
    ended: tuple[KeyId, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A key with its revocation; ``changed`` is False if it was so revoked before."""

    entity: Entity
    key: TrustKey
    changed: bool


def rotate_key(workspace: Workspace, text: str, wanted: Successor, *, at: int, now: int) -> Rotated:
    """Give the line that ``text`` names another key from ``at`` on (Unix seconds, not before ``now``).

    What its predecessor signed until then stays valid. Each run makes another key, but a run that was cut off is
    finished, and a successor that is announced for later stays the one.

    Raises RefusedError: ``key.fixed``, ``key.unknown``, ``key.not-held`` (the organisation keeps its own),
    ``key.ambiguous`` (it has one of each family: name one, or the algorithm).
    """
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        trust_list, signer_id = _latest(connection)
    line = find_line(trust_list, held_name(workspace.keyring, text))
    before = _predecessor(workspace.keyring, line, wanted, now)
    rotated = _begun(workspace.keyring, line, before, signer_id, now)
    if rotated is None:
        rotated = _announce(workspace, line, _make(workspace.keyring, line, before, wanted), before, at=at, now=now)
    if line.role == "list" and rotated.key.nbf <= now:
        with workspace.database.write() as connection:
            publish_trust(workspace, connection, _latest(connection)[0], now)
    return rotated


def revoke_key(workspace: Workspace, text: str, reason: RevocationReason, *, at: int | None, now: int) -> Revoked:
    """Mark a listed key as revoked from ``at`` (None: now, or as it was) and publish the list; repeatable.

    A revocation may be made stronger or earlier, never weaker. Status lists of this home that the key signed are
    signed anew, if it has another. Raises RefusedError: ``key.fixed``, ``key.unknown``, ``key.ambiguous``,
    ``key.in-use`` (it signs the trust list: rotate it first), ``key.revoked`` (it is revoked more strongly already).
    """
    renew_trust(workspace, now)
    with workspace.database.write() as connection:
        trust_list, signer_id = _latest(connection)
        entity, key = find_listed(trust_list, workspace.keyring, text)
        revocation = _revocation(key, reason, at, now)
        if revocation == key.revoked:
            return Revoked(entity, key, changed=False)
        if key.role == "list" and key.key_id == signer_id:
            raise RefusedError("key.in-use", "this key signs the trust list: rotate it first, then revoke it by its id")
        revoked = replace(key, revoked=revocation)
        draft = _with_keys(trust_list, entity, [revoked if each == key else each for each in entity.keys])
        trust = publish_trust(workspace, connection, draft, now)
        if key.role == "status" and entity.id == workspace.operator:
            _sign_status_lists(workspace, connection, trust, now)
        return Revoked(entity, revoked, changed=True)


def _revocation(key: TrustKey, reason: RevocationReason, at: int | None, now: int) -> KeyRevocation:
    old = key.revoked
    if old is None:
        return KeyRevocation(now if at is None else at, reason)
    if at is None:
        at = old.at if reason == old.reason else min(old.at, now)
    new = KeyRevocation(at, reason)
    if _STRENGTH[new.reason] < _STRENGTH[old.reason] or (new.at > old.at and old.reason != "superseded"):
        raise RefusedError(
            "key.revoked", f"the key is revoked as {old.reason} from {old.at} on: that is not taken back"
        )
    return new


def _predecessor(keyring: Keyring, line: Line, wanted: Successor, now: int) -> str:
    """The keyring's name of the key to succeed: the line's current one, of the family wanted; else one that ended."""
    families: dict[CryptoProfile, str] = {}
    for name in current_names(keyring, line.entity, line.role, now):
        families.setdefault(keyring.public_key(name).profile, name)
    if len(families) > 1:
        if wanted.algorithm is None:
            raise RefusedError("key.ambiguous", f"{line.base}: one key of each family is in use: name the algorithm")
        return families[ALGORITHMS[wanted.algorithm].profile]
    return next(iter(families.values()), line.base)


def _begun(keyring: Keyring, line: Line, before: str, signer_id: KeyId, now: int) -> Rotated | None:
    """A rotation that waits: for its time, or, of a list key, for the first list that the successor signs."""
    family = keyring.public_key(before).profile
    for key in line.entity.keys:
        waits = key.nbf > now or (key.role == "list" and counts_now(key, now) and key.key_id != signer_id)
        if key.role == line.role and key.revoked is None and key.public_key.profile is family and waits:
            name = keyring.find(line.base, key.key_id)
            if name is not None:
                return Rotated(name, key, ())
    return None


def _make(keyring: Keyring, line: Line, before: str, wanted: Successor) -> str:
    """A successor that a cut-off run left, else a new one; its name."""
    like = keyring.facts(before)
    algorithm = wanted.algorithm or keyring.public_key(before).algorithm
    in_hsm = like.label is not None if wanted.in_hsm is None else wanted.in_hsm
    listed = {key.key_id for key in line.entity.keys}
    for name in keyring.names():
        if names.first_key(name) == line.base and names.successor_id(name) not in {None, *listed}:
            facts = keyring.facts(name)
            if facts.kind == algorithm and (facts.label is not None) == in_hsm:
                return name
    return keyring.create_next(line.base, algorithm, in_hsm=in_hsm)


def _announce(workspace: Workspace, line: Line, new: str, before: str, *, at: int, now: int) -> Rotated:
    """List the successor, and end what it succeeds a second later: what is being signed at this moment still counts."""
    keyring, lifetime = workspace.keyring, LIST_KEY_LIFETIME if line.role == "list" else KEY_LIFETIME
    key = TrustKey(keyring.public_key(new), line.role, nbf=at, exp=at + lifetime)
    old = keyring.public_key(before)
    with workspace.database.write() as connection:
        trust_list, _ = _latest(connection)
        entity = trust_list.find_entity(line.entity.id)
        ended = [] if line.role == "list" else _to_end(keyring, entity, line, old.profile, now)
        keys = [
            replace(each, revoked=KeyRevocation(at + 1, "superseded")) if each in ended else each
            for each in entity.keys
        ]
        if line.role == "list" and old.key_id not in {each.key_id for each in keys}:
            since = parse_trust_list(SqlTrustStore(connection).all()[0]).iat
            keys.append(TrustKey(old, "list", nbf=since, exp=since + lifetime))
        publish_trust(workspace, connection, _with_keys(trust_list, entity, [*keys, key]), now)
    return Rotated(new, key, (old.key_id,) if line.role == "list" else tuple(each.key_id for each in ended))


def _to_end(keyring: Keyring, entity: Entity, line: Line, family: CryptoProfile, now: int) -> list[TrustKey]:
    """The current keys of the line and family that are kept here; an organisation's own key is its own affair.

    Without those that another run, whose clock is ahead, has ended: as compromised, maybe.
    """
    keys = [key for key in current_keys(entity, line.role, now) if key.revoked is None]
    return [key for key in keys if key.public_key.profile is family and keyring.find(line.base, key.key_id)]


def _with_keys(trust_list: TrustList, entity: Entity, keys: list[TrustKey]) -> TrustList:
    changed = replace(entity, keys=tuple(keys))
    return replace(
        trust_list, entities=tuple(changed if each.id == entity.id else each for each in trust_list.entities)
    )


def _latest(connection: Connection) -> tuple[TrustList, KeyId]:
    """The list published last, and the key that signed it."""
    text = SqlTrustStore(connection).latest()
    if text is None:
        raise UnavailableError("trust.missing", "this workspace has no trust list yet")
    return parse_trust_list(text), list_signer_id(text)


def _sign_status_lists(workspace: Workspace, connection: Connection, trust: VerifiedTrustList, now: int) -> None:
    entity = trust.list.find_entity(workspace.operator)
    if not current_names(workspace.keyring, entity, "status", now):
        return
    ports, origin = home_ports(workspace, connection, known_head=None), workspace.settings.origin
    for uri in (names.status_uri(origin), names.grant_status_uri(origin)):
        if ports.archive.latest(uri) is not None:
            publish_list(workspace, ports, uri, trust, now)
