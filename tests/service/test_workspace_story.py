"""The whole way through ``api`` on both databases: register, anchor, grant, retrieve, revoke, verify, check."""

from collections.abc import Iterator
from dataclasses import replace
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
from api.names import organisation
from api.organisations import add_organisation
from api.registering import change_material_status, issuer_keys, register_material
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import current_trust, export_trust
from api.workspace import Workspace
from materials.bundle import parse_bundle
from materials.catalogue import load_catalogue
from materials.events import EventCode, parse_event
from materials.registry.submission import SubmittedFile
from materials.report import Facet, Verdict, VerificationReport
from materials.verification import verify_bundle
from signing import RefusedError


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
    ended = make_bundle(workspace, certificate.jti)
    assert verify(workspace, ended)["status"].code == "status.revoked"
    check_the_day_before(workspace, ended)
    assert list(fsck(workspace, clock.now())) == []
    assert narrator.surprises == 0
    again, *_ = issue_three(workspace, narrator)
    assert again.jti == licence.jti


def check_the_day_before(workspace: Workspace, ended: bytes) -> None:
    """A list younger than the decision time can't speak of that day; the one of that day can."""
    bundle = parse_bundle(ended)
    event = parse_event(bundle.events[0].token).event
    trust = export_trust(workspace, clock.now())

    def status(data: bytes, now: int) -> str:
        return verify_bundle(data, trust, now=now, catalogue=workspace.catalogue)["status"].code

    day_before = event.effective - 3600
    assert status(ended, event.effective) == "status.revoked"
    assert status(ended, day_before) == "status.history"
    assert status(make_bundle(workspace, event.sub, as_of=day_before), day_before) == "status.missing"
    of_then = make_bundle(workspace, event.sub, as_of=event.effective)
    assert status(of_then, event.effective) == "status.revoked"


def test_what_is_required_may_not_go_unchecked(workspace: Workspace) -> None:
    licence, *_ = issue_three(workspace, Narrator())
    anchor(workspace)
    bundle, now = make_bundle(workspace, licence.jti), clock.now()
    trust = export_trust(workspace, now)
    report = verify_bundle(bundle, trust, now=now, catalogue=workspace.catalogue, required=[Facet.GRANT])
    assert (report.verdict, report["grant"].code) == (Verdict.UNDETERMINED, "grant.missing")


def test_a_second_department_issues_under_its_own_keys(workspace: Workspace) -> None:
    now = clock.now()
    bureau = cast.district_bureau(workspace.catalogue)
    add_organisation(workspace, replace(bureau, uscc="11310117MB9F000279", bases=()), now)
    fields = cast.example_fields(cast.REPORT, workspace.catalogue, 0)
    with cast.REPORT.path.open("rb") as stream:
        registered = register_material(
            workspace,
            type_code=cast.REPORT.type_code,
            issuer=organisation("11310117MB9F000279"),
            fields=fields,
            files=[SubmittedFile(stream, "application/json")],
        )
    report = verify(workspace, make_bundle(workspace, registered.record.jti))
    assert {finding.code for finding in report.findings} == {"ok", "anchor.pending", "not-checked"}
    change_material_status(workspace, registered.record.jti, code=EventCode.SUSPENDED, reason="under-review")
    assert verify(workspace, make_bundle(workspace, registered.record.jti))["status"].code == "status.suspended"
    assert list(fsck(workspace, clock.now())) == []


def test_an_organisation_without_keys_here_is_refused(workspace: Workspace) -> None:
    with workspace.database.read() as connection:
        trust = current_trust(workspace, connection, clock.now())
    stranger = organisation("11330106MB9F000439")
    with pytest.raises(RefusedError, match="keeps no issuing key") as refused:
        issuer_keys(workspace.keyring, trust, stranger, clock.now())
    assert refused.value.code == "registration.no-key"
