"""A district under a city under a province: checkpoints go up, evidence comes down, bundles carry every level."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.checking import check_steps, fsck
from api.ledgers_of_others import add_ledgers, other_logs, remove_ledger
from api.parenting import Submitted, parent_state, submit_checkpoint
from api.settings import ChildrenSettings, ParentSettings
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from ledger.child import parse_child_entry
from ledger.fsck import NO_COURSE
from materials.bundle import Bundle, format_bundle, parse_bundle
from materials.catalogue import load_catalogue
from materials.report import Facet, Finding, VerificationReport
from materials.store.parents import parent_evidence
from materials.verification import open_trust, verify_bundle
from signing import LedgerError, RefusedError, UnavailableError, VerificationError
from tests.support.http_world import running, wait_for
from tests.support.workspace_world import Story, district_bureau, make_keys_cheap


@dataclass
class Family:
    district: Workspace
    city: Workspace
    province: Workspace
    city_url: str
    story: Story

    def bundle(self, material: str) -> bytes:
        return make_bundle(self.district, self.story.materials[material])

    def judge(self, data: bytes, trust: bytes | None = None) -> VerificationReport:
        trust = trust or export_trust(self.district, clock.now())
        return verify_bundle(data, trust, now=clock.now(), catalogue=self.story.catalogue)


def settle(workspace: Workspace, **sections: object) -> None:
    workspace.settings = workspace.settings.model_copy(update=sections)


def home(folder: Path, origin: str) -> Workspace:
    create_workspace(folder, NewWorkspace(district_bureau(load_catalogue()), origin))
    make_keys_cheap(folder)
    return Workspace.open(folder)


def finding(report: VerificationReport, facet: Facet) -> Finding:
    return next(each for each in report.findings if each.facet is facet)


@pytest.fixture(scope="module")
def family(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    folder = tmp_path_factory.mktemp("family")
    with ExitStack() as stack:
        district = stack.enter_context(Workspace.open(story.copy(folder / "district")))
        city = stack.enter_context(home(folder / "city", "city.test/ledger"))
        province = stack.enter_context(home(folder / "province", "province.test/ledger"))
        settle(city, children=ChildrenSettings(logs=(district.log_key.format(),)))
        settle(province, children=ChildrenSettings(logs=(city.log_key.format(),)))
        above = ParentSettings(url=stack.enter_context(running(province)), vkey=province.log_key.format())
        settle(city, parent=above)
        url = stack.enter_context(running(city))
        settle(district, parent=ParentSettings(url=url + "/", vkey=city.log_key.format()))
        submit_checkpoint(district)
        wait_for(lambda: parent_state(city).anchored_size >= 2)
        wait_for(lambda: (state := submit_checkpoint(district)).anchored_size == state.size > 0)
        for other in (city, province):
            add_ledgers(district, open_trust(export_trust(other, clock.now()), clock.now()), clock.now())
        yield Family(district, city, province, url, story)


def test_a_material_that_no_chain_of_its_own_holds_is_anchored_by_its_parents(family: Family) -> None:
    data = family.bundle("unanchored")
    bundle = parse_bundle(data)
    assert len(bundle.parents) == 2
    entry = parse_child_entry(bundle.parents[0].entry)
    assert (entry.head.origin, bundle.parents[0].growth) == (family.district.settings.origin, ())
    assert parse_child_entry(bundle.parents[1].entry).head.origin == "city.test/ledger"
    report = family.judge(data)
    assert finding(report, Facet.ANCHOR).code == "ok"
    assert {each.code for each in report.anchors} == {"ok"}
    assert len(report.anchors) == 2
    assert report.anchored_at is not None
    assert report.verdict == "valid"


def test_anchors_of_its_own_chain_stand_beside_those_above(family: Family) -> None:
    data = family.bundle("business-licence")
    bundle = parse_bundle(data)
    assert bundle.parents[0].growth != ()  # its own chain anchored a smaller tree first
    report = family.judge(data)
    assert [each.code for each in report.anchors] == ["ok"] * 3
    assert report.verdict == "valid"


def test_who_does_not_know_the_parents_relies_on_the_rest(family: Family) -> None:
    report = family.judge(family.bundle("business-licence"), family.story.trust)
    assert finding(report, Facet.ANCHOR).code == "anchor.partly-checked"
    assert report.verdict == "valid"
    report = family.judge(family.bundle("unanchored"), family.story.trust)
    assert finding(report, Facet.ANCHOR).verdict == "undetermined"


def changes(bundle: Bundle) -> Iterator[Bundle]:
    first, second = bundle.parents
    proof = first.growth[0]
    flipped = bytes([proof[0] ^ 1]) + proof[1:]
    yield replace(bundle, parents=(replace(first, growth=(flipped, *first.growth[1:])), second))
    yield replace(bundle, parents=(replace(first, growth=()), second))
    yield replace(bundle, parents=(replace(first, entry=first.entry.replace(b"old ", b"old 1", 1)), second))
    yield replace(bundle, parents=(replace(first, entry=second.entry), second))
    yield replace(bundle, parents=(replace(first, receipt=second.receipt), second))
    yield replace(bundle, parents=(replace(first, receipt=bundle.receipt), second))
    renamed = second.receipt.replace(b"\nprovince.test/ledger\n", b"\nprovince.test/ledgeR\n")
    yield replace(bundle, parents=(first, replace(second, receipt=renamed)))
    yield replace(bundle, parents=(first, replace(second, entry=first.entry)))
    yield replace(bundle, parents=(second, first))
    yield replace(bundle, parents=(replace(first, entry=b"ematerials/commitment/v1\nx\n"), second))


def test_what_is_false_in_a_level_is_found(family: Family) -> None:
    bundle = parse_bundle(family.bundle("business-licence"))
    for number, changed in enumerate(changes(bundle)):
        report = family.judge(format_bundle(changed))
        found = finding(report, Facet.ANCHOR)
        assert (number, found.verdict) == (number, "invalid"), found


def test_levels_without_anchors_prove_nothing(family: Family) -> None:
    bundle = parse_bundle(family.bundle("unanchored"))
    report = family.judge(format_bundle(replace(bundle, anchor=None, anchors=())))
    assert finding(report, Facet.ANCHOR).code == "anchor.pending"
    report = family.judge(format_bundle(replace(bundle, parents=())))
    assert finding(report, Facet.ANCHOR).code == "anchor.not-covered"
    assert report.anchored_at is None


def test_again_is_harmless_and_fsck_is_content(family: Family) -> None:
    state = parent_state(family.district)
    assert submit_checkpoint(family.district) == state
    for workspace in (family.district, family.city):
        assert [each for each in fsck(workspace, clock.now()) if not each.undetermined] == []
    with family.district.database.read() as connection:
        kept = next(row for row in connection.execute(select(parent_evidence)).all() if row.anchored)
    for damage in (
        {"evidence": kept.evidence.replace(b"old 0", b"old 9")},
        {"evidence": spoilt(kept.evidence, b'"accountProof":["0x')},
        {"evidence": spoilt(kept.evidence, "\\n— city.test/ledger ".encode())},
        {"anchored": False},
        {"size": kept.size - 1},
    ):
        assert codes_after(family.district, kept._asdict(), damage) == ["fsck.parent"], damage.keys()


def spoilt(evidence: bytes, after: bytes) -> bytes:
    """With another digit or letter 40 characters after ``after``."""
    at = evidence.index(after) + len(after) + 40
    return evidence[:at] + (b"1" if evidence[at : at + 1] == b"0" else b"0") + evidence[at + 1 :]


def codes_after(workspace: Workspace, kept: dict[str, object], damage: dict[str, object]) -> list[str]:
    """What the check of parent and children finds in a damaged row, which is put back."""
    change = update(parent_evidence)
    with workspace.database.write() as connection:
        connection.execute(change.where(parent_evidence.c.size == kept["size"]).values(**damage))
    with workspace.database.read() as connection:
        steps = dict(check_steps(workspace, connection, clock.now(), NO_COURSE))
        codes = [each.code for each in steps["parent and children"]()]
    with workspace.database.write() as connection:
        connection.execute(change.where(parent_evidence.c.size == damage.get("size", kept["size"])).values(**kept))
    return codes


def test_a_parent_that_is_not_the_one_in_the_settings(family: Family) -> None:
    settings = family.district.settings.parent
    assert settings is not None
    wrong = settings.model_copy(update={"vkey": family.province.log_key.format()})
    with family.district.database.write() as connection:
        signer = family.district.keyring.signer("home.log")
        family.district.log(connection).append([b"one more"], signer=signer, known_head=None)
    settle(family.district, parent=wrong)
    try:
        with pytest.raises(VerificationError) as caught:
            submit_checkpoint(family.district)
        assert caught.value.code == "parent.evidence"
        settle(family.district, parent=settings.model_copy(update={"url": "http://127.0.0.1:9"}))
        with family.district.database.write() as connection:
            family.district.log(connection).append([b"and one"], signer=signer, known_head=None)
        with pytest.raises(UnavailableError) as away:
            submit_checkpoint(family.district)
        assert away.value.code == "parent.unreachable"
    finally:
        settle(family.district, parent=settings)
    assert isinstance(submit_checkpoint(family.district), Submitted)


def test_who_is_heard(family: Family) -> None:
    with httpx.Client(base_url=family.city_url) as http:
        assert http.get("/children/evidence", params={"origin": "x", "size": "1"}).status_code == 404
        assert http.get("/children/evidence", params={"origin": "x", "size": "01"}).status_code == 400
        assert (
            http.get("/children/evidence", params={"origin": "x\0", "size": "1"}).status_code == 400
        )  # no database text
        assert http.head("/children/evidence", params={"origin": "x", "size": "1"}).status_code == 404
        assert http.post("/children/add-checkpoint", content=b"old 0\n").status_code == 400
        with family.province.database.read() as connection:
            note = family.province.log(connection).checkpoint()
        stranger = http.post("/children/add-checkpoint", content=b"old 0\n\n" + note)
        assert (stranger.status_code, stranger.json()["code"]) == (404, "witness.unknown-log")
        with family.district.database.read() as connection:
            own = family.district.log(connection).own_checkpoint_at(1) or b""
        rollback = http.post("/children/add-checkpoint", content=b"old 0\n\n" + own)
        assert rollback.status_code == 409
        assert rollback.headers["content-type"] == "text/x.tlog.size"


def test_ledgers_of_others_in_the_trust_list(family: Family) -> None:
    now = clock.now()
    assert {log.origin for log in other_logs(family.district, now)} == {"city.test/ledger", "province.test/ledger"}
    seq = open_trust(export_trust(family.district, now), now).list.seq
    city = open_trust(export_trust(family.city, now), now)
    add_ledgers(family.district, city, now)
    assert open_trust(export_trust(family.district, now), now).list.seq == seq
    (chain,) = city.list.chains
    forged = replace(city, list=replace(city.list, chains=(replace(chain, genesis_hash=bytes(32)),)))
    with pytest.raises(RefusedError):
        add_ledgers(family.district, forged, now)
    with pytest.raises(RefusedError):
        remove_ledger(family.district, family.district.settings.origin, now)
    anchor(family.district)  # by its own profile, not by one of another ledger with the same chain id
    remove_ledger(family.district, "province.test/ledger", now)
    left = open_trust(export_trust(family.district, now), now).list
    assert not any("province.test" in each.profile_id for each in left.chains)
    add_ledgers(family.district, open_trust(export_trust(family.province, now), now), now)


def test_a_home_without_parent(story: Story, tmp_path: Path) -> None:
    with Workspace.open(story.copy(tmp_path / "alone")) as alone, pytest.raises(LedgerError) as caught:
        submit_checkpoint(alone)
    assert caught.value.code == "parent.none"
