"""``init`` and ``migrate``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.options import JsonOption, WorkspaceOption, open_workspace, usage_error
from api.cli.output import console, print_json
from api.keys.organisation_keys import KeyProfile, KeyTerms
from api.keys.passphrases import ask_twice
from api.migrate import migrate
from api.organisations import Organisation
from api.settings import FILE_NAME, ChainSettings, HsmSettings, load_settings
from api.setup import NewWorkspace, create_workspace
from materials.catalogue import load_catalogue
from materials.trust.model import Level

SAMPLE_USCC: Final = "11310110MB9F000199"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command("migrate")(migrate_command)


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
    gas_price: Annotated[
        int, typer.Option(min=0, help="燃料价格（wei），免费链为 0 · gas price, 0 where gas is free")
    ] = 0,
    answers: Annotated[
        int | None,
        typer.Option(min=1, help="FISCO BCOS：须一致的节点数 · how many nodes must answer alike (FISCO BCOS)"),
    ] = None,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="不签封的开发节点（anvil） · a development node that seals nothing")
    ] = False,
    hsm_module: Annotated[
        Path | None, typer.Option(help="PKCS#11 库：签名密钥建在 HSM 中 · PKCS#11 library: make the keys in its token")
    ] = None,
    hsm_token: Annotated[str | None, typer.Option(help="HSM 令牌的标签 · label of the token")] = None,
    hsm_pin_file: Annotated[
        Path | None,
        typer.Option(help="存放 HSM 口令的文件（默认：环境变量或提示输入） · file of the PIN (default: ask)"),
    ] = None,
    ask_passphrase: Annotated[
        bool,
        typer.Option("--ask-passphrase", help="提示输入新口令，不写入文件 · ask for a new passphrase, keep it nowhere"),
    ] = False,
    profile: Annotated[
        KeyProfile, typer.Option(help="密钥体系：国际、国密或双签 · family of the operator's keys")
    ] = "INTL",
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
        keys=KeyTerms(profile),
    )
    chain = _chain(tuple(rpc or ()), gas_price=gas_price, answers=answers, unsealed=unsealed)
    hsm = _hsm(hsm_module, hsm_token, hsm_pin_file)
    asks = ask_passphrase and not (directory / FILE_NAME).exists()
    passphrase = ask_twice("新口令 · new passphrase of the key files: ") if asks else None
    created = create_workspace(directory, NewWorkspace(organisation, origin, chain, database, hsm, passphrase))
    settings = load_settings(directory)
    if as_json:
        print_json({"workspace": str(directory), "created": created, "issuer": settings.operator})
        return
    out = console()
    state = "已建立 created" if created else "已存在，未改动 exists already, nothing changed"
    out.print(f"工作区 workspace   {directory}（{state}）")
    out.print(f"颁发机构 issuer    {settings.operator}")
    out.print(f"日志 log origin    {settings.origin}")
    out.print(f"下一步 next        ematerials register FILE --type … --issuer … --fields FILE.json -w {directory}")


def _chain(urls: tuple[str, ...], *, gas_price: int, answers: int | None, unsealed: bool) -> ChainSettings:
    if urls:
        return ChainSettings(kind="rpc", urls=urls, gas_price=gas_price, answers=answers, unsealed=unsealed)
    if gas_price or answers is not None or unsealed:
        raise usage_error("--gas-price、--answers、--unsealed 须与 --rpc 同用 · these go with --rpc")
    return ChainSettings()


def _hsm(module: Path | None, token: str | None, pin_file: Path | None) -> HsmSettings | None:
    """A relative path counts from here, not from the workspace; a library's bare name is left to the system to find."""
    if module is None and token is None and pin_file is None:
        return None
    if module is None or token is None:
        raise usage_error("--hsm-module 与 --hsm-token 须一同给出 · both are needed, or neither")
    library = module.absolute() if module.exists() else module
    pin = None if pin_file is None else str(pin_file.absolute())
    return HsmSettings(module=str(library), token=token, pin_file=pin)


def migrate_command(workspace: WorkspaceOption = None) -> None:
    """升级后更新数据库结构；已是最新则不变。 · Bring the database to this version's schema; repeatable."""
    with open_workspace(workspace) as opened:
        migrate(opened.database.engine)
    console().print("数据库结构已是最新 · the database has this version's schema")
