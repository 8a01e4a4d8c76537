"""``org add|list`` and ``key new``: who is in the trust list, and keys for parties outside it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, open_workspace, usage_error
from api.cli.output import console, print_json
from api.organisations import KEPT_ROLES, Organisation, add_organisation
from api.trust_lists import current_trust, renew_trust
from materials.catalogue import Catalogue
from materials.trust.model import Level, Purpose, Role
from signing import PublicKey, parse_json

_org = typer.Typer(help="信任列表中的机构 · organisations of the trust list", no_args_is_help=True)
_key = typer.Typer(help="持有人与代办人的密钥 · keys of holders and agents", no_args_is_help=True)

_MAX_JWK_BYTES: Final = 4096


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_org, name="org")
    app.add_typer(_key, name="key")


@_org.command("add")
def add(
    uscc: Annotated[str, typer.Argument(help="统一社会信用代码 · USCC")],
    name: Annotated[str, typer.Option(help="中文名称 · Chinese name")],
    region: Annotated[str, typer.Option(help="行政区划代码 · region code")],
    name_en: Annotated[str, typer.Option(help="英文名称 · English name")] = "",
    level: Annotated[Level, typer.Option(help="层级 · level")] = "district",
    issues: Annotated[list[str] | None, typer.Option(help="可颁发的材料类型 · a material type it may issue")] = None,
    purpose: Annotated[
        list[str] | None,
        typer.Option(help="登记的用途：代码:法律依据:类型:字段,字段 · purpose as code:ground:type:field,field"),
    ] = None,
    own_key: Annotated[
        list[str] | None,
        typer.Option(help="机构自持密钥的公钥：用途=JWK 文件 · a public key of its own, as role=JWK file"),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """登记机构并生成其密钥，发布新的信任列表。 · List an organisation, make its keys, publish a new trust list."""
    own = tuple(_own_key(text) for text in own_key or ())
    with open_workspace(workspace) as opened:
        organisation = Organisation(
            uscc=uscc,
            name_zh=name,
            name_en=name_en or name,
            level=level,
            region=region,
            types=tuple(issues or ()),
            purposes=tuple(_purpose(opened.catalogue, text) for text in purpose or ()),
            roles=KEPT_ROLES if issues else ("grant", "api"),
            own_keys=own,
        )
        renew_trust(opened, clock.now())
        entity = add_organisation(opened, organisation, clock.now())
    if as_json:
        print_json({"id": entity.id, "keys": {key.role: key.key_id for key in entity.keys}})
        return
    console().print(f"机构 organisation   {entity.id}（{name}）")


def _own_key(text: str) -> tuple[Role, PublicKey]:
    name, equals, path = text.partition("=")
    role = next((known for known in KEPT_ROLES if known == name), None)
    if role is None or not equals:
        raise usage_error(f"须写作 用途=文件 · role=file is needed; roles: {', '.join(KEPT_ROLES)}")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise usage_error(f"{path}: {error.strerror}") from None
    return role, PublicKey.from_jwk(parse_json(data, what="jwk", max_bytes=_MAX_JWK_BYTES), what=f"{name} key")


def _purpose(catalogue: Catalogue, text: str) -> Purpose:
    parts = text.split(":")
    if len(parts) != 4:
        raise typer.BadParameter("用途须写作 代码:法律依据:类型:字段,字段 · a purpose is code:ground:type:field,field")
    code, ground, type_code, claims = parts
    return Purpose(code, ground, (catalogue.by_code(type_code).vct,), tuple(claims.split(",")))


@_org.command("list")
def list_organisations(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """列出信任列表中的机构。 · List the organisations of the trust list."""
    now = clock.now()
    with open_workspace(workspace) as opened:
        renew_trust(opened, now)
        with opened.database.read() as connection:
            entities = current_trust(opened, connection, now).list.entities
    if as_json:
        print_json([{"id": entity.id, "name_zh": entity.name_zh, "name_en": entity.name_en} for entity in entities])
        return
    out = console()
    for entity in entities:
        roles = ", ".join(sorted({key.role for key in entity.keys}))
        out.print(
            f"{entity.id}  {entity.name_zh}  {entity.name_en}  {entity.level} {entity.region}  [{roles}]", markup=False
        )


@_key.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="密钥名称，如 owner · the key's name")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """为持有人或代办人生成密钥；已有则沿用。 · Make a key for a holder or an agent; one that exists is kept."""
    with open_workspace(workspace) as opened:
        if f"party.{name}" not in opened.keyring:
            opened.keyring.create(f"party.{name}", "Ed25519")
        jwk = opened.keyring.signer(f"party.{name}").public_key.to_jwk()
    if as_json:
        print_json(jwk)
        return
    console().print(f"密钥 key   {name}   {jwk['x']}")
