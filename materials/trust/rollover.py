"""Succession of trust lists: which list may follow on which, also where the key that signs them changes.

A new list key is announced in a list signed by the old one, as a key of role ``list`` of the list's own issuer. Lists
that it signs follow on that one; whoever starts from the old key can so come to the new one, list by list. After a
compromise no list proves anything: the new key is then confirmed by other means, as the first one was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from materials.trust.key_check import check_key
from materials.trust.lists import (
    MAX_TRUST_LIST_BYTES,
    TRUST_LIST_TYP,
    VerifiedTrustList,
    check_trust_update,
    parse_trust_list,
    verify_trust_list,
)
from materials.trust.model import Entity, TrustKey, TrustList
from signing.errors import MalformedError, VerificationError
from signing.jws import parse_jws
from signing.keys import KeyId, PublicKey

HISTORY_VERSION: Final = "ematerials/trust-history/v1"
MAX_HISTORY_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HeldList:
    """A verified list and the key that signed it: where the next one is followed from."""

    verified: VerifiedTrustList
    key: PublicKey


def list_keys(trust_list: TrustList) -> tuple[TrustKey, ...]:
    """The keys that the list names as its issuer's for signing lists, ended ones too; none before the first change."""
    return tuple(key for entity in _issuers(trust_list) for key in entity.keys if key.role == "list")


def list_signer_id(text: str) -> KeyId:
    """The key that the list says it is signed with, *unverified*; MalformedError."""
    return parse_jws(text, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES).kid


def follow_list(held: HeldList, text: str, *, now: int) -> HeldList:
    """Verify ``text`` at ``now`` as the list held or the next one after it.

    It is signed with the key of the list held, or with one that the list held names, and that one may still sign.
    Raises as ``verify_trust_list`` and ``check_trust_update``, and VerificationError (``trust.list-key``, ``key.*``).
    """
    key = _signing_key(held, list_signer_id(text), parse_trust_list(text).iat, now)
    verified = verify_trust_list(text, key, now)
    check_trust_update(held.verified, verified)
    return HeldList(verified, key)


def follow_lists(held: HeldList, texts: Iterable[str], *, now: int) -> HeldList:
    """Follow ``texts``, oldest first, from the list held to the last, which must be good at ``now``.

    Lists up to the one held are passed over; those between are judged as of their own dates. Raises as ``follow_list``;
    VerificationError (``trust.rollback``) if nothing leads as far as the list held.
    """
    last: str | None = None
    for text in texts:
        if parse_trust_list(text).seq < held.verified.list.seq:
            continue
        held, last = follow_list(held, text, now=parse_trust_list(text).iat), text
    if last is None:
        raise VerificationError("trust.rollback", "trust lists: all are older than the one held")
    verify_trust_list(last, held.key, now)
    return held


def _signing_key(held: HeldList, key_id: KeyId, iat: int, now: int) -> PublicKey:
    """A key that ended may not go on by dating its lists back: the list held is older than any that follows."""
    trust = held.verified
    for entity in _issuers(trust.list):
        for key in entity.keys:
            if key.key_id == key_id and key.role == "list":
                check_key(key, entity=entity, trust=trust, role="list", at=max(iat, trust.list.iat), now=now)
                return key.public_key
    if key_id == held.key.key_id:
        return held.key
    raise VerificationError("trust.list-key", "trust list: signed with a key that the list held does not announce")


def _issuers(trust_list: TrustList) -> list[Entity]:
    return [entity for entity in trust_list.entities if entity.id == trust_list.iss]


def format_history(texts: Sequence[str]) -> bytes:
    """The trust history: the version, then lists that follow one another, a line each."""
    return "\n".join([HISTORY_VERSION, *texts, ""]).encode("ascii")


def parse_history(data: bytes) -> tuple[str, ...]:
    """The lists of a trust history, none verified yet; raises MalformedError (``form.*``)."""
    if len(data) > MAX_HISTORY_BYTES:
        raise MalformedError("form.size", f"trust history: more than {MAX_HISTORY_BYTES} bytes")
    try:
        version, *texts, end = data.decode("ascii").split("\n")
    except ValueError:
        raise MalformedError("form.version", f"trust history: not {HISTORY_VERSION}") from None
    if version != HISTORY_VERSION or end or not texts:
        raise MalformedError("form.version", f"trust history: not {HISTORY_VERSION}")
    return tuple(texts)
