"""``witness``: this home as a witness of other logs; and the witnesses of its own log."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from api.cli.options import JsonOption, WorkspaceOption, open_workspace, write_output
from api.cli.output import EXIT_DONE, EXIT_INVALID, EXIT_UNDETERMINED, console, print_json, time_text
from api.cosigning import Witness, witness_evidence, witnessed_heads
from api.witnessing import Witnessing, ask_witnesses
from api.wording import chinese
from ledger.witness_store import Evidence, WitnessedHead
from signing import JsonValue, LedgerError, NoteKey, VerificationError, b64_encode
from signing.notes.note_key import ED25519

_witness = typer.Typer(help="见证 · witness other logs, and have this log witnessed", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(_witness, name="witness")


@_witness.command("key")
def key(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """输出见证公钥（vkey）；没有则生成。 · Print the witness's key, as newer and older clients want it."""
    with open_workspace(workspace) as opened:
        cosigner, *further = Witness.open(opened).keys
    plain = NoteKey(cosigner.name, ED25519, cosigner.public_key)
    ml_dsa = further[0].format() if further else None
    if as_json:
        vkeys = {"vkey": cosigner.format(), "plain_vkey": plain.format(), "ml_dsa_vkey": ml_dsa}
        print_json({"name": cosigner.name, **vkeys})
        return
    for vkey in (cosigner.format(), plain.format(), ml_dsa):
        if vkey is not None:
            typer.echo(vkey)


@_witness.command("status")
def status(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """所见证的日志及最近签署的检查点。 · The logs that are witnessed, and what was cosigned last of each."""
    with open_workspace(workspace) as opened:
        trusted = Witness.open(opened).logs
        heads = {head.checkpoint.origin: head for head in witnessed_heads(opened)}
    origins = dict.fromkeys([*(each.name for each in trusted.keys), *heads])
    if as_json:
        print_json({"logs": [_log_json(each, heads.get(each), bool(trusted.of(each))) for each in origins]})
        return
    for origin in origins:
        head, note = heads.get(origin), "" if trusted.of(origin) else "   已停止见证 · no longer witnessed"
        if head is None:
            console().print(Text(f"–  {origin}   尚未签署 · nothing cosigned yet"))
        else:
            size, when = head.checkpoint.size, time_text(head.time)
            console().print(Text(f"✔  {origin}   大小 size {size}   {when}{note}"))


@_witness.command("ask")
def ask(
    origin: Annotated[
        str | None, typer.Option(metavar="ORIGIN", help="哪个日志（默认：本馆的） · which log (default: the home's)")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """请各见证人签署日志最新的检查点。 · Have the newest checkpoint of a log cosigned by its witnesses."""
    with open_workspace(workspace) as opened:
        asked = ask_witnesses(opened, origin)
    missing, cosigned = asked.missing, {each.witness.name: each.time for each in asked.cosigned}
    if as_json:
        print_json(
            {
                "size": asked.checkpoint.size,
                "cosigned": {name.decode("utf-8", "replace"): time for name, time in cosigned.items()},
                "quorum_met": missing is None,
                "missing": None if missing is None else str(missing),
                "failed": [_failure_json(*failure) for failure in _failures(asked)],
            }
        )
    else:
        _print_asked(asked)
    raise typer.Exit(_exit_code(asked))


@_witness.command("evidence")
def evidence(
    out: Annotated[
        Path | None, typer.Option("--out", help="把原始请求写入此目录 · write the requests and notes into this folder")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """日志可能作假的证据。 · Evidence of logs that signed what did not extend what they had signed."""
    with open_workspace(workspace) as opened:
        found = list(witness_evidence(opened))
    if out is not None:
        out.mkdir(exist_ok=True)
        for each in found:
            write_output(out / f"{_name(each)}.request", each.request)
            write_output(out / f"{_name(each)}.held", each.held)
    if as_json:
        print_json({"evidence": [_evidence_json(each) for each in found]})
        return
    for each in found:
        what = f"{each.origin}   大小 size {each.size}   {time_text(each.time)}"
        console().print(Text(f"✘  {what}   {chinese(each.code)}  [{each.code}]   {_name(each)}"))
    if not found:
        console().print("没有证据 · no evidence of any lie")


def _failures(asked: Witnessing) -> list[tuple[str, LedgerError]]:
    return [(each.witness, each.outcome) for each in asked.attempts if isinstance(each.outcome, LedgerError)]


def _failure_json(witness: str, error: LedgerError) -> JsonValue:
    return {"witness": witness, "code": error.code, "message": str(error)}


def _print_asked(asked: Witnessing) -> None:
    out = console()
    out.print(Text(f"检查点 checkpoint   {asked.checkpoint.origin}   大小 size {asked.checkpoint.size}"))
    for each in asked.cosigned:
        out.print(Text(f"✔ {each.witness.name.decode('utf-8', 'replace')}   {time_text(each.time)}"))
    for witness, error in _failures(asked):
        out.print(Text(f"✘ {witness}   {chinese(error.code)}: {error}  [{error.code}]"))
    met = "✔ 达到见证要求 · the quorum is met"
    out.print(Text(met if asked.missing is None else f"✘ 未达到见证要求: {asked.missing}  [{asked.missing.code}]"))


def _exit_code(asked: Witnessing) -> int:
    """1 for a witness that says no or knows more of our log than we do, 2 if the quorum is not met, else 0."""
    if any(isinstance(error, VerificationError) for _, error in _failures(asked)):
        return EXIT_INVALID
    return EXIT_DONE if asked.missing is None else EXIT_UNDETERMINED


def _name(each: Evidence) -> str:
    """A file name of its own for each head that was claimed."""
    return hashlib.sha256(each.request).hexdigest()[:16]


def _log_json(origin: str, head: WitnessedHead | None, is_trusted: bool) -> JsonValue:
    origin_hash = hashlib.sha256(origin.encode()).hexdigest()
    value: dict[str, JsonValue] = {"origin": origin, "origin_hash": origin_hash, "witnessed": is_trusted}
    if head is None:
        return value | {"size": None, "root": None, "time": None}
    return value | {"size": head.checkpoint.size, "root": b64_encode(head.checkpoint.root), "time": head.time}


def _evidence_json(each: Evidence) -> JsonValue:
    return {
        "origin": each.origin,
        "code": each.code,
        "size": each.size,
        "root": b64_encode(each.root),
        "time": each.time,
        "request": b64_encode(each.request),
        "held": b64_encode(each.held),
    }
