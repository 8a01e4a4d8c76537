"""Use case: publish a status list, in the caller's transaction."""

from dataclasses import dataclass, replace

from materials.ids import EntityId
from materials.registry.ports import StatusArchive, StatusStore
from materials.registry.records import PublishedList
from materials.status import (
    check_status_update,
    issue_status_list,
    pack_statuses,
    parse_status_list,
    verify_status_list,
)
from materials.times import SKEW_SECONDS
from materials.trust.lists import VerifiedTrustList
from signing import Signer


@dataclass(frozen=True, slots=True)
class ListTerms:
    """Which list, whose, how long one issue of it may be relied on and kept in caches (seconds)."""

    uri: str
    iss: EntityId
    lifetime: int
    ttl: int


def publish_status_list(
    statuses: StatusStore,
    archive: StatusArchive,
    terms: ListTerms,
    signer: Signer,
    *,
    trust: VerifiedTrustList,
    now: int,
    tolerance: int = 0,
) -> PublishedList:
    """Sign what the status table says now and keep it; ``signer`` is a key of role ``status``.

    A list that follows one issued up to ``tolerance`` seconds later than now, by a clock that was ahead, gets the date
    of that one if readers accept it today, else now.

    Raises VerificationError ``status.final`` if an INVALID entry of the last list is not INVALID in the table any more,
    ``status.order`` if the last list was issued later than that, what the check of that list raises (its key comes from
    ``trust``), and UnavailableError ``status.conflict`` (run again).
    """
    last = archive.latest(terms.uri)
    iat = now if last is None else _date(last.iat, now, tolerance)
    packed = pack_statuses({entry.ref.idx: entry.status for entry in statuses.changed_entries(terms.uri)})
    token = issue_status_list(
        signer, iss=terms.iss, uri=terms.uri, packed=packed, iat=iat, exp=iat + terms.lifetime, ttl=terms.ttl
    )
    if last is not None:
        old = parse_status_list(last.token)
        key = trust.list.find_key(old.iss, old.key_id, "status")
        new = verify_status_list(parse_status_list(token), signer.public_key)
        before = verify_status_list(old, key.public_key)
        ahead = before.iat - now <= tolerance
        check_status_update(replace(before, iat=min(before.iat, iat)) if ahead else before, new)
    published = PublishedList(
        uri=terms.uri, seq=0 if last is None else last.seq + 1, iat=iat, exp=iat + terms.lifetime, token=token
    )
    archive.keep(published)
    return published


def _date(last: int, now: int, tolerance: int) -> int:
    """Lists are dated in order where that is possible: readers take a date up to ``SKEW_SECONDS`` from now."""
    return max(now, last) if last - now <= min(tolerance, SKEW_SECONDS) else now
