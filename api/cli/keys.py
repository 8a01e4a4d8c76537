"""``key``: the keys that the workspace holds: list, show, make, import, export, rotate, revoke."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from api import clock, names
from api.cli import key_changes
from api.cli.options import (
    JsonOption,
    WorkspaceOption,
    check_output,
    open_workspace,
    read_at_most,
    usage_error,
    write_output,
)
from api.cli.output import console, print_json, time_text
from api.keys.key_lines import held_name
from api.keys.key_views import KeyView, Listing, view_key, view_keys
from api.keys.keyring import KeyFacts
from api.keys.new_keys import import_key, new_key, open_private_key
from signing import Algorithm, JsonValue, NoteKey, Secret
from signing.forms.key_forms import KEY_FORM_MAX_BYTES, export_public_key
from signing.notes.note_key import ED25519

_key = typer.Typer(help="密钥：列出、生成、导入、导出、轮换、撤销 · keys", no_args_is_help=True)
_STATES: Final = {
    "current": "有效",
    "planned": "尚未启用",
    "expired": "已到期",
    "superseded": "已轮换",
    "compromised": "已泄露",
    "unspecified": "已撤销",
}

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="密钥名称或编号（以 - 开头的编号放在 -- 之后） · name or key id, see 'key list'"
    ),
]
HsmOption = Annotated[
    bool | None, typer.Option("--hsm/--no-hsm", help="存于 HSM 或文件（默认） · in the HSM, or in a file (default)")
]
AlgorithmOption = Annotated[
    Algorithm | None, typer.Option(help="算法（默认 Ed25519，签发用 ES256） · algorithm", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    key_changes.add_to(_key)
    app.add_typer(_key, name="key")


@_key.command("list")
def list_keys(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """列出本工作区持有的密钥及其在信任列表中的状态。 · List the keys held here, and how the trust list sees them."""
    now = clock.now()
    with open_workspace(workspace) as opened:
        views = view_keys(opened, now)
    if as_json:
        print_json([view.to_json(now) for view in views])
        return
    out = console()
    for view in views:
        facts = view.facts
        out.print(f"{facts.name}   {facts.kind}   {_where(view)}   {view.id}", markup=False, soft_wrap=True)
        for listing in view.listings:
            out.print(f"    {listing.entity}   {_line(listing, now)}", markup=False, soft_wrap=True)


def _where(view: KeyView) -> str:
    return "文件 file" if view.facts.label is None else f"HSM {view.facts.label}"


def _line(listing: Listing, now: int) -> str:
    state = listing.state(now)
    words = f"{listing.role}  {_STATES[state]} {state}"
    key = listing.key
    if key is None:
        return words
    ended = f"  自 from {time_text(key.revoked.at)}" if key.revoked is not None else ""
    return f"{words}{ended}  ({time_text(key.nbf)} – {time_text(key.exp)})"


@_key.command("show")
def show(name: Name, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """显示一把密钥的全部公开信息。 · Show all public facts of a key."""
    now = clock.now()
    with open_workspace(workspace) as opened:
        view = view_key(opened, held_name(opened.keyring, name), now)
    public = view.facts.public_key
    if as_json:
        vkeys: list[JsonValue] = [vkey.format() for vkey in view.vkeys]
        print_json(view.to_json(now) | {"jwk": None if public is None else public.to_jwk(), "vkeys": vkeys})
        return
    out = console()
    out.print(f"名称 name        {view.facts.name}", markup=False)
    out.print(f"算法 algorithm   {view.facts.kind}", markup=False)
    out.print(f"编号 key id      {view.id or '–'}", markup=False)
    out.print(f"所在 where       {_where(view)}", markup=False)
    for vkey in view.vkeys:
        out.print(f"{_vkey_words(vkey)}  {vkey.format()}", markup=False, soft_wrap=True)
    if public is not None:
        out.print(export_public_key(public, form="jwk").decode().strip(), markup=False, soft_wrap=True)
    for listing in view.listings:
        out.print(f"信任列表 trust list   {listing.entity}  {_line(listing, now)}", markup=False, soft_wrap=True)


def _vkey_words(vkey: NoteKey) -> str:
    return "日志 log vkey    " if vkey.type == ED25519 else f"类型 type 0x{vkey.type:02x}  "


@_key.command("new")
def new(
    name: Annotated[str, typer.Argument(help="密钥名称，如 owner，或 uscc:代码.用途 · the key's name")],
    algorithm: AlgorithmOption = None,
    hsm: HsmOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """为持有人、代办人或机构生成密钥；已有则沿用。 · Make a key; one that exists is kept."""
    with open_workspace(workspace) as opened:
        facts, is_new = new_key(opened, name, algorithm, in_hsm=hsm)
    _print_key(facts, is_new=is_new, as_json=as_json)


@_key.command("import")
def import_command(
    name: Annotated[str, typer.Argument(help="密钥名称 · the key's name")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="私钥文件：PEM、DER 或 JWK · private key")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="存放其口令的文件（默认：提示输入） · file of its passphrase"),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """导入在别处生成的私钥，加密保存。 · Keep a private key that was made elsewhere, encrypted."""
    signer = open_private_key(Secret(read_at_most(file, KEY_FORM_MAX_BYTES)), passphrase_file)
    with open_workspace(workspace) as opened:
        facts, is_new = import_key(opened, name, signer)
    _print_key(facts, is_new=is_new, as_json=as_json)


def _print_key(facts: KeyFacts, *, is_new: bool, as_json: bool) -> None:
    public = facts.public_key
    key_id = "" if public is None else public.key_id
    if as_json:
        jwk = None if public is None else public.to_jwk()
        print_json({"name": facts.name, "new": is_new, "algorithm": facts.kind, "key_id": key_id, "jwk": jwk})
        return
    state = "已生成 new" if is_new else "此前已有，沿用 exists already, kept"
    console().print(f"密钥 key   {facts.name}   {facts.kind}   {key_id}   {state}", markup=False, soft_wrap=True)


@_key.command("export-public")
def export_public(
    name: Name,
    form: Annotated[
        Literal["pem", "jwk", "vkey"],
        typer.Option("--format", help="格式；vkey 仅限日志密钥 · form; vkey: log key only"),
    ] = "pem",
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="写入文件（默认：标准输出） · file (default: standard output)")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """导出公钥。 · Export a public key."""
    if output is not None:
        check_output(output)
    with open_workspace(workspace) as opened:
        held = held_name(opened.keyring, name)
        if form == "vkey" and held != names.LOG_KEY:
            raise usage_error("只有日志密钥有 vkey · only the log's key has a vkey")
        public = opened.keyring.public_key(held)
        data = f"{opened.log_key.format()}\n".encode() if form == "vkey" else export_public_key(public, form=form)
    if output is not None:
        write_output(output, data)
    if as_json:
        where = None if output is None else str(output)
        print_json({"name": held, "key_id": public.key_id, "file": where, "public_key": data.decode()})
    elif output is None:
        typer.echo(data.decode(), nl=False)
    else:
        console().print(f"公钥 public key   {held}   {public.key_id}   {output}", markup=False, soft_wrap=True)
