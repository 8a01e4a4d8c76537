"""``grant open|delegate|show|withdraw``: the home opens a grant for the owner; each delegate may pass on less."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, check_output, open_workspace, usage_error, write_output
from api.cli.output import console, print_json, time_text
from api.grant_files import format_grant_file, read_grant_file
from api.granting import find_material, open_grant, pass_on, withdraw
from api.names import organisation
from api.parties import delegate_signer, listed, location_of, organisation_delegate, party_delegate
from api.workspace import Workspace
from materials.grants.issue import GrantTerms
from materials.grants.links import Delegate, GrantChain, GrantLink
from materials.grants.terms import GrantDetail, GrantPurpose, Location
from materials.ids import check_material_id
from signing import JsonValue

_grant = typer.Typer(help="授权：开立、转授、查看、撤回 · grants", no_args_is_help=True)
_DAY = 86400

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="授权文件 · the grant's file")]
FieldOption = Annotated[list[str] | None, typer.Option("--field", help="可披露的字段 · a field that may be disclosed")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_grant, name="grant")


@_grant.command("open")
def open_command(
    material: Annotated[str, typer.Argument(metavar="ID", help="材料编号 · the material's id")],
    holder_key: Annotated[str, typer.Option(help="持有人密钥名称（key new） · name of the owner's key")],
    purpose: Annotated[str, typer.Option(help="登记的用途代码 · code of the registered purpose")],
    item: Annotated[str, typer.Option(help="事项编码 · service item code")],
    to: Annotated[list[str], typer.Option("--for", help="可使用的机构 · an organisation that may use it")],
    output: OutputOption,
    field: FieldOption = None,
    files: Annotated[bool, typer.Option("--files", help="允许取得原文件 · the files themselves, too")] = False,
    max_uses: Annotated[int, typer.Option(min=1, help="使用次数上限 · how many uses")] = 10,
    days: Annotated[int, typer.Option(min=1, max=3660, help="有效天数 · for how many days")] = 30,
    hops: Annotated[int, typer.Option(min=0, max=8, help="最多转授几级 · how often it may be passed on")] = 3,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """以持有人名义开立授权（持有人须已同意）。 · Open a grant in the owner's name, once the owner has agreed."""
    now, jti = clock.now(), check_material_id(material)
    check_output(output)
    with open_workspace(workspace) as opened:
        places = tuple(location_of(listed(opened, organisation(code), now)) for code in to)
        claims = (*(field or ()), *(("files",) if files else ()))
        if not claims:
            raise usage_error("至少给出一个 --field · at least one --field is needed")
        detail = GrantDetail(
            vct=find_material(opened, jti).vct,
            material=jti,
            actions=("retrieve",) if files else ("retrieve/fields",),
            claims=claims,
            locations=places,
        )
        terms = GrantTerms(
            purpose=GrantPurpose(purpose, item, ""),
            details=(detail,),
            max_uses=max_uses,
            nbf=now,
            exp=now + days * _DAY,
            max_depth=hops + 1,
            redelegate=True,
        )
        key = party_delegate(opened, holder_key).key
        chain = open_grant(opened, jti, holder_key=key, terms=terms)
    _write(chain, output, as_json=as_json)


@_grant.command("delegate")
def delegate(
    grant: Annotated[
        Path, typer.Argument(metavar="GRANT", exists=True, dir_okay=False, help="上级授权文件 · its file")
    ],
    to: Annotated[str, typer.Option(help="被授权方：机构代码，或密钥名称 · an organisation's USCC, or a key's name")],
    output: OutputOption,
    field: FieldOption = None,
    only_for: Annotated[
        list[str] | None, typer.Option("--for", help="缩小到这些机构 · only these organisations")
    ] = None,
    case: Annotated[str | None, typer.Option(help="办件编号 · the case")] = None,
    max_uses: Annotated[int | None, typer.Option(min=1, help="使用次数上限 · how many uses")] = None,
    hours: Annotated[int | None, typer.Option(min=1, help="有效小时数 · for how many hours")] = None,
    redelegate: Annotated[bool, typer.Option("--redelegate", help="允许再转授 · may be passed on")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """把授权转授给下一方，只能缩小。 · Pass a grant on, never wider than it is."""
    now, chain = clock.now(), read_grant_file(grant)
    parent = chain.leaf
    check_output(output)
    with open_workspace(workspace) as opened:
        detail = parent.details[0]
        terms = GrantTerms(
            purpose=GrantPurpose(parent.purpose.code, parent.purpose.item_code, case or parent.purpose.biz_num),
            details=(_narrowed(opened, detail, tuple(field or detail.claims), only_for, now),),
            max_uses=max_uses or parent.uses.maximum,
            nbf=now,
            exp=parent.exp if hours is None else min(parent.exp, now + hours * 3600),
            max_depth=parent.max_depth if redelegate else None,
            redelegate=redelegate,
        )
        receiver = _receiver(opened, to, now, redelegates=redelegate)
        longer = pass_on(opened, chain, delegate_signer(opened, parent), delegate=receiver, terms=terms)
    _write(longer, output, as_json=as_json)


def _narrowed(
    workspace: Workspace, detail: GrantDetail, claims: tuple[str, ...], only_for: list[str] | None, now: int
) -> GrantDetail:
    places: tuple[Location, ...] = detail.locations
    if only_for:
        places = tuple(location_of(listed(workspace, organisation(code), now)) for code in only_for)
    actions = detail.actions if "files" in claims else ("retrieve/fields",)
    return GrantDetail(detail.vct, detail.material, actions, claims, places)


def _receiver(workspace: Workspace, to: str, now: int, *, redelegates: bool) -> Delegate:
    if to.startswith("uscc:") or (len(to) == 18 and to.isascii() and to.isupper()):
        return organisation_delegate(workspace, organisation(to), now, redelegates=redelegates)
    return party_delegate(workspace, to)


@_grant.command("show")
def show(
    grant: Annotated[Path, typer.Argument(metavar="GRANT", exists=True, dir_okay=False, help="授权文件 · its file")],
    as_json: JsonOption = False,
) -> None:
    """显示授权链的每一级。 · Show each link of a grant; proves nothing."""
    chain = read_grant_file(grant)
    if as_json:
        print_json([_link_to_json(link) for link in chain.links])
        return
    out = console()
    for number, link in enumerate(chain.links):
        claims = ", ".join(link.details[0].claims)
        out.print(f"{number}  {link.id.iss} → {link.audience.id}", markup=False)
        out.print(
            f"   用途 purpose {link.purpose.code} / {link.purpose.item_code} / {link.purpose.biz_num or '–'}",
            markup=False,
        )
        out.print(
            f"   字段 fields {claims}   次数 uses ≤ {link.uses.maximum}   到期 until {time_text(link.exp)}",
            markup=False,
        )


def _link_to_json(link: GrantLink) -> JsonValue:
    return {
        "issuer": link.id.iss,
        "jti": link.id.jti,
        "audience": link.audience.id,
        "purpose": link.purpose.to_json(),
        "details": [detail.to_json() for detail in link.details],
        "max_uses": link.uses.maximum,
        "nbf": link.nbf,
        "exp": link.exp,
        "redelegate": link.redelegate,
    }


@_grant.command("withdraw")
def withdraw_command(
    grant: Annotated[Path, typer.Argument(metavar="GRANT", exists=True, dir_okay=False, help="授权文件 · its file")],
    link: Annotated[
        int | None, typer.Option(min=0, help="撤回第几级（默认：最后一级） · number of the link (default: the last)")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """以持有人名义撤回授权，其下各级随之失效。 · Withdraw a link in the owner's name; all below it end too."""
    chain = read_grant_file(grant)
    number = len(chain.links) - 1 if link is None else link
    if number >= len(chain.links):
        raise usage_error("授权链没有这一级 · the grant has no such link")
    with open_workspace(workspace) as opened:
        stored = withdraw(opened, chain.links[number].id, actor=chain.root.subject)
    if as_json:
        print_json({"jti": stored.id.jti, "withdrawn_at": stored.withdrawn_at})
        return
    console().print(f"已撤回 withdrawn   第 {number} 级 link {number}   {stored.id.jti}")


def _write(chain: GrantChain, output: Path, *, as_json: bool) -> None:
    write_output(output, format_grant_file(chain))
    if as_json:
        print_json({"grant": str(output), "links": [_link_to_json(link) for link in chain.links]})
        return
    console().print(f"授权 grant   {output}   {len(chain.links)} 级 links   → {chain.leaf.audience.id}")
