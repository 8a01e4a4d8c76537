"""``register``, ``bundle``, ``revoke``, ``erase``."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from api.bundling import make_bundle
from api.cli.options import (
    JsonOption,
    WorkspaceOption,
    check_output,
    media_type,
    open_workspace,
    read_fields,
    read_time,
    write_output,
)
from api.cli.output import console, print_json
from api.names import organisation
from api.registering import change_material_status, erase_material, register_material
from materials.catalogue import MaterialType
from materials.events import EventCode
from materials.ids import check_material_id
from materials.registry.submission import SubmittedFile
from signing import JsonValue

_DIGITS = re.compile("[0-9]{1,20}")
MaterialId = Annotated[str, typer.Argument(metavar="ID", help="材料编号 em-… · the material's id")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (register, bundle, revoke, erase):
        app.command()(command)


def register(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="材料的文件 · its files")
    ],
    type_code: Annotated[str, typer.Option("--type", help="材料类型，如 business-licence · the material type")],
    issuer: Annotated[
        str | None,
        typer.Option(help="颁发机构的统一社会信用代码（默认：运营机构） · the issuer's USCC (default: the operator)"),
    ] = None,
    field: Annotated[list[str] | None, typer.Option(help="照面字段 名称=值 · a face field, name=value")] = None,
    fields: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="照面字段的 JSON 文件 · face fields as a JSON file")
    ] = None,
    legal_basis: Annotated[str, typer.Option(help="法律依据代码 · code of the legal basis")] = "unspecified",
    valid_from: Annotated[str | None, typer.Option(help="生效时间（默认：现在） · from when (default: now)")] = None,
    valid_to: Annotated[
        str | None, typer.Option(help="失效时间（默认：十年后） · until when (default: ten years)")
    ] = None,
    version: Annotated[int, typer.Option(min=1, max=999, help="版本 · version")] = 1,
    supersedes: Annotated[str | None, typer.Option(help="被取代材料的编号 · id of the material it replaces")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """签发并登记材料，输出编号；重复登记得到同一编号。 · Issue and register a material; prints its id. Repeatable."""
    with open_workspace(workspace) as opened, ExitStack() as stack:
        given = _typed(opened.catalogue.by_code(type_code), read_fields(field or [], fields))
        registered = register_material(
            opened,
            type_code=type_code,
            issuer=organisation(issuer or opened.operator),
            fields=given,
            files=[SubmittedFile(stack.enter_context(path.open("rb")), media_type(path)) for path in files],
            legal_basis=legal_basis,
            valid_from=None if valid_from is None else read_time(valid_from),
            valid_to=None if valid_to is None else read_time(valid_to),
            version=version,
            supersedes=None if supersedes is None else check_material_id(supersedes),
        )
    record = registered.record
    if as_json:
        print_json(
            {
                "id": record.jti,
                "new": registered.is_new,
                "type": record.vct,
                "issuer": record.issuer,
                "log_index": record.log_index,
                "warnings": list[JsonValue](registered.warnings),
            }
        )
        return
    typer.echo(record.jti)
    note = "已签发并登记 registered" if registered.is_new else "此前已登记 registered before"
    console(to_stderr=True).print(f"{note} · 日志序号 log index {record.log_index}")


def _typed(material_type: MaterialType, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Texts of integer fields as integers; whatever does not fit is left for the type's own check to refuse."""
    integers = {spec.name for spec in material_type.fields if spec.kind == "integer"}
    return {
        name: int(value) if name in integers and isinstance(value, str) and _DIGITS.fullmatch(value) else value
        for name, value in fields.items()
    }


def bundle(
    material: MaterialId,
    output: Annotated[Path, typer.Option("--output", "-o", help="证据包文件 · the bundle's file")],
    at: Annotated[
        str | None, typer.Option(help="附上该时间的状态列表 · with the status list of that time (default: now)")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """导出可离线核验的证据包。 · Write the evidence bundle, which verifies offline."""
    check_output(output)
    as_of = None if at is None else read_time(at)
    with open_workspace(workspace) as opened:
        data = make_bundle(opened, check_material_id(material), as_of=as_of)
    write_output(output, data)
    if as_json:
        print_json({"bundle": str(output), "bytes": len(data)})
        return
    console().print(f"证据包 bundle   {output}   {len(data)} 字节 bytes")


def revoke(
    material: MaterialId,
    reason: Annotated[str, typer.Option(help="原因代码，如 issued-in-error · code of the reason")],
    code: Annotated[
        EventCode, typer.Option(help="事件：撤销、注销、暂扣…… · the event: annulled, cancelled, suspended, …")
    ] = EventCode.REVOKED,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """以颁发机构名义终止或暂停材料，并发布状态列表。 · End or suspend a material and publish the status list."""
    with open_workspace(workspace) as opened:
        event = change_material_status(opened, check_material_id(material), code=code, reason=reason)
    if as_json:
        print_json({"id": event.jti, "event": event.event_jti, "code": event.kind, "log_index": event.log_index})
        return
    console().print(f"状态事件 event   {event.kind}   日志序号 log index {event.log_index}")


def erase(
    material: MaterialId,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · do not ask")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """销毁材料的密钥与盐值，不可恢复；旧证明仍可核验。 · Erase a material for good; old proofs still verify."""
    jti = check_material_id(material)
    if not yes:
        typer.confirm(f"{jti}: 销毁后不可恢复，继续？ · this can't be undone. Go on?", abort=True, err=True)
    with open_workspace(workspace) as opened:
        record = erase_material(opened, jti)
    if as_json:
        print_json({"id": record.jti, "state": str(record.state)})
        return
    console().print(f"已销毁 erased   {record.jti}")
