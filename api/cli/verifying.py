"""``verify``: the offline verifier. Needs no workspace, no network."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from anchors.verifier import AnchorVerifier
from api import clock
from api.cli.options import JsonOption, read_at_most, read_time, usage_error
from api.cli.output import EXIT_INVALID, EXIT_UNDETERMINED, console, exit_code_of_report, print_json, print_report
from ledger.policy_file import POLICY_MAX_BYTES, parse_policy
from materials.bundle import MAX_BUNDLE_BYTES
from materials.catalogue import load_catalogue
from materials.report import Facet, VerificationReport
from materials.trust.lists import MAX_TRUST_FILE_BYTES
from materials.verification import verify_bundle
from signing import CryptoProfile, digest_stream, dump_json
from signing.x509.revocation import CRL_MAX_BYTES, parse_crl


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)


def verify(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE", exists=True, dir_okay=False, help="证据包 · the bundle, or several"),
    ],
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
    witness_policy: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="须满足的见证策略（tlog-policy） · a policy on witnesses"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """离线核验证据包，逐项给出结论。 · Verify a bundle offline. Exit: 0 valid, 1 invalid, 2 undetermined."""
    if file is not None and len(bundles) > 1:
        raise usage_error("--file 只能用于一个证据包 · --file is for one bundle")
    digests = None
    if file is not None:
        with file.open("rb") as stream:
            digests = digest_stream(stream)
    now = clock.now() if at is None else read_time(at)
    trust_file = read_at_most(trust, MAX_TRUST_FILE_BYTES)
    check = partial(
        verify_bundle,
        trust_file=trust_file,
        now=now,
        catalogue=load_catalogue(),
        file=digests,
        required=require or (),
        profiles=profile or (),
        witnesses=None if witness_policy is None else parse_policy(read_at_most(witness_policy, POLICY_MAX_BYTES)),
        crls=[parse_crl(read_at_most(path, CRL_MAX_BYTES)) for path in crl or ()],
        verifier=AnchorVerifier(),
    )
    verdicts = {_show(path, check(read_at_most(path, MAX_BUNDLE_BYTES)), len(bundles), as_json) for path in bundles}
    raise typer.Exit(next(code for code in (EXIT_INVALID, EXIT_UNDETERMINED, 0) if code in verdicts))


def _show(path: Path, report: VerificationReport, bundles: int, as_json: bool) -> int:
    """Print one report, named if it is one of several; as JSON then a line for each."""
    if not as_json:
        if bundles > 1:
            console().print(f"\n证据包 bundle   {path}", markup=False)
        print_report(report, console())
    elif bundles > 1:
        typer.echo(dump_json({"bundle": str(path), **report.to_json()}).decode("utf-8"))
    else:
        print_json(report.to_json())
    return exit_code_of_report(report)
