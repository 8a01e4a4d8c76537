"""``trust history`` and ``trust update``: how a verifier follows the trust lists of a home to a new list key."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, check_output, open_workspace, read_at_most, write_output
from api.cli.output import console, print_json
from api.trust_lists import trust_history
from materials.trust.lists import (
    MAX_TRUST_FILE_BYTES,
    TrustFile,
    format_trust_file,
    parse_trust_file,
    parse_trust_list,
    verify_trust_list,
)
from materials.trust.rollover import MAX_HISTORY_BYTES, HeldList, follow_lists, format_history, parse_history


def add_to(trust: typer.Typer) -> None:
    """Add the commands of this module to the group ``trust``."""
    trust.command("history")(history)
    trust.command("update")(update)


def history(
    output: Annotated[Path, typer.Option("--output", "-o", help="信任列表沿革文件 · the file")],
    since: Annotated[int, typer.Option(min=1, help="从第几号列表起 · from which list on")] = 1,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """导出历次信任列表，供核验方逐一跟随到新的列表密钥。 · Write all trust lists, for verifiers to follow."""
    check_output(output)
    with open_workspace(workspace) as opened:
        texts = trust_history(opened, since, clock.now())
    write_output(output, format_history(texts))
    if as_json:
        print_json({"file": str(output), "lists": len(texts)})
        return
    console().print(f"信任列表 trust lists   {len(texts)}   {output}", markup=False, soft_wrap=True)


def update(
    trust: Annotated[
        Path, typer.Argument(metavar="TRUST", exists=True, dir_okay=False, help="持有的信任文件 · the file held")
    ],
    lists: Annotated[
        Path, typer.Argument(metavar="HISTORY", exists=True, dir_okay=False, help="信任列表沿革 · see 'trust history'")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="新的信任文件 · the new trust file")],
    as_json: JsonOption = False,
) -> None:
    """从持有的信任文件逐一核验到最新列表，写出新的信任文件。 · Follow the lists from the one held to the newest."""
    check_output(output)
    file = parse_trust_file(read_at_most(trust, MAX_TRUST_FILE_BYTES))
    texts = parse_history(read_at_most(lists, MAX_HISTORY_BYTES))
    verified = verify_trust_list(file.trust_list, file.list_key, parse_trust_list(file.trust_list).iat)
    newest = follow_lists(HeldList(verified, file.list_key), texts, now=clock.now())
    write_output(output, format_trust_file(TrustFile(newest.key, newest.verified.text)))
    before, after = file.list_key.key_id, newest.key.key_id
    if as_json:
        print_json(
            {
                "trust_file": str(output),
                "seq": newest.verified.list.seq,
                "list_key": after,
                "list_key_before": before,
            }
        )
        return
    out = console()
    out.print(f"信任文件 trust file       {output}   第 {newest.verified.list.seq} 号 list", markup=False)
    out.print(f"列表公钥指纹 list key     {after}", markup=False)
    if after != before:
        out.print(f"此前的指纹 before         {before}", markup=False)
