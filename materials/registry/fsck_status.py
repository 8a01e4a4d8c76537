"""Check published status lists against their signatures, one another and the status table."""

from collections.abc import Iterator, Mapping
from functools import partial

from materials.ids import MaterialId
from materials.registry.fsck import FindKey, StoreFinding, attempt, each
from materials.registry.ports import HomePorts, MaterialScan
from materials.registry.records import PublishedList, StatusEntry
from materials.status import (
    StatusList,
    StatusValue,
    check_status_update,
    pack_statuses,
    parse_status_list,
    verify_status_list,
)
from signing import VerificationError


def check_status_lists(ports: HomePorts, scan: MaterialScan, *, uri: str, find_key: FindKey) -> Iterator[StoreFinding]:
    """Check all lists published for ``uri``, and that the last says what the table says.

    A change may be in the table before it is in a list, but not the other way round for INVALID, and not without an
    event. Yields nothing if all is well; reads the table of ``uri`` into memory.
    """
    verified: list[StatusList] = []
    where = f"material_status_list {uri}"
    yield from each(where, enumerate(scan.lists(uri)), partial(_check_list, verified, find_key))
    table: dict[int, StatusEntry] = {}
    yield from each(f"material_status_entry {uri}", scan.entries(uri), partial(_check_entry, ports, table))
    if verified:
        yield from attempt(where, partial(_check_against_table, ports, table, verified[-1]))


def _check_list(
    verified: list[StatusList], find_key: FindKey, numbered: tuple[int, PublishedList]
) -> Iterator[StoreFinding]:
    """One list, its number and its succession; ``verified`` holds the one before and takes this one."""
    number, kept = numbered

    def check() -> None:
        if kept.seq != number:
            raise VerificationError("fsck.row-differs", "the list before it is missing, or its number differs")
        unverified = parse_status_list(kept.token)
        status_list = verify_status_list(unverified, find_key(unverified.iss, unverified.key_id, "status"))
        if (kept.uri, kept.iat, kept.exp) != (status_list.uri, status_list.iat, status_list.exp):
            raise VerificationError("fsck.row-differs", "a column differs from the signed list")
        previous = verified[-1:]
        verified[:] = [status_list]
        for old in previous:
            check_status_update(old, status_list)

    yield from attempt(f"material_status_list {kept.uri} {kept.seq}", check)


def _check_entry(ports: HomePorts, table: dict[int, StatusEntry], entry: StatusEntry) -> Iterator[StoreFinding]:
    table[entry.ref.idx] = entry

    def check() -> None:
        if not entry.subject.startswith("em-") or entry.status is StatusValue.VALID:
            return  # grants have a check of their own; a place may be reserved before its statement is handed in
        record = ports.materials.find(MaterialId(entry.subject))
        if record is None or record.status != entry.ref:
            raise VerificationError("fsck.status-place", "a changed place belongs to no registered material")

    yield from attempt(f"material_status_entry {entry.ref.uri} {entry.ref.idx}", check)


def _check_against_table(ports: HomePorts, table: Mapping[int, StatusEntry], published: StatusList) -> None:
    packed = pack_statuses({idx: entry.status for idx, entry in table.items()})
    differing = (
        number for number, (ours, theirs) in enumerate(zip(packed, published.packed, strict=True)) if ours != theirs
    )
    for idx in (number * 4 + offset for number in differing for offset in range(4)):
        entry = table.get(idx)
        said = published.status_at(idx)
        if said is (StatusValue.VALID if entry is None else entry.status):
            continue
        if entry is None or said is StatusValue.INVALID or not _may_have_changed(ports, entry):
            raise VerificationError("fsck.list-differs", f"the last list and the status table differ at place {idx}")


def _may_have_changed(ports: HomePorts, entry: StatusEntry) -> bool:
    """Whether there is a reason for a change since the last list; why a grant changed is not known here."""
    return not entry.subject.startswith("em-") or bool(ports.events.of(MaterialId(entry.subject)))
