"""``trust``: the trust file for verifiers, and the certificate authorities that the trust list names."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.authorities import add_authority, add_crl, list_authorities, remove_authority
from api.cli import trust_history, trust_ledgers
from api.cli.options import JsonOption, WorkspaceOption, check_output, open_workspace, read_at_most, write_output
from api.cli.output import console, print_json, time_text
from api.trust_lists import export_trust, renew_trust
from materials.trust.lists import parse_trust_file
from materials.trust.model import AuthorityRevocation, AuthorityUse, TrustedAuthority
from signing import JsonValue, MalformedError
from signing.x509.certificates import CERTIFICATE_FILE_MAX_BYTES, read_certificates
from signing.x509.revocation import CRL_MAX_BYTES

_trust = typer.Typer(help="信任文件与证书机构 · the trust file and certificate authorities", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    trust_history.add_to(_trust)
    trust_ledgers.add_to(_trust)
    app.add_typer(_trust, name="trust")


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
    list_key = parse_trust_file(data).list_key.key_id
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


@_trust.command("add-authority")
def add(
    certificate: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="根证书 · root certificate, PEM or DER")
    ],
    use: Annotated[AuthorityUse, typer.Option(help="用于机构证书或时间戳 · for organisations or time stamps")],
    revocation: Annotated[
        AuthorityRevocation, typer.Option(help="是否须查吊销列表 · whether revocation lists must be seen")
    ] = "crl",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """信任一家证书机构，发布新的信任列表。 · Trust a certificate authority and publish the trust list."""
    roots = read_certificates(read_at_most(certificate, CERTIFICATE_FILE_MAX_BYTES))
    if len(roots) != 1:
        raise MalformedError("certificate.not-a-root", f"{certificate.name}: one certificate is needed, the CA's own")
    authority = TrustedAuthority(roots[0], use, revocation)
    with open_workspace(workspace) as opened:
        renew_trust(opened, clock.now())
        add_authority(opened, authority, clock.now())
    if as_json:
        print_json(_members(authority))
        return
    console().print(f"证书机构 authority   {_line(authority)}", markup=False)


@_trust.command("list-authorities")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """列出信任的证书机构。 · List the certificate authorities of the trust list."""
    with open_workspace(workspace) as opened:
        renew_trust(opened, clock.now())
        authorities = list_authorities(opened, clock.now())
    if as_json:
        print_json([_members(authority) for authority in authorities])
        return
    for authority in authorities:
        console().print(_line(authority), markup=False)


@_trust.command("remove-authority")
def remove(
    fingerprint: Annotated[
        str, typer.Argument(help="证书 SHA-256 指纹或其开头 · SHA-256 of the certificate, or its start")
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """不再信任一家证书机构，发布新的信任列表。 · Trust an authority no more; keys certified below it count no more."""
    with open_workspace(workspace) as opened:
        renew_trust(opened, clock.now())
        removed = remove_authority(opened, fingerprint, clock.now())
    if as_json:
        print_json(_members(removed))
        return
    console().print(f"已移除 removed   {_line(removed)}", markup=False)


@_trust.command("add-crl")
def add_list(
    crl: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="证书吊销列表 · CRL, PEM or DER")
    ],
    issuer: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="签发列表的中间证书 · certificate of the CA that signed it"),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """收下证书吊销列表，用于登记、请求与证据包。 · Keep a revocation list for registrations, calls and bundles."""
    with open_workspace(workspace) as opened:
        renew_trust(opened, clock.now())
        issuers = () if issuer is None else read_certificates(read_at_most(issuer, CERTIFICATE_FILE_MAX_BYTES))
        kept = add_crl(opened, read_at_most(crl, CRL_MAX_BYTES), clock.now(), issuers=issuers)
    if as_json:
        print_json({"this_update": kept.this_update, "next_update": kept.next_update})
        return
    console().print(f"吊销列表 revocation list   {time_text(kept.this_update)} – {time_text(kept.next_update)}")


def _members(authority: TrustedAuthority) -> dict[str, JsonValue]:
    return {
        "fingerprint": authority.certificate.fingerprint.hex(),
        "use": authority.use,
        "revocation": authority.revocation,
        "not_after": authority.certificate.not_after,
    }


def _line(authority: TrustedAuthority) -> str:
    certificate = authority.certificate
    return (
        f"{certificate.fingerprint.hex()}  {authority.use}  revocation {authority.revocation}  "
        f"至 until {time_text(certificate.not_after)}"
    )
