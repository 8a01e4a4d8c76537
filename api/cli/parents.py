"""``parent`` and ``children``: ledgers above and below this home's."""

import typer
from rich.text import Text

from api.children import logged_children
from api.cli.options import JsonOption, WorkspaceOption, open_workspace
from api.cli.output import EXIT_DONE, EXIT_UNDETERMINED, console, print_json
from api.parenting import Submitted, parent_settings, parent_state, submit_checkpoint
from ledger.child_store import LoggedChild
from signing import JsonValue

_parent = typer.Typer(help="上级账本 · the parent ledger of this home", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_parent, name="parent")
    app.command("children")(children)


@_parent.command("submit")
def submit(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """把最新检查点送入上级日志并取回凭证。 · Bring the newest checkpoint into the parent's log; fetch its evidence."""
    with open_workspace(workspace) as opened:
        _print(submit_checkpoint(opened), as_json=as_json)


@_parent.command("status")
def status(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """已知上级收入与上链到何处。 · How far the parent holds and has anchored this log, as far as is known here."""
    with open_workspace(workspace) as opened:
        parent_settings(opened)
        _print(parent_state(opened), as_json=as_json)


def children(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """下级账本及最近收入的检查点。 · The child ledgers, and what was taken last of each."""
    with open_workspace(workspace) as opened:
        held = logged_children(opened)
    if as_json:
        print_json({"children": [_child_json(each) for each in held]})
        return
    if not held:
        console().print("尚未收入任何下级检查点 · no checkpoint of a child was taken yet")
    for each in held:
        size = each.checkpoint.size
        console().print(Text(f"{each.checkpoint.origin}   大小 size {size}   条目 entry {each.index}"))


def _child_json(child: LoggedChild) -> JsonValue:
    return {"origin": child.checkpoint.origin, "size": child.checkpoint.size, "index": child.index}


def _print(state: Submitted, *, as_json: bool) -> None:
    if as_json:
        print_json({"size": state.size, "anchored_size": state.anchored_size})
    else:
        line = f"上级已收入 held {state.size}   已上链 anchored {state.anchored_size}"
        console().print(Text(line))
    raise typer.Exit(EXIT_DONE if state.anchored_size == state.size else EXIT_UNDETERMINED)
