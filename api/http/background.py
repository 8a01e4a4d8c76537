"""Anchoring beside the requests: a thread for each chain, which holds it, brings it checkpoints, and watches it.

The embedded chain has one writer, so the service keeps it open for as long as it runs. A chain that is away, locked by
another process or in conflict never stops the service, nor another chain: its state says so, ``/readyz`` shows it, and
its thread tries again. What the chains were last seen to hold guards every append meanwhile
(``Workspace.anchored_head``).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event, Thread
from typing import Final

from anchors.evm import NodeChain
from anchors.health import EndpointHealth
from anchors.watch import CONTRADICTIONS
from api import clock, names
from api.anchoring import anchor_worker, chain_of, look_at_head, worker_name
from api.http.problems import describe
from api.reading import status_list
from api.rollback_guard import known_head, largest
from api.trust_lists import renew_trust
from api.workspace import Workspace
from ledger import Checkpoint
from signing import LedgerError, VerificationError

MAX_WAIT_SECONDS: Final = 60
FIRST_LOOK_SECONDS: Final = 30
FRESH_SECONDS: Final = 180
"""After these no append is signed until a look shows that the chain and the log agree again."""
_NOT_AWAY: Final = ("outbox.leased", "outbox.busy", "outbox.fenced", "outbox.window")
_log = logging.getLogger("ematerials.anchoring")


class ChainState(StrEnum):
    """How a chain stood at the last look; the later ones here are worse."""

    REACHABLE = "reachable"
    STARTING = "starting"
    AWAY = "away"
    STOPPED = "stopped"  # the chain contradicts the log, or needs a person


@dataclass(frozen=True, slots=True)
class AnchoringReport:
    """What a thread saw last: ``code`` of the trouble, if any; size of the tree known to be on the chain."""

    state: ChainState = ChainState.STARTING
    code: str | None = None
    anchored_size: int | None = None
    looked_at: int | None = None
    nodes: tuple[EndpointHealth, ...] = ()


class ChainThread:
    """One chain of the settings: its thread, and what that knows."""

    def __init__(self, workspace: Workspace, name: str, stopping: Event) -> None:
        self.name = name
        self.report = AnchoringReport()
        self.head: Checkpoint | None = None
        self.contradiction: VerificationError | None = None
        self.looked: Final = Event()
        self._workspace = workspace
        self._stopping = stopping
        self._woken = Event()
        self._requested = False
        self._owner = worker_name()
        self._thread = Thread(target=self._run, name=f"anchoring {name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self, *, requested: bool) -> None:
        """Look now; ``requested``: and anchor what is new, whatever the settings say."""
        self._requested = self._requested or requested
        self._woken.set()

    def join(self) -> None:
        """Wait for the end of the step in progress."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                with chain_of(self._workspace, clock.now(), self.name, writable=True) as chain:
                    while not self._stopping.is_set():
                        self._look(chain)
                        failures = 0
                        self._wait(self._workspace.settings.service.anchor_every_seconds)
            except Exception as error:  # this thread must outlive whatever a node or a driver does
                failures += 1
                self._note(error)
                self._wait(min(MAX_WAIT_SECONDS, 2 ** min(failures, 6) - 1))

    def _wait(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()

    def _look(self, chain: NodeChain) -> None:
        """Take note of what the chain holds, carry the newest checkpoint to it, look again; renew a few old proofs."""
        self._see(chain)
        requested, self._requested = self._requested, False
        now = clock.now()
        worker = anchor_worker(self._workspace, chain, now, self.name, owner=self._owner)
        if worker.run(now=now, requested=requested) is not None:
            self._see(chain)
        worker.recapture(now=now)

    def _see(self, chain: NodeChain) -> None:
        now = clock.now()
        self.head = look_at_head(self._workspace, chain, now, self.name)
        self.contradiction = None
        size = 0 if self.head is None else self.head.size
        self.report = AnchoringReport(ChainState.REACHABLE, None, size, now, chain.health(now))
        self.looked.set()

    def _note(self, error: Exception) -> None:
        stopped = isinstance(error, VerificationError)
        if isinstance(error, VerificationError) and error.code in CONTRADICTIONS:
            self.contradiction = error
        code = error.code if isinstance(error, LedgerError) else "anchoring.failed"
        if code != self.report.code:
            _log.warning("anchoring on %s: %s: %s", self.name, code, describe(error))
        away = code not in _NOT_AWAY or self.report.state is not ChainState.REACHABLE
        state = ChainState.STOPPED if stopped else ChainState.AWAY if away else self.report.state
        self.report = replace(self.report, state=state, code=code, looked_at=clock.now())
        self.looked.set()


class Anchoring:
    """All chains' threads, and one that publishes lists. ``start`` and ``stop`` once each; all else from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stopping = Event()
        self._chains = [ChainThread(workspace, name, self._stopping) for name in workspace.settings.chains]
        self._publisher = Thread(target=self._publish, name="publishing", daemon=True)

    @property
    def reports(self) -> Mapping[str, AnchoringReport]:
        """How each chain stood at the last look, by its name in the settings."""
        return {chain.name: chain.report for chain in self._chains}

    @property
    def report(self) -> AnchoringReport:
        """All chains in one: the state and trouble of the worst, the largest tree that any of them holds."""
        order = list(ChainState)
        worst = max(self.reports.values(), key=lambda report: order.index(report.state))
        sizes = [each.anchored_size for each in self.reports.values() if each.anchored_size is not None]
        return replace(worst, anchored_size=max(sizes, default=None))

    def start(self) -> None:
        """Begin. From now on appends are guarded by what these threads see on the chains."""
        self._workspace.anchored_head = self.head
        self._publisher.start()
        for chain in self._chains:
            chain.start()

    def stop(self) -> None:
        """End after the steps in progress, and give the chains back."""
        self._stopping.set()
        for chain in self._chains:
            chain.wake(requested=False)
        for chain in self._chains:
            chain.join()
        self._publisher.join()
        self._workspace.anchored_head = None

    def request(self) -> None:
        """Anchor what is new on every chain at once, whatever the settings say."""
        for chain in self._chains:
            chain.wake(requested=True)

    def head(self) -> Checkpoint | None:
        """The head that an append has to extend: the largest that was seen on a chain, or was proved before.

        The first append waits until each chain was looked at once, for half a minute at most: a database that was
        restored is found out before anything is signed. Raises VerificationError (``log.behind-chain``, ``log.fork``)
        as long as a chain contradicts the log, UnavailableError (``log.chain-away``).
        """
        for chain in self._chains:
            if not chain.looked.wait(FIRST_LOOK_SECONDS):
                _log.warning("anchoring on %s: the chain has not answered yet; going on with what is known", chain.name)
                chain.looked.set()
        for chain in self._chains:
            if chain.contradiction is not None:
                raise VerificationError(chain.contradiction.code, str(chain.contradiction))
        now = clock.now()
        reached = any(_is_fresh(chain.report, now) for chain in self._chains)
        seen = largest([chain.head for chain in self._chains])
        return seen if reached and seen is not None else known_head(self._workspace, now, reached=reached)

    def _publish(self) -> None:
        """Publish trust list and status lists anew when they are due, so that no day is without one."""
        trouble: str | None = None
        while not self._stopping.is_set():
            code: str | None = None
            try:
                renew(self._workspace)
            except Exception as error:  # as above
                code = error.code if isinstance(error, LedgerError) else "anchoring.failed"
                if code != trouble:
                    _log.warning("publishing: %s: %s", code, describe(error))
            trouble = code
            self._stopping.wait(self._workspace.settings.service.anchor_every_seconds)


def _is_fresh(report: AnchoringReport, now: int) -> bool:
    """Whether the chain answered lately; a thread that waits for a node for long has seen nothing."""
    fresh = report.looked_at is not None and now - report.looked_at <= FRESH_SECONDS
    return report.state is ChainState.REACHABLE and fresh


def renew(workspace: Workspace) -> None:
    """Publish what is due: the trust list, and both status lists."""
    renew_trust(workspace, clock.now())
    origin = workspace.settings.origin
    for uri in (names.status_uri(origin), names.grant_status_uri(origin)):
        status_list(workspace, uri)
