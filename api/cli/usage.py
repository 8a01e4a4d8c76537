"""``retrieve`` and ``usage``: use a material under a grant, and see who used it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, check_output, open_workspace, write_output
from api.cli.output import console, print_json, time_text
from api.grant_files import read_grant_file
from api.granting import owner_of, read_file, retrieve, usage_records
from api.names import organisation
from api.parties import delegate_signer, listed, location_of
from materials.grants.decision import acting_organisation
from materials.grants.requests import RetrievalRequest
from materials.grants.retrieve import Retrieval
from materials.grants.terms import GrantPurpose
from materials.grants.usage import parse_usage
from materials.grants.usage_record import UsageRecord, record_to_json
from materials.ids import check_material_id
from signing import JsonValue


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("retrieve")(retrieve_command)
    app.command("usage")(usage)


def retrieve_command(
    material: Annotated[str, typer.Argument(metavar="ID", help="材料编号 · the material's id")],
    grant: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="授权文件 · the grant's file")],
    output: Annotated[Path, typer.Option("--output", "-o", help="证据包文件 · the bundle's file")],
    field: Annotated[
        list[str] | None, typer.Option(help="要取得的字段（默认：授权的全部） · a field (default: all granted)")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(help="用途代码（默认：授权所载） · purpose (default: the grant's)")
    ] = None,
    case: Annotated[str | None, typer.Option(help="办件编号（默认：授权所载） · case (default: the grant's)")] = None,
    organisation_code: Annotated[
        str | None, typer.Option("--as", help="请求机构（默认：被授权机构） · who asks (default: the grant's delegate)")
    ] = None,
    files_to: Annotated[Path | None, typer.Option(help="原文件存放目录 · folder for the files themselves")] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="重试时用同一值，不重复计次 · the same when you try again")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """凭授权取得材料：只含获准字段，使用即记录。 · Retrieve under a grant: granted fields only, and recorded."""
    now, chain, jti = clock.now(), read_grant_file(grant), check_material_id(material)
    leaf, detail = chain.leaf, chain.leaf.details[0]
    check_output(output)
    with open_workspace(workspace) as opened:
        asks = organisation(organisation_code) if organisation_code else acting_organisation(chain)
        request = RetrievalRequest(
            purpose=GrantPurpose(purpose or leaf.purpose.code, leaf.purpose.item_code, case or leaf.purpose.biz_num),
            action="retrieve/fields" if files_to is None else "retrieve/files",
            vct=detail.vct,
            material=jti,
            claims=tuple(sorted(field or detail.claims)),
            location=location_of(listed(opened, asks, now)),
        )
        caller = delegate_signer(opened, leaf).public_key.key_id
        retrieval = Retrieval(request, chain, caller, key or clock.random_bytes(16).hex())
        retrieved = retrieve(opened, retrieval)
        write_output(output, retrieved.bundle)
        if files_to is not None:
            files_to.mkdir(parents=True, exist_ok=True)
            for released in retrieved.files:
                with (files_to / f"{jti}-{released.number}").open("wb") as stream:
                    stream.writelines(read_file(opened, retrieved, released.number))
    record = parse_usage(retrieved.usage).record
    if as_json:
        print_json({"bundle": str(output), "replayed": retrieved.replayed, "usage": record_to_json(record)})
        return
    out = console()
    out.print(f"证据包 bundle   {output}")
    out.print(f"已披露 disclosed   {', '.join(record.disclosed)}", markup=False)
    for use in record.uses:
        out.print(f"计次 use   第 {use.link} 级 link {use.link}: {use.n}/{use.maximum}")


def usage(
    material: Annotated[str, typer.Argument(metavar="ID", help="材料编号 · id of one of the owner's materials")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """持有人查看：谁、何时、为何使用过材料（含被拒绝的）。 · Who used the owner's materials, when and why."""
    with open_workspace(workspace) as opened:
        texts = usage_records(opened, owner_of(opened, check_material_id(material)), limit=1000)
    records = [parse_usage(text).record for text in texts]
    if as_json:
        print_json([dict[str, JsonValue](record_to_json(record)) for record in records])
        return
    out = console()
    if not records:
        out.print("尚无使用记录 · no use yet")
    for record in records:
        out.print(Text(usage_line(record)))


def usage_line(record: UsageRecord) -> str:
    """One record as a line for people."""
    released = record.result.outcome == "released"
    result = (
        "已提供 released" if released else f"已拒绝 refused（{record.result.code}，第 {record.result.link} 级 link）"
    )
    what = ", ".join(record.disclosed if released else record.requested)
    return (
        f"{time_text(record.time)}  {result}  {record.user.organisation}  {record.material}"
        f"\n   用途 purpose {record.purpose.code} / {record.purpose.item_code} / {record.purpose.biz_num}"
        f"   字段 fields {what}"
    )
