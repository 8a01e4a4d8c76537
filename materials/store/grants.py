"""Grant links and their use counters in SQL."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update

from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, GrantLink, LinkId
from materials.grants.ports import LinkHold, StoredLink
from materials.ids import EntityId
from materials.store.grant_tables import grant_link
from materials.store.insert import insert_unless_taken
from signing import UnavailableError, VerificationError

_rows = grant_link.c


class SqlGrantStore:
    """``GrantStore`` on one connection."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, chain: GrantChain, *, now: int) -> tuple[LinkId, ...]:
        """See ``GrantStore.add``. Root first, as everywhere: two chains with common links can't deadlock."""
        parents: Sequence[LinkId | None] = (None, *chain.ids)
        new = []
        for link, parent in zip(chain.links, parents, strict=False):
            if insert_unless_taken(self._conn, grant_link, _row(link, parent, now)):
                new.append(link.id)
            else:
                self._check_same(link)
        return tuple(new)

    def chain(self, link: LinkId) -> tuple[StoredLink, ...]:
        """See ``GrantStore.chain``."""
        links: list[StoredLink] = []
        following: LinkId | None = link
        while following is not None:
            row = self._conn.execute(select(grant_link).where(_is(following))).one_or_none()
            if row is None:
                return ()
            links.append(read_link(row))
            following = links[-1].parent
        return tuple(reversed(links))

    def of_party(self, party: EntityId) -> tuple[StoredLink, ...]:
        """See ``GrantStore.of_party``."""
        query = select(grant_link).where(or_(_rows.subject == party, _rows.audience == party))
        ordered = query.order_by(_rows.added_at, _rows.depth, _rows.jti)
        return tuple(read_link(row) for row in self._conn.execute(ordered))

    def withdraw(self, link: LinkId, *, by: EntityId, now: int) -> None:
        """See ``GrantStore.withdraw``. The UPDATE waits for whoever holds the row."""
        query = update(grant_link).where(_is(link), _rows.withdrawn_at.is_(None))
        self._conn.execute(query.values(withdrawn_by=by, withdrawn_at=now))

    def _check_same(self, link: GrantLink) -> None:
        """The same identity must mean the same signed content; the signature itself may be another."""
        text = self._conn.execute(select(_rows.text).where(_is(link.id))).scalar_one()
        if text.rpartition(".")[0] != link.text.rpartition(".")[0]:
            raise GrantRefusedError("repeated", link.depth, "another link has this identity")


class SqlUseCounter:
    """``UseCounter`` on one connection: rows held with FOR UPDATE; on SQLite the write transaction holds them all."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def lock(self, links: Sequence[LinkId]) -> tuple[LinkHold, ...]:
        """See ``UseCounter.lock``: one statement a row, because only that fixes the order."""
        return tuple(self._hold(link) for link in links)

    def debit(self, links: Sequence[LinkId]) -> None:
        """See ``UseCounter.debit``."""
        for link in links:
            self._conn.execute(update(grant_link).where(_is(link)).values(used=_rows.used + 1))

    def _hold(self, link: LinkId) -> LinkHold:
        query = select(_rows.used, _rows.withdrawn_at).where(_is(link)).with_for_update()
        row = self._conn.execute(query).one_or_none()
        if row is None:
            raise UnavailableError("grant.unknown-link", "a link to be counted is not in the store")
        return LinkHold(link, row.used, row.withdrawn_at is not None)


def _is(link: LinkId) -> ColumnElement[bool]:
    return and_(_rows.iss == link.iss, _rows.jti == link.jti)


def _row(link: GrantLink, parent: LinkId | None, now: int) -> dict[str, object]:
    return {
        "iss": link.id.iss,
        "jti": link.id.jti,
        "subject": link.subject,
        "audience": link.audience.id,
        "depth": link.depth,
        "parent_iss": parent.iss if parent else None,
        "parent_jti": parent.jti if parent else None,
        "text": link.text,
        "added_at": now,
        "used": 0,
    }


def read_link(row: Row[*tuple[object, ...]]) -> StoredLink:
    """The link in one row of ``grant_link``; VerificationError ``store.unreadable`` for half a parent or withdrawal."""
    pairs = ((row.parent_iss, row.parent_jti), (row.withdrawn_by, row.withdrawn_at))
    if any((one is None) is not (other is None) for one, other in pairs):
        raise VerificationError("store.unreadable", "grant_link: one of two columns that belong together is empty")
    return StoredLink(
        id=LinkId(row.iss, row.jti),
        subject=row.subject,
        audience=row.audience,
        depth=row.depth,
        parent=None if row.parent_iss is None else LinkId(row.parent_iss, row.parent_jti),
        used=row.used,
        withdrawn_by=row.withdrawn_by,
        withdrawn_at=row.withdrawn_at,
        text=row.text,
    )
