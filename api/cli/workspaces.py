"""``init`` and ``trust export``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api import clock, names
from api.cli.options import JsonOption, WorkspaceOption, check_output, open_workspace, write_output
from api.cli.output import console, print_json
from api.migrate import migrate
from api.organisations import Organisation
from api.settings import ChainSettings
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.catalogue import load_catalogue
from materials.trust.model import Level

SAMPLE_USCC: Final = "11310110MB9F000199"
_trust = typer.Typer(help="信任文件 · the trust file", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command("migrate")(migrate_command)
    app.add_typer(_trust, name="trust")


def init(
    directory: Annotated[Path, typer.Argument(help="新工作区的目录 · folder of the new workspace")],
    operator: Annotated[
        str, typer.Option(help="运营机构的统一社会信用代码（默认为虚构） · USCC of the operator (default: synthetic)")
    ] = SAMPLE_USCC,
    name: Annotated[str, typer.Option(help="运营机构中文名称 · its Chinese name")] = "样例区数据局（虚构）",
    name_en: Annotated[
        str, typer.Option(help="运营机构英文名称 · its English name")
    ] = "Sample District Data Bureau (synthetic)",
    region: Annotated[str, typer.Option(help="行政区划代码（6 位） · region code, GB/T 2260")] = "310110",
    level: Annotated[Level, typer.Option(help="层级 · level")] = "district",
    origin: Annotated[
        str, typer.Option(help="日志名称：不含协议的 URL · the log's origin: a URL without scheme")
    ] = "ematerials.example/yangpu",
    database: Annotated[
        str | None, typer.Option(help="数据库 URL（默认 SQLite） · database URL (default: SQLite)", show_default=False)
    ] = None,
    rpc: Annotated[
        list[str] | None,
        typer.Option(help="链节点的 JSON-RPC 地址（默认内置开发链） · node URL (default: embedded chain)"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """建立工作区：密钥、数据库、开发链与合约、信任列表。 · Make a workspace: keys, database, chain, trust list."""
    organisation = Organisation(
        uscc=operator,
        name_zh=name,
        name_en=name_en,
        level=level,
        region=region,
        types=tuple(material_type.code for material_type in load_catalogue().types),
        bases=("holder", "function", "entrust"),
    )
    chain = ChainSettings(kind="rpc", urls=tuple(rpc)) if rpc else ChainSettings()
    created = create_workspace(directory, NewWorkspace(organisation, origin, chain, database))
    with Workspace.open(directory) as workspace:
        settings = workspace.settings
    if as_json:
        print_json({"workspace": str(directory), "created": created, "issuer": settings.operator})
        return
    out = console()
    state = "已建立 created" if created else "已存在，未改动 exists already, nothing changed"
    out.print(f"工作区 workspace   {directory}（{state}）")
    out.print(f"颁发机构 issuer    {settings.operator}")
    out.print(f"日志 log origin    {settings.origin}")
    out.print(f"下一步 next        ematerials register FILE --type … --issuer … --fields FILE.json -w {directory}")


def migrate_command(workspace: WorkspaceOption = None) -> None:
    """升级后更新数据库结构；已是最新则不变。 · Bring the database to this version's schema; repeatable."""
    with open_workspace(workspace) as opened:
        migrate(opened.database.engine)
    console().print("数据库结构已是最新 · the database has this version's schema")


@_trust.command("export")
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="写入文件（默认：标准输出） · file (default: standard output)")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """导出信任文件，交给核验方。 · Export the trust file that verifiers need; confirm its list key by other means."""
    if output is not None:
        check_output(output)
    with open_workspace(workspace) as opened:
        data = export_trust(opened, clock.now())
        list_key = opened.keyring.signer(names.LIST_KEY).public_key.key_id
    if output is None:
        typer.echo(data.decode("utf-8"))
        return
    write_output(output, data)
    if as_json:
        print_json({"trust_file": str(output), "list_key": list_key})
        return
    out = console()
    out.print(f"信任文件 trust file       {output}")
    out.print(f"列表公钥指纹 list key     {list_key}", markup=False)
    out.print("请经另一渠道核对该指纹 · let the receiver compare this fingerprint over another channel")
