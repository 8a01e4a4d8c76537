"""The whole way through ``api`` on both databases: register, anchor, grant, retrieve, revoke, verify, check."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.checking import fsck
from api.demo import cast
from api.demo.issuing import issue_three
from api.demo.narrator import Narrator
from api.demo.reusing import grant_down, prepare_parties, use_and_refuse
from api.registering import change_material_status
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.catalogue import load_catalogue
from materials.events import EventCode
from materials.report import Verdict, VerificationReport
from materials.verification import verify_bundle


@pytest.fixture
def workspace(database_url: str, tmp_path: Path) -> Iterator[Workspace]:
    folder = tmp_path / "workspace"
    operator = cast.district_bureau(load_catalogue())
    assert create_workspace(folder, NewWorkspace(operator, cast.ORIGIN, database=database_url))
    assert not create_workspace(folder, NewWorkspace(operator, cast.ORIGIN, database=database_url))
    with Workspace.open(folder) as opened:
        yield opened


def verify(workspace: Workspace, bundle: bytes) -> VerificationReport:
    now = clock.now()
    return verify_bundle(bundle, export_trust(workspace, now), now=now, catalogue=workspace.catalogue)


def test_the_whole_way(workspace: Workspace, tmp_path: Path) -> None:
    narrator = Narrator()
    licence, certificate, _ = issue_three(workspace, narrator)
    assert verify(workspace, make_bundle(workspace, licence.jti)).verdict is Verdict.UNDETERMINED
    submission = anchor(workspace)
    assert submission is not None
    assert submission.size == 4
    assert anchor(workspace) is None
    assert verify(workspace, make_bundle(workspace, licence.jti)).verdict is Verdict.VALID

    prepare_parties(workspace, narrator)
    chain = grant_down(workspace, narrator, licence, tmp_path)
    received = use_and_refuse(workspace, narrator, licence, chain, tmp_path)
    report = verify(workspace, received)
    assert report.verdict is Verdict.VALID
    assert report["grant"].verdict is Verdict.VALID

    change_material_status(workspace, certificate.jti, code=EventCode.REVOKED, reason="issued-in-error")
    assert verify(workspace, make_bundle(workspace, certificate.jti))["status"].code == "status.revoked"
    assert list(fsck(workspace, clock.now())) == []
    assert narrator.surprises == 0
    again, *_ = issue_three(workspace, narrator)
    assert again.jti == licence.jti
