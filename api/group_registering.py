"""Commit registrations, any number of them in one transaction: one append, one new tree head, one commit.

Each is in a savepoint: what the registry refuses is rolled back alone and leaves no trace, the rest is committed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from api import clock
from api.home import home_ports, open_home
from api.rollback_guard import guard_head
from api.status_lists import publish_list
from api.workspace import Workspace
from ledger import Checkpoint
from ledger.group_commit import Failed, OneToBlameError
from materials.registry.draft import Draft
from materials.registry.records import SealedFile
from materials.registry.register import Admitted, Repeated, admit, complete
from materials.registry.submission import Registered
from signing import LedgerError, UnavailableError

UNKNOWN_OUTCOME: Final = "log.unknown-outcome"
_OF_ALL: Final = ("database.damaged", "database.full", "database.unavailable", "log.")
"""Errors that every registration of a batch would meet."""
_OF_NEW: Final = ("log.frozen", "log.full")
"""But these are met only by what is not registered yet."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One registration that is ready for its transaction."""

    draft: Draft
    sealed: tuple[SealedFile, ...]

    @property
    def weight(self) -> int:
        """About how many bytes of memory its request holds while it waits."""
        return len(self.draft.statement.text) + sum(record.size for record in self.draft.statement.files)


Commit = Callable[[Unit], Registered]
"""Has one registration committed, and returns after that."""


def commit_alone(workspace: Workspace, unit: Unit) -> Registered:
    """One registration in a transaction of its own; raises what refused it, or as ``commit_units`` does."""
    try:
        (outcome,) = commit_units(workspace, [unit])
    except OneToBlameError as refused:
        if refused.__cause__ is None:
            raise
        raise refused.__cause__ from None
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome


def commit_units(workspace: Workspace, units: Sequence[Unit]) -> list[Registered | Failed]:
    """Commit a batch, then tell the outcome of each (``ledger.group_commit``).

    Raises OneToBlameError (nothing was written, try each alone), UnavailableError ``log.unknown-outcome``: the commit
    failed in a way that leaves open whether it happened; any other LedgerError: nothing was written, for all the same.
    """
    now = clock.now()
    head = guard_head(workspace, now)
    outcomes: list[Registered | Failed] | None = None
    try:
        with workspace.database.write() as connection:
            outcomes = _register(workspace, connection, units, head, now)
    except Exception as error:  # whatever one of them meets, a bug of ours too, must not take the others with it
        if outcomes is not None:
            message = "the commit was not confirmed; to register the same again is safe, and tells"
            raise UnavailableError(UNKNOWN_OUTCOME, message) from error
        if isinstance(error, LedgerError) and error.code.startswith(_OF_ALL) and error.code not in _OF_NEW:
            raise
        raise OneToBlameError from error
    return outcomes


def _register(
    workspace: Workspace, connection: Connection, units: Sequence[Unit], head: Checkpoint | None, now: int
) -> list[Registered | Failed]:
    ports, home = home_ports(workspace, connection, known_head=head), open_home(workspace, connection, now)
    outcomes: dict[int, Admitted | Repeated | Failed] = {}
    for number in _in_order(units):
        unit = units[number]
        try:
            with connection.begin_nested():
                outcomes[number] = admit(ports, home, unit.draft, unit.sealed)
        except LedgerError as error:
            outcomes[number] = Failed(error)
    admitted = {number: outcome for number, outcome in outcomes.items() if not isinstance(outcome, Failed)}
    registered = dict(zip(admitted, complete(ports, list(admitted.values())), strict=True))
    if any(isinstance(each, Admitted) and each.supersession is not None for each in admitted.values()):
        publish_list(workspace, ports, home.status_uri, home.trust, now)
    failed = {number: outcome for number, outcome in outcomes.items() if isinstance(outcome, Failed)}
    return [failed[number] if number in failed else registered[number] for number in range(len(units))]


def _in_order(units: Sequence[Unit]) -> list[int]:
    """By identity, so that two processes that commit the same materials wait for each other, and never in a circle."""
    return sorted(range(len(units)), key=lambda number: units[number].draft.claim.identity)
