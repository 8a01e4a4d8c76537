"""``log prove`` and ``log consistency``: proofs from any log in the database, at any size it published."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import (
    JsonOption,
    WorkspaceOption,
    check_output,
    open_workspace,
    read_at_most,
    usage_error,
    write_output,
)
from api.cli.output import console, print_json
from api.logs import find_entry, find_log, prove_entry, prove_extension
from ledger import ENTRY_MAX_BYTES, Checkpoint, LeafHash, format_receipt, leaf_hash, read_checkpoint
from ledger.reading import LogReader
from ledger.tiles import check_entry
from ledger.witness_messages import format_add_checkpoint
from signing import JsonValue, b64_encode

Origin = Annotated[str, typer.Argument(metavar="ORIGIN", help="日志名称，见 log list · the log, see 'log list'")]
SizeOption = Annotated[
    int | None, typer.Option(min=0, help="检查点大小（默认：最新） · size of the checkpoint (default: the latest)")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="写入文件（默认：标准输出） · file (default: standard output)")
]


def add_to(group: typer.Typer) -> None:
    """Add the commands of this module to ``log``."""
    group.command("prove")(prove)
    group.command("consistency")(consistency)


def prove(
    origin: Origin,
    index: Annotated[int | None, typer.Option(min=0, help="条目序号，从 0 起 · index of the entry, from 0")] = None,
    leaf: Annotated[str | None, typer.Option(metavar="HEX", help="叶子哈希，64 位十六进制 · leaf hash in hex")] = None,
    entry: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="条目内容文件 · file with the entry's bytes")
    ] = None,
    size: SizeOption = None,
    out: OutOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """给出条目在日志中的回执（tlog-proof）。 · Prove that an entry is in the log: a receipt, C2SP tlog-proof."""
    if sum(given is not None for given in (index, leaf, entry)) != 1:
        raise usage_error("--index、--leaf、--entry 须恰好给出一个 · give one of --index, --leaf and --entry")
    wanted = None if index is not None else _leaf(leaf, entry)
    if out is not None:
        check_output(out)
    with open_workspace(workspace) as opened:
        find_log(opened, origin)
        with opened.database.read() as connection:
            log = LogReader(connection, origin)
            place = find_entry(log, wanted) if wanted is not None else index or 0
            receipt = prove_entry(log, place, size)
    data = format_receipt(receipt)
    head = head_json(read_checkpoint(receipt.checkpoint_note))
    _give(data, {**head, "index": receipt.index, "receipt": data.decode()}, out, as_json=as_json)


def consistency(
    origin: Origin,
    old: Annotated[int, typer.Option("--from", min=0, help="较早的大小 · the earlier size")],
    new: Annotated[int | None, typer.Option("--to", min=0, help="较晚的大小（默认：最新） · the later size")] = None,
    out: OutOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """证明较早的日志是较晚日志的开头。 · Prove that an earlier tree is the beginning of a later one."""
    if out is not None:
        check_output(out)
    with open_workspace(workspace) as opened:
        find_log(opened, origin)
        with opened.database.read() as connection:
            proof, note = prove_extension(LogReader(connection, origin), old, new)
    hashes: list[JsonValue] = [b64_encode(each) for each in proof]
    members = {**head_json(read_checkpoint(note)), "from": old, "proof": hashes, "checkpoint": note.decode()}
    _give(format_add_checkpoint(old, proof, note), members, out, as_json=as_json)


def head_json(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    """Origin, size and root."""
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": b64_encode(checkpoint.root)}


def _leaf(text: str | None, entry: Path | None) -> LeafHash:
    if entry is not None:
        data = read_at_most(entry, ENTRY_MAX_BYTES)
        check_entry(data)
        return leaf_hash(data)
    try:
        leaf = bytes.fromhex(text or "")
    except ValueError:
        leaf = b""
    if leaf.hex() != text or len(leaf) != 32:
        raise usage_error("叶子哈希须为 64 位小写十六进制 · a leaf hash is 64 hex digits in lower case")
    return LeafHash(leaf)


def _give(data: bytes, members: dict[str, JsonValue], out: Path | None, *, as_json: bool) -> None:
    if out is not None:
        write_output(out, data)
    if as_json:
        print_json({**members, "file": None if out is None else str(out)})
    elif out is None:
        typer.echo(data.decode(), nl=False)
    else:
        console().print(f"已写入 written   {out}", markup=False, soft_wrap=True)
