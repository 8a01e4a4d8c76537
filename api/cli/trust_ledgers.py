"""``trust add-ledger``, ``list-ledgers``, ``remove-ledger``: ledgers of others in this home's trust list."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, open_workspace, read_at_most
from api.cli.output import console, print_json
from api.ledgers_of_others import add_ledgers, other_logs, remove_ledger
from materials.trust.lists import MAX_TRUST_FILE_BYTES, parse_trust_file
from materials.trust.model import TrustedLog
from materials.verification import open_trust
from signing import VerificationError


def add_to(trust: typer.Typer) -> None:
    """Add the commands of this module."""
    trust.command("add-ledger")(add)
    trust.command("list-ledgers")(show)
    trust.command("remove-ledger")(remove)


def add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="对方的信任文件 · the other trust file")
    ],
    list_key: Annotated[
        str,
        typer.Option(help="列表公钥指纹，须经另一渠道核对 · its list key's fingerprint, told over another channel"),
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """列入另一账本的日志与链（例如上级账本）。 · List the logs and chains of another ledger, such as the parent's."""
    now, data = clock.now(), read_at_most(file, MAX_TRUST_FILE_BYTES)
    if parse_trust_file(data).list_key.key_id != list_key:
        raise VerificationError("trust.list-key", "the trust file has another list key")
    with open_workspace(workspace) as opened:
        _print(add_ledgers(opened, open_trust(data, now), now), as_json=as_json)


def show(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """列出信任列表中他人的日志。 · The logs of others in the trust list."""
    with open_workspace(workspace) as opened:
        _print(other_logs(opened, clock.now()), as_json=as_json)


def remove(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="日志名称 · the log's origin")],
    workspace: WorkspaceOption = None,
) -> None:
    """移除另一账本的日志及其链。 · Remove another ledger's log, and the chains under its name."""
    with open_workspace(workspace) as opened:
        remove_ledger(opened, origin, clock.now())
    console().print(Text(f"已移除 removed   {origin}"), soft_wrap=True)


def _print(logs: tuple[TrustedLog, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"logs": [{"origin": log.origin, "vkey": log.key.format()} for log in logs]})
        return
    if not logs:
        console().print("信任列表中没有他人的日志 · the trust list names no log of others")
    for log in logs:
        console().print(Text(log.key.format()), soft_wrap=True)
