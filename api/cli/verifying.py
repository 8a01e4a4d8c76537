"""``verify``: the offline verifier. Needs no workspace, no network."""

from pathlib import Path
from typing import Annotated

import typer

from api import clock
from api.cli.options import JsonOption, read_at_most, read_time
from api.cli.output import console, exit_code_of_report, print_json, print_report
from materials.bundle import MAX_BUNDLE_BYTES
from materials.catalogue import load_catalogue
from materials.report import Facet
from materials.trust.lists import MAX_TRUST_FILE_BYTES
from materials.verification import verify_bundle
from signing import CryptoProfile, digest_stream
from signing.x509.revocation import CRL_MAX_BYTES, parse_crl


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", exists=True, dir_okay=False, help="证据包 · the bundle")],
    trust: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="信任文件 · the trust file (ematerials trust export)")
    ],
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="要比对的文件 · a file to compare with")
    ] = None,
    at: Annotated[str | None, typer.Option(help="判定时间（默认：现在） · time of the decision (default: now)")] = None,
    require: Annotated[
        list[Facet] | None, typer.Option(help="不得缺少的检查项 · a facet that must not go unchecked")
    ] = None,
    profile: Annotated[
        list[CryptoProfile] | None, typer.Option(help="须有这一体系的签名 · a family whose signature must be there")
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="证书吊销列表 · a certificate revocation list, PEM or DER"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """离线核验证据包，逐项给出结论。 · Verify a bundle offline. Exit: 0 valid, 1 invalid, 2 undetermined."""
    data = read_at_most(bundle, MAX_BUNDLE_BYTES)
    digests = None
    if file is not None:
        with file.open("rb") as stream:
            digests = digest_stream(stream)
    now = clock.now() if at is None else read_time(at)
    trust_file = read_at_most(trust, MAX_TRUST_FILE_BYTES)
    report = verify_bundle(
        data,
        trust_file,
        now=now,
        catalogue=load_catalogue(),
        file=digests,
        required=require or (),
        profiles=profile or (),
        crls=[parse_crl(read_at_most(path, CRL_MAX_BYTES)) for path in crl or ()],
    )
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report, console())
    raise typer.Exit(exit_code_of_report(report))
