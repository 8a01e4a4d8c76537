"""``chain profile``: trust profiles of chains as signed files, for those who verify without this home's trust list."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from anchors import AnswersPolicy, HandoffPolicy, TrustProfile, profile_to_json
from anchors.evm import http_endpoint
from anchors.hexdata import address_from_hex, from_hex, to_hex
from anchors.node import Endpoint
from anchors.profile_file import (
    PROFILE_FILE_MAX_BYTES,
    ProfileFile,
    issue_profile_file,
    parse_profile_file,
    verify_profile_file,
)
from api import clock, names
from api.chain import node_roots
from api.chain_profiles import BY_WORD, ProfileRequest, make_profile, renew_profile
from api.cli.options import (
    JsonOption,
    WorkspaceOption,
    check_output,
    open_workspace,
    read_at_most,
    usage_error,
    write_output,
)
from api.cli.output import console, print_json, time_text
from api.further_chains import list_profile
from api.keys.current_keys import held_list_key, list_key_name
from api.trust_lists import current_trust, renew_trust
from api.wording import GRADES
from api.workspace import Workspace
from materials.trust.lists import MAX_TRUST_FILE_BYTES, parse_trust_file
from materials.verification import open_trust
from signing import KEY_FORM_MAX_BYTES, JsonValue, PublicKey, RefusedError, Signer, parse_public_key

_chain = typer.Typer(help="区块链与信任配置 · chains and their trust profiles", no_args_is_help=True)
_profile = typer.Typer(help="链信任配置文件 · trust profiles of chains, as signed files", no_args_is_help=True)
_DAY = 86_400

RpcOption = Annotated[str, typer.Option(help="节点的 JSON-RPC 地址 · a node's JSON-RPC URL")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="写入文件 · file to write")]
CaFileOption = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="节点 TLS 根证书 · roots of the node's TLS certificate, PEM"),
]
DaysOption = Annotated[int, typer.Option(min=1, max=3660, help="有效天数 · days that it is valid")]
ProfileFileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="信任配置文件 · profile file")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    _chain.add_typer(_profile, name="profile")
    app.add_typer(_chain, name="chain")


@_profile.command("new")
def new(
    rpc: RpcOption,
    contract: Annotated[str, typer.Option(help="锚定合约地址 · address of the anchor contract, 0x…")],
    output: OutputOption,
    profile_id: Annotated[str | None, typer.Option(help="配置名称 · profileId (default: <log>#chain-<id>)")] = None,
    deploy_block: Annotated[
        int | None, typer.Option(min=0, help="合约部署区块（默认：查找） · block of the deployment")
    ] = None,
    days: DaysOption = 365,
    development: Annotated[
        bool, typer.Option("--development", help="开发链：结论最高为演示级 · a development chain: demonstration grade")
    ] = False,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="不签封的开发节点（anvil） · a development node that seals nothing")
    ] = False,
    clique_epoch: Annotated[int, typer.Option(min=1, help="Clique 纪元区块数 · blocks of a Clique epoch")] = 30_000,
    public_key: Annotated[
        list[str] | None, typer.Option(help="secp256r1 验证者公钥 0x… · a validator's public key X‖Y (secp256r1)")
    ] = None,
    equal: Annotated[
        int | None, typer.Option(min=1, max=64, help="FISCO BCOS：须相同的答复数 · equal answers needed (FISCO BCOS)")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, max=64, help="FISCO BCOS：节点数 · of how many nodes (FISCO BCOS)")
    ] = None,
    ca_file: CaFileOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """读取节点，生成并签署信任配置。 · Make a profile from a node and sign it; compare it before others rely on it."""
    check_output(output)
    if (equal is None) != (nodes is None):
        raise usage_error("--equal 与 --nodes 须一并给出 · give --equal and --nodes together, for FISCO BCOS")
    request = ProfileRequest(
        profile_id=profile_id,
        contract=address_from_hex(contract.lower(), what="--contract"),
        deploy_block=deploy_block,
        development=development,
        unsealed=unsealed,
        clique_epoch=clique_epoch,
        public_keys=tuple(from_hex(each, what="--public-key", max_bytes=64, length=64) for each in public_key or ()),
        answers=None if equal is None or nodes is None else AnswersPolicy(equal, nodes),
    )
    endpoint = _node(rpc, ca_file)
    with open_workspace(workspace) as opened:
        origin = opened.settings.origin
        profile = make_profile(endpoint, request, default_id=lambda chain: names.profile_id(origin, chain))
        file = _issue(opened, profile, output, days)
    _print_issued(file, output, BY_WORD, as_json=as_json)


@_profile.command("update")
def update(
    file: ProfileFileArgument,
    rpc: RpcOption,
    output: OutputOption,
    days: DaysOption = 365,
    by_word: Annotated[
        bool,
        typer.Option("--take-validators", help="采信节点所报的验证者 · take the validators on its word"),
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="同时更新本方信任列表 · put it into this home's trust list too")
    ] = False,
    ca_file: CaFileOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """跟随验证者变更，签署新版本；从不倒退。 · Follow the validators to a new version and sign it; never goes back."""
    check_output(output)
    data = read_at_most(file, PROFILE_FILE_MAX_BYTES)
    with open_workspace(workspace) as opened:
        old = parse_profile_file(data)
        verify_profile_file(data, held_list_key(opened.keyring, old.key_id), old.issued_at)
        _check_forward(old, output)
        profile = renew_profile(_node(rpc, ca_file), old.profile, by_word=by_word)
        if publish:
            list_profile(opened, profile)
        issued = _issue(opened, profile, output, days)
    _print_issued(issued, output, ("validatorSets",) if by_word else (), as_json=as_json)


@_profile.command("show")
def show(file: ProfileFileArgument, as_json: JsonOption = False) -> None:
    """显示信任配置（不核验签名）。 · Show what a profile file says; its signature is not verified."""
    shown = parse_profile_file(read_at_most(file, PROFILE_FILE_MAX_BYTES))
    if as_json:
        print_json(_members(shown, verified=False))
        return
    _print_profile(shown)
    console().print("签名未核验，请用 verify · the signature was not verified: see 'chain profile verify'")


@_profile.command("verify")
def verify(
    file: ProfileFileArgument,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="签署方公钥 · the operator's key, PEM or JWK")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="信任文件 · the operator's trust file")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """核验信任配置的签名与有效期。 · Verify signature and dates. Exit: 0 valid, 1 invalid, 69 out of date."""
    now = clock.now()
    verified = verify_profile_file(read_at_most(file, PROFILE_FILE_MAX_BYTES), _read_key(key, trust, now), now)
    if as_json:
        print_json(_members(verified, verified=True))
        return
    _print_profile(verified)
    console().print("✔ 签名与有效期成立 · signature and dates hold")


def _node(url: str, ca_file: Path | None) -> Endpoint:
    return http_endpoint(url, tls=None if ca_file is None else node_roots(ca_file))


def _read_key(key: Path | None, trust: Path | None, now: int) -> PublicKey:
    if key is not None and trust is None:
        return parse_public_key(read_at_most(key, KEY_FORM_MAX_BYTES))
    if trust is not None and key is None:
        data = read_at_most(trust, MAX_TRUST_FILE_BYTES)
        open_trust(data, now)
        return parse_trust_file(data).list_key
    raise usage_error("需给出 --key 或 --trust 之一 · give one of --key and --trust")


def _check_forward(old: ProfileFile, output: Path) -> None:
    """Neither an older date than the file's, nor over a file with a version that is later or of something else."""
    if clock.now() < old.issued_at:
        raise RefusedError("anchor.profile-back", "the profile is of a later day than this machine's clock")
    if not output.exists():
        return
    present = parse_profile_file(read_at_most(output, PROFILE_FILE_MAX_BYTES)).profile
    if (present.profile_id, present.version) > (old.profile.profile_id, old.profile.version):
        raise RefusedError("anchor.profile-back", f"{output.name} holds version {present.version} already")


def _signer(workspace: Workspace, now: int) -> Signer:
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, now)
    return workspace.keyring.signer(list_key_name(workspace.keyring, trust.list, now))


def _issue(workspace: Workspace, profile: TrustProfile, output: Path, days: int) -> ProfileFile:
    now = clock.now()
    data = issue_profile_file(
        _signer(workspace, now), profile, issuer=workspace.operator, issued_at=now, valid_until=now + days * _DAY
    )
    write_output(output, data)
    return parse_profile_file(data)


def _members(file: ProfileFile, *, verified: bool) -> dict[str, JsonValue]:
    return {
        "issuer": file.issuer,
        "issued_at": file.issued_at,
        "valid_until": file.valid_until,
        "key": file.key_id,
        "verified": verified,
        "profile": profile_to_json(file.profile),
    }


def _print_issued(file: ProfileFile, output: Path, by_word: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({**_members(file, verified=True), "file": str(output), "by_word_of_the_node": list(by_word)})
        return
    _print_profile(file)
    out = console()
    out.print(f"已写入 written to {output}", markup=False)
    if by_word:
        out.print("仅凭节点所言，须由两人与链运营方公布的内容核对 · on the node's word only, two people must compare:")
        out.print(f"  {', '.join(by_word)}", markup=False)


def _print_profile(file: ProfileFile) -> None:
    profile, out = file.profile, console()
    grade = " ".join(GRADES[profile.max_grade.value])
    lines = [
        f"配置 profile          {profile.profile_id}   版本 version {profile.version}",
        f"签署 issued by        {file.issuer}   {time_text(file.issued_at)} – {time_text(file.valid_until)}",
        f"签名公钥 key          {file.key_id}",
        f"链 chain              id {profile.chain_id}   创世 genesis {to_hex(profile.genesis_hash)}",
        f"区块 blocks           {profile.from_block} – {_block(profile.to_block)}",
        f"共识 consensus        {profile.consensus}   签封 seals {profile.seal_algorithm}   {profile.quorum_rule}",
        f"最高等级 max grade    {profile.max_grade}（{grade}）",
    ]
    for each in profile.validator_sets:
        lines.append(f"验证者 validators     {each.from_block} – {_block(each.to_block)}   来源 source {each.source}")
        lines.extend(f"  {to_hex(address)}" for address in each.addresses)
    for pin in profile.contracts:
        lines.append(f"合约 contract         {to_hex(pin.address)}   自区块 from block {pin.from_block}   {pin.layout}")
        lines.append(f"  代码 code hash      {to_hex(pin.code_hash)}")
    lines.append(f"变更 hand-over        {_handoff_words(profile.handoff)}")
    if (clique := profile.clique) is not None:
        lines.append(f"Clique                {clique.min_distinct_signers} 签名者 signers, epoch {clique.epoch}")
    if profile.answers is not None:
        lines.append(f"答复 answers          {profile.answers.equal} / {profile.answers.nodes}")
    out.print(Text("\n".join(lines)), soft_wrap=True)


def _handoff_words(policy: HandoffPolicy) -> str:
    if not policy.allowed:
        return "不允许 not allowed"
    return f"至多 at most {policy.max_steps} 步 steps，不少于 from {policy.min_set} 验证者 validators on"


def _block(number: int | None) -> str:
    return "今 now" if number is None else str(number)
