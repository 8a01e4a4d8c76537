"""Registrations that come in at the same time share a transaction: one thread commits what all handlers hand in.

Whoever waits for a commit holds none of the threads that other calls need. How many may wait is bounded; above that,
and while the service ends, a caller is told to come back (``log.busy``).
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from api.group_registering import Unit, commit_units
from api.workspace import Workspace
from ledger.group_commit import GroupCommit
from materials.registry.submission import Registered
from signing import UnavailableError

T = TypeVar("T")


class Registrations:
    """The group commit of one service; ``start`` and ``stop`` once each, all else from any thread between."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._group: GroupCommit[Unit, Registered] | None = None
        self._limiter: CapacityLimiter | None = None

    def start(self) -> None:
        """Begin; to be called in the event loop."""
        settings = self._workspace.settings.log
        self._limiter = CapacityLimiter(settings.queue + 2 * settings.batch)
        self._group = GroupCommit(
            partial(commit_units, self._workspace),
            weight=lambda unit: unit.weight,
            max_queue=settings.queue,
            max_weight=settings.queue_bytes,
            max_batch=settings.batch,
        )

    def stop(self) -> None:
        """Take no more, answer what was taken, end the thread."""
        if self._group is not None:
            self._group.close()

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work``, which ends in ``commit``, in a thread of its own kind; ``log.busy`` before it did anything."""
        self._open().check_room()
        return await to_thread.run_sync(work, limiter=self._limiter)

    def commit(self, unit: Unit) -> Registered:
        """Have one registration committed with others, and return after that.

        Raises what refused it, and UnavailableError ``log.busy`` (it was not taken) or ``log.unknown-outcome``.
        """
        return self._open().submit(unit).result()

    def _open(self) -> GroupCommit[Unit, Registered]:
        if self._group is None:
            raise UnavailableError("log.busy", "the service takes no registrations yet")
        return self._group
