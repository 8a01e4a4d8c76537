"""``log``: the logs of this home. What proves, and ``log audit``, have modules of their own."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from api.cli import auditing, log_proofs
from api.cli.log_proofs import Origin, head_json
from api.cli.options import JsonOption, WorkspaceOption, open_workspace, read_at_most, usage_error
from api.cli.output import console, print_json
from api.keys.new_keys import open_private_key
from api.log_reading import publish
from api.logs import HeldLog, NewLog, append_entries, create_log, find_log, freeze_log, held_logs
from ledger import ENTRY_MAX_BYTES
from ledger.export import export_log
from ledger.reading import LogReader
from signing import JsonValue, Secret
from signing.forms.key_forms import KEY_FORM_MAX_BYTES

_log = typer.Typer(help="透明日志 · transparency logs", no_args_is_help=True)
_FROZEN: Final = "已冻结 frozen"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    log_proofs.add_to(_log)
    auditing.add_to(_log)
    app.add_typer(_log, name="log")


@_log.command("create")
def create(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="新日志的名称（origin） · name of the new log")],
    entry_limit: Annotated[
        int, typer.Option(min=1, max=ENTRY_MAX_BYTES, help="每条的最大字节数 · largest entry in bytes")
    ] = ENTRY_MAX_BYTES,
    policy_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="首条内容（默认：简要说明） · entry 0, from a file")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="已有私钥文件（默认：新生成） · private key (default: a new one)"
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="存放其口令的文件（默认：提示输入） · file of its passphrase"),
    ] = None,
    hsm: Annotated[
        bool, typer.Option("--hsm/--no-hsm", help="新密钥存于 HSM 或文件 · make the key in the HSM, or in a file")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """在同一数据库中建立另一个日志，自有密钥与限制；可重复。 · Create a further log with its own key; repeatable."""
    if key is not None and hsm:
        raise usage_error("--key 与 --hsm 不可并用 · give --key or --hsm, not both")
    signer = None if key is None else open_private_key(Secret(read_at_most(key, KEY_FORM_MAX_BYTES)), passphrase_file)
    entry = None if policy_file is None else read_at_most(policy_file, ENTRY_MAX_BYTES)
    with open_workspace(workspace) as opened:
        _print_log(create_log(opened, NewLog(origin, entry_limit, entry, signer, hsm)), as_json=as_json)


@_log.command("list")
def list_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """列出数据库中的全部日志。 · List the logs in the database."""
    with open_workspace(workspace) as opened, opened.database.read() as connection:
        logs = held_logs(opened, connection)
    if as_json:
        print_json([_log_json(each) for each in logs])
        return
    for each in logs:
        key_id = "–" if each.key is None else each.key.key_id.hex()
        marks = [word for word, is_so in (("本馆 own", each.is_own), (_FROZEN, each.terms.frozen)) if is_so]
        parts = (f"大小 size {each.size}", f"密钥 key {key_id}", f"每条上限 limit {each.terms.entry_limit}", *marks)
        console().print(Text("   ".join((each.terms.origin, *parts))), soft_wrap=True)


@_log.command("show")
def show(origin: Origin, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """显示一个日志：公钥、限制与最新检查点。 · Show a log: key, limit and its latest checkpoint."""
    with open_workspace(workspace) as opened:
        found = find_log(opened, origin)
        with opened.database.read() as connection:
            note = LogReader(connection, origin).checkpoint()
    _print_log(found, as_json=as_json, note=note)


@_log.command("freeze")
def freeze(
    origin: Origin,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · do not ask")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """冻结日志：不再接收条目，仍可证明已有内容；不可恢复。 · Let a log take no more entries, for ever."""
    with open_workspace(workspace) as opened:
        find_log(opened, origin)
        if not yes:
            typer.confirm(f"{origin}: 冻结后不可恢复，继续？ · this can't be undone. Go on?", abort=True, err=True)
        head = freeze_log(opened, origin)
    if as_json:
        print_json({**head_json(head), "frozen": True})
        return
    console().print(Text(f"日志 log   {origin}   {_FROZEN}   大小 size {head.size}"), soft_wrap=True)


@_log.command("append")
def append(
    origin: Origin,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="条目，一个文件一条 · entries")
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """向另设的日志追加条目；已有的沿用原位置。 · Append opaque entries to a further log; repeatable."""
    entries = [read_at_most(path, ENTRY_MAX_BYTES) for path in files]
    with open_workspace(workspace) as opened:
        appended = append_entries(opened, origin, entries)
    found = list(zip(files, appended.indices, appended.leaves, appended.duplicates, strict=True))
    if as_json:
        placed: list[JsonValue] = [
            {"file": str(path), "index": index, "leaf_hash": leaf.hex(), "new": not repeated}
            for path, index, leaf, repeated in found
        ]
        print_json(
            {**head_json(appended.checkpoint), "entries": placed, "checkpoint": appended.checkpoint_note.decode()}
        )
        return
    for path, index, leaf, repeated in found:
        state = "此前已有 there already" if repeated else "新增 new"
        console().print(Text(f"{index}   {leaf.hex()}   {state}   {path}"), soft_wrap=True)
    typer.echo(appended.checkpoint_note.decode(), nl=False)


@_log.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="导出目录 · the folder to write")],
    origin: Annotated[
        str | None,
        typer.Option(metavar="ORIGIN", help="要导出的日志（默认：本馆的） · which log (default: the home's)"),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """把日志导出为静态 tlog-tiles 文件；可重复。 · Write the log as static tlog-tiles; repeatable, incremental."""
    with open_workspace(workspace) as opened:
        name = opened.settings.origin if origin is None else find_log(opened, origin).terms.origin
        with opened.database.read() as connection:
            exported = export_log(LogReader(connection, name), directory, publish(opened, connection, name))
    checkpoint = exported.checkpoint
    if as_json:
        print_json({"origin": checkpoint.origin, "size": checkpoint.size, "files_written": exported.files_written})
        return
    console().print(
        f"日志 log   {checkpoint.origin}   大小 size {checkpoint.size}   新写 files written {exported.files_written}"
    )


@_log.command("key")
def key(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """输出本馆日志的验证公钥（vkey）。 · Print the verifier key (vkey) of the home's own log."""
    with open_workspace(workspace) as opened:
        log_key = opened.log_key
    if as_json:
        print_json({"origin": log_key.name, "key_id": log_key.key_id.hex(), "vkey": log_key.format()})
        return
    typer.echo(log_key.format())


def _print_log(held: HeldLog, *, as_json: bool, note: bytes | None = None) -> None:
    if as_json:
        print_json(_log_json(held) | ({} if note is None else {"checkpoint": note.decode()}))
        return
    terms, out = held.terms, console()
    state = f"   {_FROZEN}" if terms.frozen else ""
    out.print(Text(f"日志 log         {terms.origin}{state}"), soft_wrap=True)
    out.print(Text(f"大小 size        {held.size}"))
    out.print(Text(f"每条上限 limit   {terms.entry_limit}"))
    out.print(Text(f"公钥 vkey        {'–' if held.key is None else held.key.format()}"), soft_wrap=True)
    if note is not None:
        typer.echo("\n" + note.decode(), nl=False)


def _log_json(held: HeldLog) -> dict[str, JsonValue]:
    terms, key = held.terms, held.key
    return {
        "origin": terms.origin,
        "number": terms.number,
        "own": held.is_own,
        "key_id": None if key is None else key.key_id.hex(),
        "vkey": None if key is None else key.format(),
        "size": held.size,
        "entry_limit": terms.entry_limit,
        "frozen": terms.frozen,
    }
