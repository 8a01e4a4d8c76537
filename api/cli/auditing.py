"""``log audit``: watch somebody's log from outside."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from api.auditing import FolderLog, HttpLog, audit
from api.auditing import Progress as Report
from api.cli.options import JsonOption, usage_error
from api.cli.output import EXIT_DONE, EXIT_EQUIVOCATION, EXIT_INVALID, EXIT_UNDETERMINED, console, print_json
from api.wording import chinese
from ledger.audit import Audited
from ledger.log_source import LogSource
from signing import JsonValue, NoteKey, b64_encode


def add_to(group: typer.Typer) -> None:
    """Add the command of this module to ``log``."""
    group.command("audit")(audit_command)


def audit_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="日志的 URL 前缀，或导出目录 · the log's URL, or a folder")],
    log_key: Annotated[str, typer.Option(help="日志的验证公钥（vkey） · the log's verifier key (vkey)")],
    state: Annotated[
        Path | None, typer.Option(dir_okay=False, help="状态文件，记住所见 · file that remembers what was seen")
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="从头重查所有条目 · read all entries again")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="每个文件的时限（秒） · seconds that a file may take")] = 60,
    as_json: JsonOption = False,
) -> None:
    """独立审计远程日志：签名、一致性、每个瓦片与条目。 · Audit a log from outside, as an independent monitor."""
    key = NoteKey.parse(log_key)
    with ExitStack() as stack:
        source: LogSource
        if url.startswith(("http://", "https://")):
            source = stack.enter_context(HttpLog(url, timeout=timeout))
        elif Path(url).is_dir():
            source = FolderLog(Path(url))
        else:
            raise usage_error("需要 http(s) URL 或目录 · an http(s) URL or a folder is needed")
        report = stack.enter_context(progress_bar("条目 entries"))
        audited = audit(source, key, state=state, from_start=from_start, progress=report)
    if as_json:
        print_json(_to_json(audited))
    else:
        _print(audited, console(), remembered=state is not None)
    raise typer.Exit(_exit_code(audited))


class _RateColumn(ProgressColumn):
    """How many in a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


@contextmanager
def progress_bar(what: str) -> Iterator[Report]:
    """A bar on standard error if that is a terminal; yields what hears of the progress."""
    out = console(to_stderr=True)
    if not out.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _exit_code(audited: Audited) -> int:
    if audited.memory.contradictions:
        return EXIT_EQUIVOCATION
    if any(not finding.undetermined for finding in audited.findings):
        return EXIT_INVALID
    return EXIT_UNDETERMINED if audited.findings else EXIT_DONE


def _to_json(audited: Audited) -> dict[str, JsonValue]:
    return {
        "origin": audited.served.origin,
        "size": audited.served.size,
        "root": b64_encode(audited.served.root),
        "known_size": None if audited.known is None else audited.known.size,
        "checked": audited.memory.checked,
        "clean": not audited.findings and not audited.memory.contradictions,
        "findings": [
            {
                "code": finding.code,
                "path": finding.path,
                "message": finding.message,
                "undetermined": finding.undetermined,
            }
            for finding in audited.findings
        ],
        "contradictions": [
            {"known": each.known.decode(), "served": each.served.decode()} for each in audited.memory.contradictions
        ],
    }


def _print(audited: Audited, out: Console, *, remembered: bool) -> None:
    served, known, memory = audited.served, audited.known, audited.memory
    out.print(Text(f"日志 log   {served.origin}   大小 size {served.size}   根 root {b64_encode(served.root)}"))
    if known is not None:
        out.print(f"上次所见 seen before   {known.size}")
    elif not remembered:
        out.print("没有状态文件，无从比对上次所见 · without --state nothing was compared with an earlier checkpoint")
    for finding in audited.findings:
        mark = "?" if finding.undetermined else "✘"
        out.print(Text(f"{mark} {chinese(finding.code)}  {finding.path}: {finding.message}  [{finding.code}]"))
    for each in memory.contradictions:
        out.print(Text("✘ 分叉的证据：日志签署的两份相互矛盾的检查点 · proof that the log equivocated: it signed both"))
        out.print(Text(f"{each.known.decode()}\n{each.served.decode()}"))
    if not audited.findings and not memory.contradictions:
        out.print(f"✔ 全部一致 · all is consistent   已核 entries checked {memory.checked}")
