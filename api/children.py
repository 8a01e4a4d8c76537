"""This home as a parent: it takes checkpoints of child ledgers into its log, section ``[children]`` of the settings.

Nobody is authenticated but the child, by its log's signature on the checkpoint, and only children in the settings are
heard. What is answered is committed.
"""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection

from api import clock, names
from api.anchored import anchored_receipt, parents_of
from api.clock_guard import check_clock
from api.rollback_guard import guard_head
from api.workspace import Workspace
from ledger.child_store import LoggedChild, SqlChildren
from ledger.witness import Conflict, Suspicion, TrustedLogs, open_request
from materials.bundle import MAX_FURTHER_ANCHORS, MAX_PARENTS, BundledParent
from materials.parent_evidence import ParentEvidence
from signing import MalformedError, RefusedError, UnavailableError
from signing.notes.note_key import check_key_name


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent side of an open workspace; safe for use by several threads and processes."""

    workspace: Workspace
    logs: TrustedLogs

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """The parent that the settings describe.

        Raises UnavailableError (``parent.not-configured``), MalformedError (``settings.form``).
        """
        settings = workspace.settings.children
        if settings is None:
            raise UnavailableError("parent.not-configured", "this home is no parent: see the settings, [children]")
        try:
            return cls(workspace, TrustedLogs.parse(settings.logs))
        except MalformedError as error:
            raise MalformedError("settings.form", f"children.logs: {error}") from None

    def take(self, body: bytes) -> LoggedChild | Conflict | Suspicion:
        """Take a checkpoint that a child sends as it would ask a witness (C2SP tlog-witness), committed.

        Raises as ``open_request``, ``guard_head`` and ``SqlChildren.take``.
        """
        signed = open_request(body, self.logs)
        now = clock.now()
        head = guard_head(self.workspace, now)
        with self.workspace.database.write() as connection:
            check_clock(self.workspace, connection, now)
            signer, log = self.workspace.keyring.signer(names.LOG_KEY), self.workspace.log(connection)
            children = SqlChildren(connection, self.workspace.settings.origin)
            return children.take(signed, lambda entry: log.append([entry], signer=signer, known_head=head).indices[0])

    def evidence(self, child: str, size: int) -> ParentEvidence:
        """The evidence for the smallest logged checkpoint of ``child`` that holds ``size`` entries.

        Raises RefusedError (``parent.no-checkpoint``) while there is none, MalformedError (``note.name``).
        """
        check_key_name(child)
        with self.workspace.database.read() as connection:
            logged = SqlChildren(connection, self.workspace.settings.origin).covering(child, size)
            if logged is None:
                raise RefusedError("parent.no-checkpoint", "no checkpoint of that child with so many entries is here")
            return self._evidence(connection, logged)

    def _evidence(self, connection: Connection, logged: LoggedChild) -> ParentEvidence:
        workspace, now = self.workspace, clock.now()
        receipt, size, anchors = anchored_receipt(workspace, connection, logged.index, now)
        entry = workspace.log(connection).entry(logged.index) or b""
        above = parents_of(workspace, connection, size)
        return ParentEvidence(
            (BundledParent(entry, (), receipt), *above.parents)[:MAX_PARENTS],
            (*anchors, *above.anchors)[: 1 + MAX_FURTHER_ANCHORS],
        )


def logged_children(workspace: Workspace) -> list[LoggedChild]:
    """The newest checkpoint of each child in this home's log."""
    with workspace.database.read() as connection:
        return list(SqlChildren(connection, workspace.settings.origin).newest())
