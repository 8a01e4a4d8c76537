"""Refuse to sign by a clock that is behind what this home has signed, or had proved, before.

The log keeps no clock reading (docs/adr/0010), and the guard keeps none either: it compares the clock with dates that
are there anyway, in what the home has signed and in the blocks that hold its anchors. ``renew_trust`` asks it before
anything is dated; the lists themselves are guarded where they are published.

A clock that was once far ahead makes the same refusal once it is right again: then ``[clock] tolerance`` is what a
person raises (docs/operations.md).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from anchors import AnchorProof, Grade
from anchors.header import HEADER_MAX_BYTES
from anchors.outbox import AnchorScope
from anchors.proof import read_anchor_proof
from anchors.store import SqlAnchorProofs
from anchors.strict_rlp import rlp_decode, rlp_list, rlp_uint
from api import names
from api.workspace import Workspace
from materials.events import parse_event
from materials.grants.usage import parse_usage
from materials.ids import EntityId
from materials.registry.records import PublishedList
from materials.statement import parse_entry_claims
from materials.store.status_archive import SqlStatusArchive
from materials.store.tables import material_status_list
from materials.store.trust import SqlTrustStore, trust_list
from materials.store.usage import SqlUsageStore
from materials.times import SKEW_SECONDS
from materials.trust.lists import parse_trust_list
from signing import LedgerError, MalformedError, UnavailableError

CODE: Final = "clock.behind"
_HEADER_TIMESTAMP: Final = 11
_LAST_SECOND: Final = 253402300799  # of the year 9999


class Dated(NamedTuple):
    """Something of this home that bears a date, in Unix seconds."""

    time: int
    what: str


def check_clock(workspace: Workspace, connection: Connection, now: int) -> None:
    """Return if ``now`` is at most ``clock.tolerance`` seconds earlier than the latest date there is.

    Looked up once for each second in a process. Raises UnavailableError ``clock.behind``; nothing may be signed then.
    """
    if now != workspace.clock_checked:
        _check(workspace, _home_dates(workspace, connection), now)
        workspace.clock_checked = now


def check_owner_clock(workspace: Workspace, connection: Connection, owner: EntityId, now: int) -> None:
    """The same for the newest usage record of ``owner``'s materials, so that no chain of records goes back in time."""
    text = SqlUsageStore(connection).latest(workspace.operator, owner)
    if text is not None:
        _check(workspace, [Dated(parse_usage(text).record.time, "the newest usage record of this owner")], now)


def is_ahead(workspace: Workspace, date: int, now: int) -> bool:
    """Whether ``date`` is too late for readers to accept it today, but within what a person allowed by the tolerance.

    Then what bears it is made anew.
    """
    return SKEW_SECONDS < date - now <= workspace.settings.clock.tolerance


class GuardedArchive(SqlStatusArchive):
    """Keeps no status list that was signed by a clock that is behind."""

    def __init__(self, workspace: Workspace, connection: Connection) -> None:
        super().__init__(connection)
        self._workspace, self._connection = workspace, connection

    def keep(self, published: PublishedList) -> None:
        """See ``StatusArchive.keep``; raises also UnavailableError ``clock.behind``."""
        check_clock(self._workspace, self._connection, published.iat)
        super().keep(published)


def _check(workspace: Workspace, dates: Iterable[Dated], now: int) -> None:
    latest, tolerance = max(dates, default=Dated(now, "")), workspace.settings.clock.tolerance
    if now < latest.time - tolerance:
        raise UnavailableError(
            CODE,
            f"the clock says {_utc(now)}, but {latest.what} is dated {_utc(latest.time)}, {latest.time - now} s later "
            f"(tolerance {tolerance} s); nothing was signed. Set the clock right, by NTP for instance. If it is right "
            "now and was ahead then, see [clock] tolerance in operations.md",
        )


def _home_dates(workspace: Workspace, connection: Connection) -> Iterator[Dated]:
    origin = workspace.settings.origin
    newest = select(trust_list.c.iat).order_by(trust_list.c.seq.desc()).limit(1)
    trust = connection.scalar(newest)
    if trust is None:
        return  # the workspace is being made
    yield Dated(trust, "the newest trust list")
    lists = material_status_list.c
    for uri in (names.status_uri(origin), names.grant_status_uri(origin)):
        newest = select(lists.iat).where(lists.uri == uri).order_by(lists.seq.desc()).limit(1)
        yield from _dated(connection.scalar(newest), "the newest status list")
    log = workspace.log(connection)
    entry = log.entry(log.size() - 1)
    yield from _dated(None if entry is None else entry_time(entry), "the newest entry of the log")
    yield from _block_dates(connection, origin)


def entry_time(entry: bytes) -> int | None:
    """When the statement or the event in a log entry says that it was signed; None for other entries."""
    try:
        return parse_entry_claims(entry).iat
    except MalformedError:
        pass
    try:
        return parse_event(entry.decode("ascii", "replace")).event.iat
    except MalformedError:
        return None


def _block_dates(connection: Connection, origin: str) -> Iterator[Dated]:
    """Of each chain in the trust list: the block whose header proves the newest anchor."""
    text = SqlTrustStore(connection).latest()
    for profile in () if text is None else parse_trust_list(text).chains:
        if profile.max_grade is Grade.UNSEALED_DEV:
            continue  # its blocks may run ahead of any clock
        for pin in profile.contracts:
            newest = SqlAnchorProofs(connection, AnchorScope(profile.chain_id, pin.address, origin)).newest()
            time = None if newest is None else _block_time(newest[1])
            yield from _dated(time, f"a block of chain {profile.chain_id}")


def _block_time(proof: bytes) -> int | None:
    """The timestamp of the sealed header, which was verified before it was kept; None for evidence of other kinds."""
    try:
        parsed = read_anchor_proof(proof)
        if not isinstance(parsed, AnchorProof):
            return None
        header = rlp_decode(parsed.header, what="header", max_bytes=HEADER_MAX_BYTES)
        return rlp_uint(rlp_list(header, what="header")[_HEADER_TIMESTAMP], what="header timestamp")
    except LedgerError:
        return None  # damaged since then: fsck names it


def _dated(time: int | None, what: str) -> Iterator[Dated]:
    if time is not None:
        yield Dated(time, what)


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(min(seconds, _LAST_SECOND), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
