"""What readers of a log are shown: every checkpoint that was signed, or only those that its witnesses accept."""

from sqlalchemy import Connection

from api import clock
from api.logs import log_key
from api.witnessing import CLOCK_TOLERANCE_SECONDS, is_witnessed, read_policy
from api.workspace import Workspace
from ledger import read_checkpoint
from ledger.cosignatures import SqlCosignatures
from ledger.export import SIGNED, Publication
from ledger.reading import LogReader
from signing import MalformedError, RefusedError, UnavailableError


def publish(workspace: Workspace, connection: Connection, origin: str) -> Publication:
    """How the settings have the log ``origin`` shown, and its newest accepted checkpoint.

    Raises UnavailableError (``witness.no-policy``) if the policy can't be read: a reader of the log can't mend it.
    """
    settings = workspace.settings.witnesses
    if settings is None or not is_witnessed(workspace, origin):
        return SIGNED
    try:
        policy = read_policy(workspace, log_key(workspace, origin))
    except MalformedError as error:
        raise UnavailableError("witness.no-policy", str(error)) from None
    latest_time = clock.now() + CLOCK_TOLERANCE_SECONDS
    cosigned = SqlCosignatures(connection, origin).newest_accepted(policy, latest_time=latest_time)
    return Publication(cosigned, only_cosigned=settings.publish == "cosigned")


def accepted_size(workspace: Workspace, connection: Connection, first: int, last: int, now: int) -> int | None:
    """The size, from ``first`` to ``last``, of the newest checkpoint of the home's log that its witness policy accepts.

    None if there is none, if the policy asks for nothing, or if no policy is set or can be read.
    """
    if not is_witnessed(workspace, workspace.settings.origin):
        return None
    kept = SqlCosignatures(connection, workspace.settings.origin)
    try:
        policy = read_policy(workspace, workspace.log_key)
        if policy.quorum is None:
            return None
        note = kept.newest_accepted(policy, latest_time=now + CLOCK_TOLERANCE_SECONDS, sizes=range(first, last + 1))
    except (MalformedError, UnavailableError):  # a policy or a line that can't be read: as good as none
        return None
    return None if note is None else read_checkpoint(note).size


def cosigned_checkpoint(workspace: Workspace, connection: Connection, origin: str) -> bytes:
    """The newest checkpoint that the log's witness policy accepts.

    Raises RefusedError (``log.no-cosigned``) if there is none or no policy is set, and as ``publish``.
    """
    note = publish(workspace, connection, origin).cosigned
    if note is None:
        raise RefusedError("log.no-cosigned", "no checkpoint satisfies a witness policy of this log, or none is set")
    return note


def shown_checkpoint(workspace: Workspace, connection: Connection, origin: str) -> bytes:
    """The checkpoint that readers follow; raises as ``cosigned_checkpoint`` where only those are shown."""
    settings = workspace.settings.witnesses
    if settings is not None and settings.publish == "cosigned" and is_witnessed(workspace, origin):
        return cosigned_checkpoint(workspace, connection, origin)
    return LogReader(connection, origin).checkpoint()
