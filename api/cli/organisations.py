"""``org add|list``: who is in the trust list, with which keys."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.authorities import add_crl
from api.cli.options import JsonOption, WorkspaceOption, open_workspace, read_at_most, usage_error
from api.cli.output import console, print_json
from api.keys.organisation_keys import KEPT_ROLES, KeyProfile, KeyTerms
from api.organisations import Organisation, OwnKey, add_organisation
from api.trust_lists import current_trust, renew_trust
from materials.catalogue import Catalogue
from materials.trust.model import Entity, Level, Purpose, Role
from signing import ALGORITHM_NAMES, KEY_FORM_MAX_BYTES, Algorithm, JsonValue, parse_public_key
from signing.x509.certificates import CERTIFICATE_FILE_MAX_BYTES, read_certificates
from signing.x509.revocation import CRL_MAX_BYTES

_org = typer.Typer(help="信任列表中的机构 · organisations of the trust list", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_org, name="org")


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
    profile: Annotated[
        KeyProfile | None,
        typer.Option(
            help="密钥体系：国际、国密或双签（默认 INTL） · family of its keys (default: INTL)", show_default=False
        ),
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(help="某用途的算法：用途=算法 · another algorithm, as role=algorithm")
    ] = None,
    hsm: Annotated[bool, typer.Option("--hsm", help="密钥生成于密码机 · make its keys in the HSM")] = False,
    own_key: Annotated[
        list[str] | None,
        typer.Option(help="机构自持密钥的公钥：用途=文件（PEM 或 JWK） · its own public key, as role=FILE"),
    ] = None,
    certificate: Annotated[
        list[str] | None,
        typer.Option(help="机构自持密钥的证书链：用途=PEM 文件 · its own key's certificate chain, as role=FILE"),
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, dir_okay=False, help="一并收下的吊销列表 · a revocation list to keep (trust add-crl)"
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """登记机构并生成其密钥，发布新的信任列表。 · List an organisation, make its keys, publish a new trust list."""
    own = (*map(_own_key, own_key or ()), *map(_certified_key, certificate or ()))
    terms = KeyTerms(profile, tuple(_algorithm(text) for text in algorithm or ()), hsm)
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
            keys=terms,
            own_keys=own,
        )
        now = clock.now()
        renew_trust(opened, now)
        for path in crl or ():
            issuers = [certificate for key in own for certificate in key.chain]
            add_crl(opened, read_at_most(path, CRL_MAX_BYTES), now, issuers=issuers)
        entity = add_organisation(opened, organisation, now)
    if as_json:
        print_json({"id": entity.id, "keys": _keys(entity)})
        return
    console().print(f"机构 organisation   {entity.id}（{name}）")


def _keys(entity: Entity) -> list[JsonValue]:
    """Those that were not ended."""
    return [
        {"role": key.role, "id": key.key_id, "algorithm": key.public_key.algorithm, "certificate": bool(key.chain)}
        for key in entity.keys
        if key.revoked is None
    ]


def _of_role(text: str) -> tuple[Role, str]:
    name, equals, value = text.partition("=")
    role = next((known for known in KEPT_ROLES if known == name), None)
    if role is None or not equals:
        raise usage_error(f"须写作 用途=… · role=… is needed; roles: {', '.join(KEPT_ROLES)}")
    return role, value


def _algorithm(text: str) -> tuple[Role, Algorithm]:
    role, name = _of_role(text)
    algorithm = next((known for known in ALGORITHM_NAMES if known == name), None)
    if algorithm is None:
        raise usage_error(f"没有这种算法 · no such algorithm; there are: {', '.join(ALGORITHM_NAMES)}")
    return role, algorithm


def _own_key(text: str) -> OwnKey:
    role, path = _of_role(text)
    return OwnKey(role, parse_public_key(_read(path, KEY_FORM_MAX_BYTES)))


def _certified_key(text: str) -> OwnKey:
    role, path = _of_role(text)
    return OwnKey.certified(role, read_certificates(_read(path, CERTIFICATE_FILE_MAX_BYTES)))


def _read(path: str, max_bytes: int) -> bytes:
    try:
        return read_at_most(Path(path), max_bytes)
    except OSError as error:
        raise usage_error(f"{path}: {error.strerror}") from None


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
