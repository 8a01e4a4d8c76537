"""Keys are rotated and revoked in a running home: what was signed before, what is signed after, and what counts."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api import clock, names
from api.anchoring import anchor
from api.bundling import make_bundle
from api.checking import fsck
from api.demo.cast import LICENCE, REPORT, district_bureau
from api.keys.current_keys import current_keys, current_signer
from api.keys.key_changes import Successor, revoke_key, rotate_key
from api.keys.organisation_keys import KeyTerms
from api.organisations import add_organisation, find_organisation
from api.reading import status_list
from api.registering import change_material_status
from api.trust_lists import export_trust, trust_history
from api.workspace import Workspace
from materials.bundle import parse_bundle
from materials.events import EventCode
from materials.ids import MaterialId
from materials.report import Facet, Verdict, VerificationReport
from materials.statement import parse_statement
from materials.status import parse_status_list
from materials.trust.lists import parse_trust_file, parse_trust_list, verify_trust_list
from materials.trust.model import Role
from materials.trust.rollover import HeldList, follow_lists
from materials.verification import verify_bundle
from signing import RefusedError
from tests.support.workspace_world import Story, register_example

SAME = Successor()


@pytest.fixture
def workspace(story: Story, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(story.copy(tmp_path / "home")) as opened:
        yield opened


def line(workspace: Workspace, role: Role) -> str:
    return names.entity_key(workspace.operator, role)


def rotate(workspace: Workspace, role: Role, wanted: Successor = SAME) -> str:
    now = clock.now()
    return rotate_key(workspace, line(workspace, role), wanted, at=now, now=now).key.key_id


def verify(workspace: Workspace, bundle: bytes, later: int = 2) -> VerificationReport:
    now = clock.now() + later
    return verify_bundle(bundle, export_trust(workspace, clock.now()), now=now, catalogue=workspace.catalogue)


def signed_by(bundle: bytes) -> str:
    return parse_statement(parse_bundle(bundle).statement).key_id


def new_report(workspace: Workspace, year: int) -> MaterialId:
    return register_example(workspace, REPORT, report_year=year)


def test_a_rotated_issuing_key_is_retired_and_the_next_one_signs(story: Story, workspace: Workspace) -> None:
    old = story.bundles["licence"]
    successor = rotate(workspace, "issue")
    report = verify(workspace, old)
    assert (report.verdict, report[Facet.ISSUER].code) == (Verdict.VALID, "key.retired")
    jti = new_report(workspace, 2011)
    anchor(workspace)
    bundle = make_bundle(workspace, jti)
    assert signed_by(bundle) == successor != signed_by(old)
    report = verify(workspace, bundle)
    assert (report.verdict, report[Facet.ISSUER].code) == (Verdict.VALID, "ok")
    assert register_example(workspace, LICENCE) == story.materials["business-licence"]
    assert list(fsck(workspace, clock.now())) == []


def test_all_roles_can_be_rotated_and_the_home_goes_on(story: Story, workspace: Workspace) -> None:
    roles: tuple[Role, ...] = ("issue", "status", "grant", "api")
    held = {role: rotate(workspace, role) for role in roles}
    entity = find_organisation(workspace, workspace.operator, clock.now())
    assert entity is not None
    for role, key_id in held.items():
        signer = current_signer(workspace.keyring, entity, role, clock.now())
        assert signer.public_key.key_id == key_id
        assert [key.key_id for key in current_keys(entity, role, clock.now() + 2)] == [key_id]
    change_material_status(workspace, story.materials["business-licence"], code=EventCode.SUSPENDED, reason="x")
    report = verify(workspace, make_bundle(workspace, story.materials["business-licence"]))
    assert (report.verdict, report[Facet.STATUS].code) == (Verdict.INVALID, "status.suspended")
    assert list(fsck(workspace, clock.now())) == []


def test_a_compromised_key_stands_only_where_an_anchor_proves_it(story: Story, workspace: Workspace) -> None:
    while clock.now() <= story.now:  # the last anchor is of that second at the latest
        time.sleep(0.1)
    revoke_key(workspace, line(workspace, "issue"), "compromised", at=None, now=clock.now())
    report = verify(workspace, story.bundles["licence"])
    assert (report.verdict, report[Facet.ISSUER].code) == (Verdict.VALID, "key.later-compromised")
    report = verify(workspace, story.bundles["unanchored"])
    assert (report.verdict, report[Facet.ISSUER].code) == (Verdict.INVALID, "key.compromised")
    with pytest.raises(RefusedError) as refused:
        new_report(workspace, 2012)
    assert refused.value.code == "registration.key"
    successor = rotate(workspace, "issue")
    assert signed_by(make_bundle(workspace, new_report(workspace, 2012))) == successor
    assert list(fsck(workspace, clock.now())) == []


def test_a_compromised_status_key_takes_its_lists_with_it(story: Story, workspace: Workspace) -> None:
    uri = names.status_uri(workspace.settings.origin)
    old = parse_status_list(status_list(workspace, uri).token).key_id
    successor = rotate(workspace, "status")
    assert parse_status_list(status_list(workspace, uri).token).key_id == old
    assert verify(workspace, make_bundle(workspace, story.materials["business-licence"])).verdict is Verdict.VALID
    revoke_key(workspace, old, "compromised", at=None, now=clock.now())
    assert parse_status_list(status_list(workspace, uri).token).key_id == successor
    assert verify(workspace, make_bundle(workspace, story.materials["business-licence"])).verdict is Verdict.VALID


def test_a_revocation_is_repeatable_and_only_gets_stronger(workspace: Workspace) -> None:
    old = workspace.keyring.public_key(line(workspace, "issue")).key_id
    rotate(workspace, "issue")
    now = clock.now()
    first = revoke_key(workspace, old, "compromised", at=now - 100, now=now)
    count = len(trust_history(workspace, 1, now))
    again = revoke_key(workspace, old, "compromised", at=None, now=now)
    assert (first.changed, again.changed, again.key.revoked) == (True, False, first.key.revoked)
    assert len(trust_history(workspace, 1, now)) == count
    for reason, at in (("superseded", None), ("unspecified", None), ("compromised", now)):
        with pytest.raises(RefusedError) as refused:
            revoke_key(workspace, old, reason, at=at, now=now)
        assert refused.value.code == "key.revoked"
    earlier = revoke_key(workspace, old, "compromised", at=now - 200, now=now).key.revoked
    assert earlier is not None
    assert earlier.at == now - 200


def test_a_rotation_whose_clock_is_behind_takes_no_revocation_back(workspace: Workspace) -> None:
    """It may have waited for the run that revoked the key, and still have its own time from before."""
    now, name = clock.now(), line(workspace, "issue")
    revoked = revoke_key(workspace, name, "compromised", at=None, now=now + 2).key
    rotate_key(workspace, name, SAME, at=now, now=now)
    entity = find_organisation(workspace, workspace.operator, now)
    assert entity is not None
    assert revoked in entity.keys


def test_a_rotation_for_later(workspace: Workspace) -> None:
    now, name = clock.now(), line(workspace, "issue")
    old = workspace.keyring.public_key(name).key_id
    planned = rotate_key(workspace, name, SAME, at=now + 1000, now=now)
    assert rotate_key(workspace, name, SAME, at=now + 2000, now=now).key == planned.key
    entity = find_organisation(workspace, workspace.operator, now)
    assert entity is not None
    for at, key_id in (
        (now, old),
        (now + 999, old),
        (now + 1000, planned.key.key_id),
        (now + 1002, planned.key.key_id),
    ):
        assert current_signer(workspace.keyring, entity, "issue", at).public_key.key_id == key_id
    assert signed_by(make_bundle(workspace, new_report(workspace, 2013))) == old


def test_the_names_of_an_ended_line_are_ambiguous_for_revocation(workspace: Workspace) -> None:
    rotate(workspace, "issue")
    with pytest.raises(RefusedError) as refused:
        revoke_key(workspace, line(workspace, "issue"), "compromised", at=None, now=clock.now())
    assert refused.value.code == "key.ambiguous"


@pytest.mark.parametrize("name", ["home.log", "home.secret", "home.governor", "home.anchor", "party.owner"])
def test_keys_that_are_not_in_the_list_stay(workspace: Workspace, name: str) -> None:
    now = clock.now()
    for change in (
        lambda: rotate_key(workspace, name, SAME, at=now, now=now),
        lambda: revoke_key(workspace, name, "compromised", at=None, now=now),
    ):
        with pytest.raises(RefusedError) as refused:
            change()
        assert refused.value.code == "key.fixed"


def test_another_algorithm_and_both_families(workspace: Workspace) -> None:
    assert rotate(workspace, "issue", Successor("ES384"))
    bundle = make_bundle(workspace, new_report(workspace, 2014))
    assert workspace.keyring.find(line(workspace, "issue"), signed_by(bundle)) is not None
    operator = district_bureau(workspace.catalogue)
    dual = replace(operator, keys=KeyTerms(algorithms=(("issue", "ES384"), ("issue", "SM2-SM3"))))
    add_organisation(workspace, dual, clock.now())
    with pytest.raises(RefusedError) as refused:
        rotate(workspace, "issue")
    assert refused.value.code == "key.ambiguous"
    gm = rotate(workspace, "issue", Successor("SM2-SM3"))
    entity = find_organisation(workspace, workspace.operator, clock.now())
    assert entity is not None
    current = {key.public_key.algorithm: key.key_id for key in current_keys(entity, "issue", clock.now() + 2)}
    assert current == {"ES384": signed_by(bundle), "SM2-SM3": gm}


def test_the_list_key_is_followed_from_list_to_list(story: Story, workspace: Workspace) -> None:
    file = parse_trust_file(story.trust)
    held = HeldList(verify_trust_list(file.trust_list, file.list_key, story.now), file.list_key)
    before = held.verified.list.seq
    now = clock.now()
    rotated = rotate_key(workspace, names.LIST_KEY, SAME, at=now, now=now)
    exported = parse_trust_file(export_trust(workspace, now))
    assert exported.list_key.key_id == rotated.key.key_id != file.list_key.key_id
    newest = follow_lists(held, trust_history(workspace, before + 1, now), now=now)
    assert (newest.key, newest.verified.text) == (exported.list_key, exported.trust_list)
    ended = [key.revoked for key in newest.verified.list.find_entity(workspace.operator).keys if key.role == "list"]
    assert [None if each is None else each.reason for each in ended] == ["superseded", None]
    jti = new_report(workspace, 2015)  # the registration policy names the first list key
    anchor(workspace)
    assert verify(workspace, make_bundle(workspace, jti)).verdict is Verdict.VALID
    assert verify(workspace, story.bundles["licence"]).verdict is Verdict.VALID
    again = rotate_key(workspace, names.LIST_KEY, SAME, at=clock.now(), now=clock.now())
    assert parse_trust_file(export_trust(workspace, now)).list_key.key_id == again.key.key_id
    newest = follow_lists(held, trust_history(workspace, 1, now), now=clock.now())
    assert newest.key.key_id == again.key.key_id
    assert list(fsck(workspace, clock.now())) == []


def test_a_list_key_announced_for_later_waits(workspace: Workspace) -> None:
    now = clock.now()
    old = parse_trust_file(export_trust(workspace, now)).list_key.key_id
    planned = rotate_key(workspace, names.LIST_KEY, SAME, at=now + 3600, now=now)
    assert rotate_key(workspace, names.LIST_KEY, SAME, at=now + 7200, now=now).key == planned.key
    rotate(workspace, "issue")
    assert parse_trust_file(export_trust(workspace, now)).list_key.key_id == old
    rotate_key(workspace, line(workspace, "grant"), SAME, at=now + 3600, now=now + 3600)
    texts = trust_history(workspace, 1, now + 3600)
    last = parse_trust_list(texts[-1])
    assert [key.revoked is None for key in last.find_entity(workspace.operator).keys if key.role == "list"] == [
        False,
        True,
    ]


def test_the_key_that_signs_the_list_is_not_revoked(workspace: Workspace) -> None:
    first = workspace.keyring.public_key(names.LIST_KEY).key_id
    now = clock.now()
    rotated = rotate_key(workspace, names.LIST_KEY, SAME, at=now, now=now)
    with pytest.raises(RefusedError) as refused:
        revoke_key(workspace, rotated.key.key_id, "compromised", at=None, now=now)
    assert refused.value.code == "key.in-use"
    revoked = revoke_key(workspace, first, "compromised", at=None, now=clock.now()).key.revoked
    assert revoked is not None
    assert revoked.reason == "compromised"
    assert list(fsck(workspace, clock.now())) == []
