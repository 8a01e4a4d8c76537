"""Anchoring beside the requests: one thread that holds the chain, carries new checkpoints to it, and watches it.

The embedded chain has one writer, so the service keeps it open for as long as it runs. A chain that is away, locked by
another process or in conflict never stops the service: the state says so, ``/readyz`` shows it, and the thread tries
again. What the chain was last seen to hold guards every append meanwhile (``Workspace.anchored_head``).
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Thread
from typing import Final

from anchors import Chain
from api import clock, names
from api.anchoring import anchor_worker, chain_of, known_head
from api.http.problems import describe
from api.reading import status_list
from api.trust_lists import renew_trust
from api.workspace import Workspace
from ledger import Checkpoint
from signing import LedgerError, VerificationError

MAX_WAIT_SECONDS: Final = 60
CONTRADICTIONS: Final = ("log.behind-chain", "log.fork")
"""After these no append is signed until a look shows that the chain and the log agree again."""
_log = logging.getLogger("ematerials.anchoring")


class ChainState(StrEnum):
    """How the chain stood at the last look."""

    STARTING = "starting"
    REACHABLE = "reachable"
    AWAY = "away"
    STOPPED = "stopped"  # the chain contradicts the log, or needs a person


@dataclass(frozen=True, slots=True)
class AnchoringReport:
    """What the thread saw last: ``code`` of the trouble, if any; size of the tree known to be on the chain."""

    state: ChainState = ChainState.STARTING
    code: str | None = None
    anchored_size: int | None = None
    looked_at: int | None = None


class Anchoring:
    """The thread, and what it knows. ``start`` and ``stop`` once each; all else from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="anchoring", daemon=True)
        self._report = AnchoringReport()
        self._head: Checkpoint | None = None
        self._contradiction: VerificationError | None = None

    @property
    def report(self) -> AnchoringReport:
        """How things stood at the last look."""
        return self._report

    def start(self) -> None:
        """Begin. From now on appends are guarded by what this thread sees on the chain."""
        self._workspace.anchored_head = self.head
        self._thread.start()

    def stop(self) -> None:
        """End after the step in progress, and give the chain back."""
        self._stopping.set()
        self._thread.join()
        self._workspace.anchored_head = None

    def head(self) -> Checkpoint | None:
        """The head that an append has to extend: as last seen on the chain, or as last proved before.

        Raises VerificationError (``log.behind-chain``, ``log.fork``) as long as the chain contradicts the log.
        """
        if self._contradiction is not None:
            raise VerificationError(self._contradiction.code, str(self._contradiction))
        return self._head or known_head(self._workspace, None, clock.now())

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._renew()
                with chain_of(self._workspace, clock.now(), writable=True) as chain:
                    while not self._stopping.is_set():
                        self._look(chain)
                        failures = 0
                        self._stopping.wait(self._workspace.settings.service.anchor_every_seconds)
            except Exception as error:  # this thread must outlive whatever a node or a driver does
                failures += 1
                self._note(error)
                self._stopping.wait(min(MAX_WAIT_SECONDS, 2 ** min(failures, 6) - 1))

    def _renew(self) -> None:
        """Publish trust list and status lists anew when they are due, so that no day is without one."""
        renew_trust(self._workspace, clock.now())
        origin = self._workspace.settings.origin
        for uri in (names.status_uri(origin), names.grant_status_uri(origin)):
            status_list(self._workspace, uri)

    def _look(self, chain: Chain) -> None:
        """Carry the newest checkpoint to the chain, then take note of what the chain holds."""
        self._renew()
        now = clock.now()
        anchor_worker(self._workspace, chain, now).run(now=now)
        chain.head(self._workspace.settings.origin)  # known_head alone would fall back in silence if it is away
        head = known_head(self._workspace, chain, now)
        self._head, self._contradiction = head, None
        self._report = AnchoringReport(ChainState.REACHABLE, None, 0 if head is None else head.size, now)

    def _note(self, error: Exception) -> None:
        stopped = isinstance(error, VerificationError)
        if isinstance(error, VerificationError) and error.code in CONTRADICTIONS:
            self._contradiction = error
        code = error.code if isinstance(error, LedgerError) else "anchoring.failed"
        if code != self._report.code:
            _log.warning("anchoring: %s: %s", code, describe(error))
        state = ChainState.STOPPED if stopped else ChainState.AWAY
        self._report = AnchoringReport(state, code, self._report.anchored_size, clock.now())
