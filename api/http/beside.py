"""The rounds of the service: time stamps, witnesses and the parent ledger, each if the settings name any."""

from collections.abc import Callable
from functools import partial

from api.http.rounds import Rounds
from api.parenting import submit_checkpoint
from api.timestamping import stamp_checkpoints
from api.witnessing import ask_witnesses, witnessed_logs
from api.workspace import Workspace
from signing import LedgerError, VerificationError


def stamping(workspace: Workspace) -> Rounds:
    """Has new checkpoints time-stamped."""
    wanted = bool(workspace.settings.timestamps.urls)
    return _rounds(workspace, "timestamps", partial(_stamp, workspace), wanted, "timestamp.failed")


def witnessing(workspace: Workspace) -> Rounds:
    """Has new checkpoints of each log cosigned; its code is ``ok`` if all quorums are met and no witness raised an
    alarm.
    """
    wanted = workspace.settings.witnesses is not None
    return _rounds(workspace, "witnesses", partial(_ask, workspace), wanted, "witness.failed")


def parenting(workspace: Workspace) -> Rounds:
    """Brings new checkpoints into the parent's log."""
    wanted = workspace.settings.parent is not None
    return _rounds(workspace, "parent", partial(_submit, workspace), wanted, "parent.failed")


def _rounds(workspace: Workspace, name: str, do: Callable[[], Exception | None], wanted: bool, unnamed: str) -> Rounds:
    every = workspace.settings.service.anchor_every_seconds
    return Rounds(name, do, every_seconds=every, wanted=wanted, unnamed=unnamed)


def _stamp(workspace: Workspace) -> Exception | None:
    outcomes = [attempt.outcome for attempt in stamp_checkpoints(workspace)]
    return next((outcome for outcome in outcomes if isinstance(outcome, LedgerError)), None)


def _ask(workspace: Workspace) -> Exception | None:
    """The trouble with the first log that has any."""
    troubles = [_trouble_of(workspace, origin) for origin in witnessed_logs(workspace)]
    return next((trouble for trouble in troubles if trouble is not None), None)


def _trouble_of(workspace: Workspace, origin: str) -> Exception | None:
    """An alarm, or else what the policy lacks, or else nothing."""
    try:
        asked = ask_witnesses(workspace, origin)
    except LedgerError as error:  # the other logs are asked for all the same
        return error
    outcomes = [attempt.outcome for attempt in asked.attempts]
    alarms = [outcome for outcome in outcomes if isinstance(outcome, VerificationError)]
    return next(iter(alarms), asked.missing)


def _submit(workspace: Workspace) -> None:
    submit_checkpoint(workspace)
