"""Who submits with an account of a chain: one process at a time, and a number that older ones can't know.

A lease is taken for a while and renewed by each step. When it has run out, another process may take it, with a higher
fence; whoever held it before may still be alive, but can no longer change anything: every change of the outbox holds
the row of its lease, and is refused under an old fence.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, case, insert, select, update
from sqlalchemy.exc import IntegrityError

from anchors.tables import leases
from signing import UnavailableError

LEASE_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of ``owner`` to submit with the account ``anchorer`` of a chain, under ``fence``."""

    chain_id: int
    anchorer: bytes
    owner: str
    fence: int
    expires_at: int


class SqlLeases:
    """The leases of all chains and accounts. Bound to one connection: the caller commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, chain_id: int, anchorer: bytes, *, owner: str, now: int) -> Lease:
        """Take the lease, or renew it; the fence grows unless ``owner`` has it already.

        Raises UnavailableError (``outbox.leased``) while another process has it.
        """
        known = self.holder(chain_id, anchorer)
        if known is None:
            self._add(chain_id, anchorer, owner, now)
        else:
            free = (leases.c.owner == owner) | (leases.c.expires_at <= now)
            change = (
                update(leases)
                .where(leases.c.chain_id == chain_id, leases.c.anchorer == anchorer, free)
                .values(
                    owner=owner,
                    expires_at=now + LEASE_SECONDS,
                    fence=case((leases.c.owner == owner, leases.c.fence), else_=leases.c.fence + 1),
                )
            )
            if self._connection.execute(change).rowcount != 1:
                raise _leased()
        taken = self.holder(chain_id, anchorer)
        if taken is None:
            raise _leased()
        return taken

    def _add(self, chain_id: int, anchorer: bytes, owner: str, now: int) -> None:
        row = {"chain_id": chain_id, "anchorer": anchorer, "owner": owner}
        try:
            self._connection.execute(insert(leases).values(**row, expires_at=now + LEASE_SECONDS, fence=1))
        except IntegrityError:
            raise _leased() from None

    def hold(self, lease: Lease) -> None:
        """Keep others from taking the lease until the transaction ends.

        Raises UnavailableError (``outbox.fenced``) if another process has taken it since: nothing may be changed then.
        """
        change = update(leases).where(
            leases.c.chain_id == lease.chain_id,
            leases.c.anchorer == lease.anchorer,
            leases.c.owner == lease.owner,
            leases.c.fence == lease.fence,
        )
        if self._connection.execute(change.values(fence=lease.fence)).rowcount != 1:
            raise UnavailableError("outbox.fenced", "another process has taken over anchoring since; run again")

    def release(self, lease: Lease) -> None:
        """Let others take it at once; a lease that was lost stays as it is."""
        change = update(leases).where(
            leases.c.chain_id == lease.chain_id, leases.c.anchorer == lease.anchorer, leases.c.fence == lease.fence
        )
        self._connection.execute(change.values(owner="", expires_at=0))

    def holder(self, chain_id: int, anchorer: bytes) -> Lease | None:
        """The lease as it stands; it may have run out. None if it was never taken."""
        where = (leases.c.chain_id == chain_id, leases.c.anchorer == anchorer)
        row = self._connection.execute(select(leases).where(*where)).one_or_none()
        return None if row is None else Lease(row.chain_id, row.anchorer, row.owner, row.fence, row.expires_at)


def _leased() -> UnavailableError:
    return UnavailableError("outbox.leased", "another process is anchoring with this account; run again in a minute")
