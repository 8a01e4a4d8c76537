"""``key rotate`` and ``key revoke``: other keys in the trust list."""

from typing import Annotated, Final

import typer

from api import clock
from api.cli.options import JsonOption, WorkspaceOption, open_workspace, read_time, usage_error
from api.cli.output import console, print_json, time_text
from api.keys.key_changes import Revoked, Rotated, Successor, revoke_key, rotate_key
from materials.trust.model import RevocationReason
from signing import Algorithm, JsonValue

HsmOption = Annotated[
    bool | None, typer.Option("--hsm/--no-hsm", help="存于 HSM 或文件（默认：沿用） · in the HSM (default: as it was)")
]
AlgorithmOption = Annotated[
    Algorithm | None, typer.Option(help="算法（默认：沿用） · algorithm (default: as it was)", show_default=False)
]
_STOPS: Final = {
    "issue": (
        "其签发的材料，只有上链或时间戳证明早于该时间的仍有效",
        "materials issued with it count only where an anchor or a time stamp proves them older",
    ),
    "status": (
        "其签署的状态事件与状态列表不再作数；本机构的状态列表随即重新签发",
        "events and status lists signed with it count no more; the home signs its own lists anew",
    ),
    "grant": ("以其开立或转授的授权全部失效，须重新开立", "all grants opened or passed on with it end: open them anew"),
    "api": (
        "以其签名的请求一律拒绝；以其为被授权方的授权须重新转授",
        "calls signed with it are refused; grants to it end",
    ),
    "list": (
        "其签署的信任列表不再可信：请经另一渠道重新分发信任文件",
        "trust lists signed with it prove nothing: hand out the trust file anew, by another way",
    ),
}
_AFTER: Final = {
    "list": (
        "核验方用 trust update 随列表换钥，或经另一渠道核对新指纹",
        "verifiers follow with 'trust update', or compare the new key id over another channel",
    ),
    "grant": ("指定旧密钥的授权须重新转授", "grants that name the old key have to be passed on anew"),
    "api": ("指定旧密钥的授权须重新转授", "grants that name the old key have to be passed on anew"),
}


def add_to(keys: typer.Typer) -> None:
    """Add the commands of this module to the group ``key``."""
    keys.command("rotate")(rotate)
    keys.command("revoke")(revoke)


def rotate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="uscc:代码.用途 或 home.list · the key's name")],
    algorithm: AlgorithmOption = None,
    hsm: HsmOption = None,
    at: Annotated[str | None, typer.Option(help="自何时起用新密钥（默认：现在） · from when (default: now)")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """换用新密钥，发布信任列表；旧密钥此前的签名仍有效。 · Take a new key; what the old one signed stays valid."""
    now = clock.now()
    begins = now if at is None else read_time(at)
    if begins < now:
        raise usage_error("轮换时间不能早于现在 · a rotation can't begin in the past")
    with open_workspace(workspace) as opened:
        rotated = rotate_key(opened, name, Successor(algorithm, hsm), at=begins, now=now)
    if as_json:
        print_json(_rotated_json(rotated))
        return
    out = console()
    out.print(f"新密钥 new key   {rotated.name}   {rotated.key.public_key.algorithm}", markup=False, soft_wrap=True)
    out.print(f"编号 key id      {rotated.key.key_id}   自 from {time_text(rotated.key.nbf)}", markup=False)
    for key_id in rotated.ended:
        out.print(f"旧密钥 old key   {key_id}", markup=False)
    for line in _AFTER.get(rotated.key.role, ()):
        console(to_stderr=True).print(line, markup=False)


def _rotated_json(rotated: Rotated) -> dict[str, JsonValue]:
    return {
        "name": rotated.name,
        "role": rotated.key.role,
        "algorithm": rotated.key.public_key.algorithm,
        "key_id": rotated.key.key_id,
        "nbf": rotated.key.nbf,
        "exp": rotated.key.exp,
        "ended": list[JsonValue](rotated.ended),
    }


def revoke(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="密钥编号或名称（以 - 开头的编号放在 -- 之后） · key id or name")
    ],
    reason: Annotated[RevocationReason, typer.Option(help="原因：泄露、停用、未说明 · why it ends")],
    at: Annotated[str | None, typer.Option(help="自何时起（默认：现在） · from when (default: now)")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · do not ask")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """撤销密钥，发布信任列表；不可收回。 · Revoke a key and publish the trust list; this is not taken back."""
    now = clock.now()
    begins = None if at is None else read_time(at)
    if begins is not None and begins > now:
        raise usage_error("撤销时间不能晚于现在 · a revocation can't begin in the future")
    if not yes:
        typer.confirm(f"{name}: 撤销后不可收回，继续？ · this is not taken back. Go on?", abort=True, err=True)
    with open_workspace(workspace) as opened:
        revoked = revoke_key(opened, name, reason, at=begins, now=now)
    if as_json:
        print_json(_revoked_json(revoked))
        return
    ended = revoked.key.revoked
    if ended is not None:
        state = "已撤销 revoked" if revoked.changed else "此前已撤销 revoked before"
        out = console()
        out.print(f"{state}   {revoked.entity.id}.{revoked.key.role}   {revoked.key.key_id}", markup=False)
        out.print(f"原因 reason   {ended.reason}   自 from {time_text(ended.at)}", markup=False)
    if reason != "superseded":
        for line in _STOPS.get(revoked.key.role, ()):
            console(to_stderr=True).print(line, markup=False)


def _revoked_json(revoked: Revoked) -> dict[str, JsonValue]:
    ended = revoked.key.revoked
    return {
        "entity": revoked.entity.id,
        "role": revoked.key.role,
        "key_id": revoked.key.key_id,
        "revoked": None if ended is None else {"at": ended.at, "reason": ended.reason},
        "changed": revoked.changed,
    }
