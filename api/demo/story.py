"""The story from beginning to end. It may be told again in the same workspace."""

from dataclasses import replace
from pathlib import Path

import typer

from api.demo.archiving import check_everything, find_flipped_bit
from api.demo.cast import LICENCE, ORIGIN, check_examples, district_bureau
from api.demo.issuing import anchor_all, issue_three, write_bundles
from api.demo.narrator import Narrator
from api.demo.reusing import grant_down, prepare_parties, use_and_refuse
from api.demo.verifying import refuse_forgeries, revoke_one, verify_offline, without_chain
from api.keys.organisation_keys import KeyTerms
from api.setup import NewWorkspace, create_workspace
from api.workspace import Workspace
from materials.catalogue import load_catalogue


def run_demo(folder: Path) -> None:
    """Tell the story in the workspace ``folder``, made if absent. Exits with 1 if anything is not as told."""
    check_examples()
    narrator, catalogue = Narrator(), load_catalogue()
    narrator.say(
        "电子材料账本演示：签发、上链、授权、跨省复用、离线核验。", "The e-materials ledger, from a file to a verdict."
    )
    with narrator.working(
        "准备工作区：密钥、数据库、开发链、合约", "preparing keys, database, development chain, contract"
    ):
        bureau = replace(district_bureau(catalogue), keys=KeyTerms("dual"))
        created = create_workspace(folder, NewWorkspace(bureau, ORIGIN))
    narrator.show("工作区 workspace", f"{folder}（{'新建 new' if created else '沿用 kept from an earlier run'}）")
    with Workspace.open(folder) as workspace:
        _tell(workspace, narrator, folder / "bundles")
    _next_steps(narrator, folder)
    raise typer.Exit(1 if narrator.surprises else 0)


def _tell(workspace: Workspace, narrator: Narrator, bundles: Path) -> None:
    issued = issue_three(workspace, narrator)
    licence, certificate, _ = issued
    anchor_all(workspace, narrator)
    write_bundles(workspace, narrator, issued, bundles)
    prepare_parties(workspace, narrator)
    chain = grant_down(workspace, narrator, licence, bundles)
    received = use_and_refuse(workspace, narrator, licence, chain, bundles)
    trust = write_bundles(workspace, narrator, [licence], bundles).read_bytes()
    whole, pdf = (bundles / f"{licence.jti}.json").read_bytes(), LICENCE.path.read_bytes()
    verify_offline(narrator, received, whole, trust, pdf, workspace.catalogue)
    refuse_forgeries(narrator, whole, trust, pdf, workspace.catalogue)
    revoke_one(workspace, narrator, certificate, trust, bundles)
    without_chain(workspace, narrator, trust)
    anchor_all(workspace, narrator)
    check_everything(workspace, narrator)
    find_flipped_bit(workspace, narrator)


def _next_steps(narrator: Narrator, folder: Path) -> None:
    narrator.chapter("接下来可以试", "What to try next")
    bundles = folder / "bundles"
    for command in (
        "source .venv/bin/activate",
        f"ematerials verify {bundles}/received.json --trust {bundles}/trust.json --profile GM",
        f"ematerials fsck -w {folder}",
        f"ematerials log export /tmp/log -w {folder}",
        f"ematerials serve -w {folder}        # http://127.0.0.1:8080",
        "ematerials --help",
    ):
        narrator.show("$", command)
