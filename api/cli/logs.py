"""``log export`` and ``log key``; ``log audit`` has its own module."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import auditing
from api.cli.options import JsonOption, WorkspaceOption, open_workspace
from api.cli.output import console, print_json
from ledger.export import export_log

_log = typer.Typer(help="透明日志 · the transparency log", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    auditing.add_to(_log)
    app.add_typer(_log, name="log")


@_log.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="导出目录 · the folder to write")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """把日志导出为静态 tlog-tiles 文件；可重复。 · Write the log as static tlog-tiles; repeatable, incremental."""
    with open_workspace(workspace) as opened, opened.database.read() as connection:
        exported = export_log(opened.log(connection), directory)
    checkpoint = exported.checkpoint
    if as_json:
        print_json({"origin": checkpoint.origin, "size": checkpoint.size, "files_written": exported.files_written})
        return
    console().print(
        f"日志 log   {checkpoint.origin}   大小 size {checkpoint.size}   新写 files written {exported.files_written}"
    )


@_log.command("key")
def key(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """输出日志的验证公钥（vkey）。 · Print the log's verifier key (vkey)."""
    with open_workspace(workspace) as opened:
        log_key = opened.log_key
    if as_json:
        print_json({"origin": log_key.name, "key_id": log_key.key_id.hex(), "vkey": log_key.format()})
        return
    typer.echo(log_key.format())
