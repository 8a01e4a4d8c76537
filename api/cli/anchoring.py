"""``anchor``: bring the newest checkpoint onto the chains; ``anchor status``, ``anchor deploy``."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from anchors.contradictions import Equivocation
from anchors.health import EndpointHealth, Standing
from anchors.outbox import Submission
from api import clock
from api.anchor_status import ChainStatus, ask_nodes, read_status
from api.anchor_views import NEXT_STEP, status_json
from api.anchoring import anchor, anchor_all
from api.cli.options import JsonOption, WorkspaceOption, open_workspace
from api.cli.output import EXIT_ALARM, EXIT_DONE, console, exit_code_of, print_json, time_text
from api.further_chains import add_chain
from api.wording import chinese
from signing import JsonValue, LedgerError

_NEXT = {
    "build": "读取链头并构造 read the head, build",
    "sign": "签名 sign",
    "send": "发送 send",
    "receipt": "等待回执 wait for the receipt",
    "finality": "等待终局 wait for finality",
    "prove": "取证 fetch the proof",
    "plan-again": "重新计划 plan again",
    "person": "须人工处理 a person must decide",
}
_MARKS = {Standing.OK: "✔", Standing.UNASKED: "–", Standing.RESTING: "?", Standing.WRONG: "✘"}
ChainOption = Annotated[
    str | None, typer.Option("--chain", help="配置中的链名（默认：全部） · a chain of the settings (default: all)")
]
group = typer.Typer(
    invoke_without_command=True, help="把最新的日志检查点锚定上链。 · Anchor the newest checkpoint on the chains."
)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group.callback()(anchor_command)
    group.command("status")(status)
    group.command("deploy")(deploy_command)
    app.add_typer(group, name="anchor")


def anchor_command(
    context: typer.Context,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="查明原因后，从冲突中恢复 · go on after a conflict, once its cause is known"),
    ] = False,
    chain: ChainOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """把最新的日志检查点锚定上链，取回证明。 · Anchor the newest checkpoint on the chains and keep the proofs."""
    if context.invoked_subcommand is not None:
        return
    with open_workspace(workspace) as opened:
        origin = opened.settings.origin
        if chain is None and len(opened.settings.chains) > 1:
            results = anchor_all(opened, resume=resume)
        else:
            name = chain or next(iter(opened.settings.chains))
            results = {name: anchor(opened, name, resume=resume)}
    if as_json:
        first = next(iter(results.values()))
        chains: dict[str, JsonValue] = {name: _result_json(origin, result) for name, result in results.items()}
        print_json(
            {"anchored": None if isinstance(first, LedgerError) else _result_json(origin, first), "chains": chains}
        )
    else:
        _print_results(results, console())
    codes = [exit_code_of(result) for result in results.values() if isinstance(result, LedgerError)]
    raise typer.Exit(min(codes, default=EXIT_DONE))


def _result_json(origin: str, result: Submission | LedgerError | None) -> JsonValue:
    if result is None:
        return None
    if isinstance(result, LedgerError):
        return {"error": {"code": result.code, "message": str(result)}}
    return {
        "origin": origin,
        "size": result.size,
        "state": str(result.state),
        "block_number": result.block_number,
        "tx_hash": None if result.tx_hash is None else "0x" + result.tx_hash.hex(),
    }


def _print_results(results: Mapping[str, Submission | LedgerError | None], out: Console) -> None:
    for name, result in results.items():
        head = f"{name}: " if len(results) > 1 else ""
        if result is None:
            out.print(f"{head}最新检查点已在链上 · the newest checkpoint is on the chain already", markup=False)
        elif isinstance(result, LedgerError):
            out.print(Text(f"{head}✘ {chinese(result.code)}: {result}  [{result.code}]"))
        else:
            out.print(
                f"{head}已锚定 anchored   日志大小 size {result.size}   区块 block {result.block_number}   "
                f"状态 state {result.state}"
            )


def status(
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """各链上的锚定进度、待发、节点与告警。 · How anchoring stands on each chain: lag, outbox, nodes, alarms."""
    now = clock.now()
    with open_workspace(workspace) as opened:
        statuses = read_status(opened, now, ask_nodes(opened, now))
    if as_json:
        print_json(status_json(statuses))
    else:
        out = console()
        for each in statuses:
            out.print(Text("\n".join(_lines(each))))
    raise typer.Exit(EXIT_ALARM if any(each.alarms for each in statuses) else EXIT_DONE)


def _lines(status: ChainStatus) -> list[str]:
    profile, last, lag = status.profile, status.last, status.lag
    chain_id = "–" if profile is None else str(profile.chain_id)
    lines = [f"链 chain                {status.name}（chain id {chain_id}）"]
    lines.append(f"  日志大小 log size      {status.log_size}")
    if last is None:
        lines.append("  已锚定 anchored        尚无 none yet")
    else:
        block = "" if last.block_number is None else f"   区块 block {last.block_number}"
        time = "" if last.block_time is None else f"   {time_text(last.block_time)}"
        lines.append(f"  已锚定 anchored        {last.size}{block}{time}")
    behind = "未知 unknown" if lag.seconds is None else f"至多 at most {-(-lag.seconds // 60)} 分钟 min"
    lines.append(f"  落后 behind            {lag.entries} 条 entries   {behind}")
    if status.seen_at is not None:
        lines.append(f"  链头核实 head proved   {time_text(status.seen_at)}")
    lines += _outbox_lines(status)
    if status.nodes.code is not None:
        lines.append(f"  链 chain               ✘ {chinese(status.nodes.code)}  [{status.nodes.code}]")
    lines += [_node_line(node) for node in status.nodes.nodes]
    lines += [_equivocation_line(each) for each in status.equivocations]
    lines += [f"  ⚠ 告警 ALARM           {chinese(code)}  [{code}]" for code in status.alarms]
    return lines


def _outbox_lines(status: ChainStatus) -> list[str]:
    submission, lines = status.submission, []
    if submission is None:
        lines.append("  待发 outbox            无 nothing in flight")
    else:
        when = f"，不早于 not before {time_text(submission.next_action_at)}" if submission.next_action_at else ""
        reason = "" if submission.reason is None else f"   {chinese(submission.reason)} [{submission.reason}]"
        lines.append(f"  待发 outbox            大小 size {submission.size}   状态 state {submission.state}{reason}")
        lines.append(f"  下一步 next            {_NEXT[NEXT_STEP[submission.state]]}{when}")
        if submission.attempts:
            lines.append(f"  已退回 attempts        {submission.attempts}")
    if status.lease is not None:
        until = time_text(status.lease.expires_at)
        lines.append(f"  提交者 submitter       {status.lease.owner}   至 until {until}")
    return lines


def _equivocation_line(kept: Equivocation) -> str:
    seen = "未复核 not reviewed" if kept.reviewed_at is None else f"已复核 reviewed {time_text(kept.reviewed_at)}"
    return (
        f"  矛盾区块 two blocks    ✘ 区块 block {kept.number}   {time_text(kept.found_at)}   "
        f"{kept.first_node} / {kept.second_node}   {seen}"
    )


def _node_line(node: EndpointHealth) -> str:
    head = "" if node.head_number is None else f"   区块 block {node.head_number}"
    age = "" if node.head_age is None else f"   {node.head_age} s"
    trouble = "" if node.code is None else f"   {chinese(node.code)} [{node.code}]"
    return f"  节点 node              {_MARKS[node.standing]} {node.name}{head}{age}{trouble}"


def deploy_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="配置中的链名 · a chain of the settings")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """在配置中的另一条链上部署合约并写入信任列表。 · Deploy the contract on a further chain; list its profile."""
    with open_workspace(workspace) as opened:
        profile, new = add_chain(opened, name)
    if as_json:
        print_json({"chain": name, "profile": profile.profile_id, "chain_id": profile.chain_id, "new": new})
        return
    state = "已部署 deployed" if new else "信任列表中已有，未改动 listed already, nothing changed"
    console().print(Text(f"链 chain {name}   chain id {profile.chain_id}   {profile.profile_id}（{state}）"))
