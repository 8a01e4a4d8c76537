"""What the commands print: for people (Chinese first, English beside it) or, with ``--json``, for programs."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.wording import GRADES, chinese, facet_words, verdict_words
from materials.report import AnchorAnswer, Verdict, VerificationReport
from signing import JsonValue, LedgerError, UnavailableError

EXIT_DONE: Final = 0
EXIT_INVALID: Final = 1
EXIT_UNDETERMINED: Final = 2
EXIT_EQUIVOCATION: Final = 3
EXIT_ALARM: Final = 4
EXIT_USAGE: Final = 64
EXIT_UNAVAILABLE: Final = 69
_TWO_TREES: Final = ("log.behind-chain", "log.fork")

LATEST_TIME: Final = 253402300800  # the year 10000
_PIPED_WIDTH: Final = 140
_EXIT_OF: Final = {Verdict.VALID: EXIT_DONE, Verdict.INVALID: EXIT_INVALID, Verdict.UNDETERMINED: EXIT_UNDETERMINED}
_MARKS: Final = {
    "valid": "[green]✔[/]",
    "invalid": "[red]✘[/]",
    "undetermined": "[yellow]?[/]",
    "not checked": "[dim]–[/]",
}


class _Console(Console):
    """Leaves a reader that is gone to ``main``: rich would exit with 1, which says "invalid"."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(*, to_stderr: bool = False) -> Console:
    """A console on the terminal; wide and without markup codes when piped."""
    stream = sys.stderr if to_stderr else sys.stdout
    return _Console(stderr=to_stderr, width=None if stream.isatty() else _PIPED_WIDTH, highlight=False)


def print_json(value: Mapping[str, JsonValue] | JsonValue) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def exit_code_of(error: LedgerError) -> int:
    """64 without a workspace, 3 if log and chain contradict each other, 69 if something could not be had, 1 else."""
    if error.code == "workspace.missing":
        return EXIT_USAGE
    if error.code in _TWO_TREES:
        return EXIT_EQUIVOCATION
    return EXIT_UNAVAILABLE if isinstance(error, UnavailableError) else EXIT_INVALID


def exit_code_of_report(report: VerificationReport) -> int:
    """0 valid, 1 invalid, 2 undetermined."""
    return _EXIT_OF[report.verdict]


def print_error(error: LedgerError, *, as_json: bool) -> None:
    """The error, for people on standard error, for programs on standard output."""
    if as_json:
        print_json({"error": {"code": error.code, "message": str(error), "message_zh": chinese(error.code)}})
        return
    out = console(to_stderr=True)
    out.print(Text.assemble(("✘ ", "red"), chinese(error.code), "  ", (f"[{error.code}]", "dim")))
    out.print(Text(f"  {error}"))


def time_text(seconds: int) -> str:
    """A time in UTC for people; what is beyond the calendar stays a number."""
    if seconds not in range(LATEST_TIME):
        return f"{seconds} s"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def report_table(report: VerificationReport) -> Table:
    """One row for each facet."""
    table = Table(box=None, padding=(0, 1), show_header=True, header_style="bold")
    for heading in ("", "检查项 facet", "结论 verdict", "说明 meaning", "代码 code"):
        table.add_column(heading, overflow="fold")
    for finding in report.findings:
        table.add_row(
            _MARKS[finding.verdict],
            facet_words(finding.facet),
            verdict_words(finding.verdict),
            Text(f"{chinese(finding.code)}{' · ' + finding.detail if finding.detail else ''}"),
            Text(finding.code),
        )
    return table


def _anchor_line(answer: AnchorAnswer) -> str:
    if answer.profile_id is None:
        return f"锚定 anchor              {verdict_words(answer.verdict)}   {chinese(answer.code)} [{answer.code}]"
    grade = " ".join(GRADES.get(str(answer.grade), (str(answer.grade), "")))
    block = "" if answer.block is None else f"   区块 block {answer.block}"
    return f"锚定 anchor              {verdict_words(answer.verdict)}   {answer.profile_id}{block}（{grade}）"


def print_report(report: VerificationReport, out: Console) -> None:
    """The whole report for people."""
    out.print(report_table(report))
    lines = [f"判定时间 as of            {time_text(report.as_of)}"]
    if report.material_id is not None:
        lines.insert(0, f"材料 material             {report.material_id}")
    if report.status_as_of is not None:
        lines.append(f"状态截至 status as of     {time_text(report.status_as_of)}")
    if report.anchored_at is not None:
        grade = " ".join(GRADES.get(str(report.grade), (str(report.grade), "")))
        lines.append(f"上链时间 anchored at      {time_text(report.anchored_at)}（{grade}）")
    if len(report.anchors) > 1 or any(each.code == "anchor.as-answered" for each in report.anchors):
        lines.extend(_anchor_line(each) for each in report.anchors)
    if report.timestamped_at is not None:
        lines.append(f"时间戳 time-stamped at    {time_text(report.timestamped_at)}")
    if report.trust_stale:
        lines.append("信任文件应已更新，请取得新的 · a newer trust file should exist by now")
    out.print(Text("\n".join(f"  {line}" for line in lines)))
    out.print(f"{_MARKS[report.verdict]} [bold]总体结论 overall: {verdict_words(report.verdict)}[/]")
