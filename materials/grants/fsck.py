"""Check every grant link and usage record that the home keeps, against signatures, the log and each other.

The counters must be what the records say: a use that was counted but not recorded, or recorded but not counted, shows.
Withdrawals are not signed, so nothing here can vouch for them but the status table, which must say the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from materials.commitment import commit_to, format_commitment
from materials.grants import home as grant_home
from materials.grants import usage
from materials.grants.links import LinkId, parse_link
from materials.grants.ports import GrantScan, StoredLink, StoredUsage, UsageHead
from materials.grants.usage import parse_usage, verify_usage
from materials.ids import EntityId
from materials.registry.fsck import FindKey, StoreFinding, attempt, each
from materials.registry.records import StatusEntry
from materials.status import StatusValue
from signing import PublicKey, VerificationError, verify_jws

IsLogged = Callable[[bytes], bool]
"""Whether the log holds this entry."""
FindPlace = Callable[[str, str], StatusEntry | None]
"""The place of a subject in the status list of a URI, as the status table has it."""


@dataclass(frozen=True, slots=True)
class _Books:
    """What the records lead to, gathered on the way: ends of chains, debits, keys of delegates."""

    find_key: FindKey
    is_logged: IsLogged
    find_place: FindPlace
    ends: dict[tuple[EntityId, EntityId], UsageHead] = field(default_factory=dict)
    debits: Counter[LinkId] = field(default_factory=Counter)
    releases: set[tuple[LinkId, int]] = field(default_factory=set)
    delegates: dict[LinkId, PublicKey] = field(default_factory=dict)


def check_grants(
    scan: GrantScan, *, find_key: FindKey, is_logged: IsLogged, find_place: FindPlace
) -> Iterator[StoreFinding]:
    """Check usage records, their heads, and links with counters and places; yields nothing if all is well."""
    books = _Books(find_key, is_logged, find_place)
    yield from each("usage_record", scan.usages(), partial(_check_usage, books))
    yield from each("usage_head", scan.heads(), partial(_check_head, books))
    yield from attempt("usage_head", partial(_check_no_end_left, books))
    yield from each("grant_link", scan.links(), partial(_check_link, books))
    yield from each("usage_answer", scan.answers(), partial(_check_answer, books))


def _check_usage(books: _Books, stored: StoredUsage) -> Iterator[StoreFinding]:
    where = f"usage_record {stored.seq} of {stored.subject}"
    yield from attempt(where, partial(_check_record, books, stored))
    yield from attempt(where, partial(_check_logged, books, usage.COMMITMENT_KIND, stored.text))


def _check_record(books: _Books, stored: StoredUsage) -> None:
    chain = (stored.home, stored.subject)
    end = books.ends.get(chain, UsageHead(0, None))
    books.ends[chain] = UsageHead(stored.seq + 1, usage.usage_hash(stored.text))
    unverified = parse_usage(stored.text)
    key = books.find_key(unverified.record.home, unverified.jws.kid, "grant")
    record = verify_usage(unverified, key).record
    books.debits.update(record.links[use.link] for use in record.uses)
    if record.result.outcome == "released":
        books.releases.add((record.links[-1], record.seq))
    if (record.home, record.subject, record.seq) != (stored.home, stored.subject, stored.seq):
        raise VerificationError("fsck.row-differs", "a column differs from the signed record")
    if (record.seq, record.prev) != (end.next_seq, end.last_hash):
        raise VerificationError("fsck.usage-chain", "the record does not follow from the one before")


def _check_head(books: _Books, head: tuple[EntityId, EntityId, UsageHead]) -> Iterator[StoreFinding]:
    home, subject, stored = head
    end = books.ends.pop((home, subject), UsageHead(0, None))
    yield from attempt(f"usage_head of {subject}", partial(_check_equal, stored, end))


def _check_equal(stored: UsageHead, end: UsageHead) -> None:
    if stored != end:
        raise VerificationError("fsck.usage-head", "the records do not end where the head says")


def _check_no_end_left(books: _Books) -> None:
    if books.ends:
        raise VerificationError("fsck.usage-head", "a chain of usage records has no head")


def _check_link(books: _Books, stored: StoredLink) -> Iterator[StoreFinding]:
    where = f"grant_link {stored.id.jti}"
    yield from attempt(where, partial(_check_signed, books, stored))
    yield from attempt(where, partial(_check_logged, books, grant_home.COMMITMENT_KIND, stored.text))
    yield from attempt(where, partial(_check_count, books, stored))
    yield from attempt(where, partial(_check_place, books, stored))


def _check_signed(books: _Books, stored: StoredLink) -> None:
    link = parse_link(stored.text)
    books.delegates[stored.id] = link.audience.key
    signed = (link.id, link.subject, link.audience.id, link.depth, link.parent_hash is None)
    if signed != (stored.id, stored.subject, stored.audience, stored.depth, stored.parent is None):
        raise VerificationError("fsck.row-differs", "a column differs from the signed link")
    if stored.parent is not None and stored.parent not in books.delegates:
        raise VerificationError("fsck.parent-missing", "the link above is not kept")
    key = (
        books.find_key(link.id.iss, link.jws.kid, "grant") if stored.parent is None else books.delegates[stored.parent]
    )
    verify_jws(link.jws, key)


def _check_logged(books: _Books, kind: str, text: str) -> None:
    if not books.is_logged(format_commitment(commit_to(kind, text))):
        raise VerificationError("fsck.not-logged", "the log holds no commitment to this text")


def _check_count(books: _Books, stored: StoredLink) -> None:
    if stored.used != books.debits[stored.id]:
        raise VerificationError("fsck.uses-differ", "the counter is not what the usage records say")


def _check_answer(books: _Books, answer: tuple[LinkId, int]) -> Iterator[StoreFinding]:
    yield from attempt(f"usage_answer {answer[0].jti}", partial(_check_released, books, answer))


def _check_released(books: _Books, answer: tuple[LinkId, int]) -> None:
    if answer not in books.releases:
        raise VerificationError("fsck.row-differs", "no usage record of that number is about this link")


def _check_place(books: _Books, stored: StoredLink) -> None:
    """The place that the link names is its own, and ended if the link was withdrawn, and only then."""
    place = parse_link(stored.text).status
    if place is None:
        return
    entry = books.find_place(place.uri, stored.id.jti)
    if entry is None or entry.ref != place:
        raise VerificationError(
            "fsck.status-place", "the status table gives the place of this link to none, or another"
        )
    if entry.status is not (StatusValue.VALID if stored.withdrawn_at is None else StatusValue.INVALID):
        raise VerificationError("fsck.status-differs", "the status table and the link differ about its withdrawal")
