"""``fsck``: the archivist's check."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from api import clock
from api.checking import Finding, fsck
from api.cli.auditing import progress_bar
from api.cli.options import JsonOption, WorkspaceOption, open_workspace
from api.cli.output import EXIT_DONE, EXIT_INVALID, EXIT_UNDETERMINED, console, print_json
from api.cosigning import count_evidence
from api.scanning import cores, course_of, scanning
from api.wording import chinese
from api.workspace import Workspace
from signing import JsonValue, UnavailableError

_STEPS = {
    "log": "日志",
    "trust lists": "信任列表",
    "materials": "材料与文件",
    "grants and uses": "授权与使用记录",
    "status lists": "状态列表",
    "time stamps": "时间戳",
    "anchor proofs": "上链证明",
    "witnesses": "见证",
    "parent and children": "上下级账本",
    "chain": "区块链",
}


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("fsck")(check)


def check(
    workspace: WorkspaceOption = None,
    state: Annotated[
        Path | None, typer.Option(dir_okay=False, help="状态文件，中断后可续查日志 · to go on with the log if cut off")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="进程数（默认：每核一个） · processes (default: one a core)")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """从存储的字节重新推算一切，并与链比对；指出第一处错误。 · Re-derive everything and compare it with the chain."""
    out = console()

    def begin(step: str) -> None:
        if not as_json:
            out.print(f"检查 checking   {_STEPS.get(step, step)} {step}")

    with (
        scanning(processes or cores()) as scan_at,
        open_workspace(workspace) as opened,
        progress_bar("条目 entries") as progress,
        course_of(opened.log_key, scan_at(opened.database.engine.url), state, progress) as course,
    ):
        findings = list(fsck(opened, clock.now(), begin=begin, course=course))
        evidence = _count_evidence(opened)
    if as_json:
        print_json({"clean": not findings, "findings": [_to_json(finding) for finding in findings]})
    else:
        for finding in findings:
            mark = "?" if finding.undetermined else "✘"
            out.print(Text(f"{mark} {chinese(finding.code)}  {finding.where}: {finding.message}  [{finding.code}]"))
        if evidence:
            out.print(f"! 见证证据 evidence against other logs   {evidence}   见 see: ematerials witness evidence")
        out.print(_summary(findings))
    raise typer.Exit(_exit_code(findings))


def _count_evidence(workspace: Workspace) -> int:
    """What other logs did is no fault of this home, and no finding."""
    try:
        return count_evidence(workspace)
    except UnavailableError:  # which is a finding already
        return 0


def _to_json(finding: Finding) -> JsonValue:
    return {
        "code": finding.code,
        "where": finding.where,
        "message": finding.message,
        "undetermined": finding.undetermined,
    }


def _summary(findings: list[Finding]) -> str:
    if not findings:
        return "✔ 全部一致 · all is consistent"
    wrong = sum(not finding.undetermined for finding in findings)
    if wrong:
        return f"✘ 发现 {wrong} 处问题 · wrong   未能检查 could not be checked {len(findings) - wrong}"
    return f"? 有 {len(findings)} 处未能检查，其余一致 · could not be checked; all else is consistent"


def _exit_code(findings: list[Finding]) -> int:
    if any(not finding.undetermined for finding in findings):
        return EXIT_INVALID
    return EXIT_UNDETERMINED if findings else EXIT_DONE
