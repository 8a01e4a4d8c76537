"""Chapter 1: a district department issues three materials, and they are anchored."""

from pathlib import Path

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.cli.options import media_type
from api.demo.cast import MATERIALS, Issued, example_fields
from api.demo.narrator import Narrator
from api.registering import register_material
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.ids import EntityId
from materials.registry.submission import SubmittedFile

_SERIALS = 10_000_000


def issue_three(workspace: Workspace, narrator: Narrator) -> list[Issued]:
    """Register the examples; those registered by an earlier run keep their ids."""
    narrator.chapter("一、区部门签发三份材料", "1. A district department issues three materials")
    narrator.say(
        "文件取自 examples/；人物与企业均为虚构。",
        "The files are those of examples/; all people and companies are invented.",
    )
    issued = []
    for example in MATERIALS:
        with (
            narrator.working(f"签发{example.chinese}", f"issuing the {example.english}"),
            example.path.open("rb") as stream,
        ):
            registered = register_material(
                workspace,
                type_code=example.type_code,
                issuer=EntityId(workspace.operator),
                fields=example_fields(example, workspace.catalogue, clock.now() % _SERIALS),
                files=[SubmittedFile(stream, media_type(example.path))],
                legal_basis="sample-regulation-1",
            )
        record = registered.record
        state = "新登记 new" if registered.is_new else "此前已登记，编号不变 registered before, same id"
        narrator.show(example.chinese, f"{record.jti}   日志序号 log index {record.log_index}   {state}")
        issued.append(Issued(example, record.jti))
    narrator.say(
        "日志里只有签名声明：没有姓名、号码，也没有可猜的摘要。",
        "The log holds the signed statements only: no name, no number, no digest that could be guessed.",
    )
    return issued


def anchor_all(workspace: Workspace, narrator: Narrator) -> None:
    """One transaction for all that is new."""
    with narrator.working(
        "锚定上链：合约核对一致性证明，四个验证者签封", "anchoring: one transaction, four validators"
    ):
        submission = anchor(workspace)
    if submission is None:
        narrator.say("最新检查点此前已上链。", "The newest checkpoint is on the chain already.")
        return
    transaction = "–" if submission.tx_hash is None else submission.tx_hash.hex()
    narrator.show("交易 transaction", f"0x{transaction}")
    narrator.show("区块 block", f"{submission.block_number}   日志大小 log size {submission.size}   {submission.state}")


def write_bundles(workspace: Workspace, narrator: Narrator, issued: list[Issued], folder: Path) -> Path:
    """A bundle for each material, and the trust file; returns the trust file's path."""
    folder.mkdir(exist_ok=True)
    for material in issued:
        data = make_bundle(workspace, material.jti)
        (folder / f"{material.jti}.json").write_bytes(data)
        narrator.show("证据包 bundle", f"{folder / material.jti}.json   {len(data)} 字节 bytes")
    trust = folder / "trust.json"
    trust.write_bytes(export_trust(workspace, clock.now()))
    narrator.show("信任文件 trust file", str(trust))
    return trust
