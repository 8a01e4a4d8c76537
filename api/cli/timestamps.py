"""``timestamp``: time stamps over the newest checkpoints, or over one statement."""

from typing import Annotated

import typer
from rich.text import Text

from api.cli.options import JsonOption, WorkspaceOption, open_workspace
from api.cli.output import EXIT_DONE, console, exit_code_of, print_json, time_text
from api.timestamping import Attempt, stamp_checkpoints, stamp_statement
from api.wording import chinese
from materials.ids import check_material_id
from signing import JsonValue, LedgerError

_SUBJECTS = {"statement": "材料声明 statement", "checkpoint": "检查点 checkpoint"}


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(timestamp)


def timestamp(
    material: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="材料编号（默认：最新的检查点） · a material (default: the newest checkpoints)"
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """请时间戳服务为检查点或材料声明加盖可信时间戳。 · Have a checkpoint or a statement time-stamped (RFC 3161)."""
    with open_workspace(workspace) as opened:
        if material is None:
            attempts = stamp_checkpoints(opened)
        else:
            attempts = stamp_statement(opened, check_material_id(material, what="material"))
    if as_json:
        print_json({"timestamps": [_to_json(attempt) for attempt in attempts]})
    else:
        out = console()
        for attempt in attempts:
            out.print(_line(attempt))
        if not attempts:
            out.print("已有时间戳，无须再盖 · stamped before, nothing to do")
    codes = [exit_code_of(attempt.outcome) for attempt in attempts if isinstance(attempt.outcome, LedgerError)]
    raise typer.Exit(min(codes, default=EXIT_DONE))


def _to_json(attempt: Attempt) -> JsonValue:
    subject, outcome = attempt.subject, attempt.outcome
    members: dict[str, JsonValue] = {"over": subject.over, "subject": subject.name, "service": attempt.host}
    if isinstance(outcome, LedgerError):
        return members | {"error": {"code": outcome.code, "message": str(outcome)}}
    return members | {"gen_time": outcome.gen_time, "authority": outcome.authority.hex()}


def _line(attempt: Attempt) -> Text:
    outcome = attempt.outcome
    what = f"{_SUBJECTS[attempt.subject.over]} {attempt.subject.name}  ← {attempt.host}"
    if isinstance(outcome, LedgerError):
        return Text(f"✘ {what}  {chinese(outcome.code)}: {outcome}  [{outcome.code}]")
    return Text(f"✔ {what}  {time_text(outcome.gen_time)}  证书机构 authority {outcome.authority.hex()[:16]}")
