"""Departments of either family of cryptography, and of both: issued, bundled, verified by what a verifier asks for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from api import clock
from api.bundling import make_bundle
from api.checking import fsck
from api.demo.cast import REPORT, district_bureau, example_fields
from api.keys.organisation_keys import KeyProfile, KeyTerms
from api.organisations import add_organisation
from api.registering import change_material_status, register_material
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.bundle import format_bundle, parse_bundle
from materials.events import EventCode
from materials.ids import MaterialId, organisation_id
from materials.registry.submission import Registered, SubmittedFile
from materials.report import Finding, Verdict
from materials.store.tables import statement_signature
from materials.verification import verify_bundle
from signing import CryptoProfile, RefusedError
from tests.support.grants_world import _uscc as uscc
from tests.support.workspace_world import Story, make_keys_cheap

GM, INTL = CryptoProfile.GM, CryptoProfile.INTL
DEPARTMENT = uscc("11310110MB9F00031")
ENTITY = organisation_id(DEPARTMENT)


@pytest.fixture
def workspace(story: Story, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(story.copy(tmp_path / "home")) as opened:
        yield opened


def add_department(workspace: Workspace, terms: KeyTerms) -> dict[tuple[str, str], str]:
    """List it; its keys by role and algorithm."""
    bureau = district_bureau(workspace.catalogue)
    entity = add_organisation(workspace, replace(bureau, uscc=DEPARTMENT, bases=(), keys=terms), clock.now())
    make_keys_cheap(workspace.path)
    return {(key.role, key.public_key.algorithm): key.key_id for key in entity.keys}


def issue(workspace: Workspace, year: int = 2019) -> Registered:
    fields = {**example_fields(REPORT, workspace.catalogue, 0), "report_year": year}
    with REPORT.path.open("rb") as stream:
        return register_material(
            workspace,
            type_code=REPORT.type_code,
            issuer=ENTITY,
            fields=fields,
            files=[SubmittedFile(stream, "application/json")],
        )


def signature(workspace: Workspace, bundle: bytes, *profiles: CryptoProfile) -> Finding:
    now = clock.now()
    trust = export_trust(workspace, now)
    report = verify_bundle(bundle, trust, now=now, catalogue=workspace.catalogue, profiles=profiles)
    assert {report[facet].verdict for facet in ("integrity", "issuer", "inclusion", "status")} == {Verdict.VALID}
    return report["signature"]


def material(registered: Registered) -> MaterialId:
    return registered.record.jti


@pytest.mark.parametrize(
    ("profile", "signed_with", "other"),
    [("INTL", INTL, GM), ("GM", GM, INTL)],
)
def test_one_family(
    workspace: Workspace, profile: KeyProfile, signed_with: CryptoProfile, other: CryptoProfile
) -> None:
    keys = add_department(workspace, KeyTerms(profile))
    assert len(keys) == 4
    assert (profile == "GM") == ({algorithm for _, algorithm in keys} == {"SM2-SM3"})
    bundle = make_bundle(workspace, material(issue(workspace)))
    assert parse_bundle(bundle).signatures == ()
    for asked in ((), (signed_with,)):
        assert signature(workspace, bundle, *asked).verdict is Verdict.VALID
    for asked in ((other,), (GM, INTL)):
        missing = signature(workspace, bundle, *asked)
        assert (missing.verdict, missing.code) == (Verdict.UNDETERMINED, "signature.profile")


def test_a_dual_department_signs_twice_and_ever_the_same(workspace: Workspace) -> None:
    keys = add_department(workspace, KeyTerms("dual"))
    assert sorted(algorithm for role, algorithm in keys if role == "issue") == ["ES256", "SM2-SM3"]
    first, again = issue(workspace), issue(workspace)
    assert (material(first), first.is_new, again.is_new) == (material(again), True, False)
    bundle = make_bundle(workspace, material(first))
    signatures = parse_bundle(bundle).signatures
    assert len(signatures) == 1
    assert parse_bundle(make_bundle(workspace, material(first))).signatures == signatures
    for asked in ((), (GM,), (INTL,), (GM, INTL)):
        assert signature(workspace, bundle, *asked).verdict is Verdict.VALID
    change_material_status(workspace, material(first), code=EventCode.SUSPENDED, reason="under-review")
    assert list(fsck(workspace, clock.now())) == []


def test_a_second_signature_of_another_statement_is_invalid_and_found_in_the_store(workspace: Workspace) -> None:
    add_department(workspace, KeyTerms("dual"))
    one, two = (make_bundle(workspace, material(issue(workspace, year))) for year in (2018, 2019))
    mixed = replace(parse_bundle(one), signatures=parse_bundle(two).signatures)
    forged = signature_of(workspace, format_bundle(mixed))
    assert (forged.verdict, forged.code) == (Verdict.INVALID, "signature.invalid")
    with workspace.database.write() as connection:
        connection.execute(update(statement_signature).values(text=parse_bundle(one).signatures[0]))
    found = list(fsck(workspace, clock.now()))
    assert [(finding.code, finding.where.partition(" ")[0]) for finding in found] == [
        ("signature.invalid", "statement_signature")
    ]


def signature_of(workspace: Workspace, bundle: bytes) -> Finding:
    now = clock.now()
    return verify_bundle(bundle, export_trust(workspace, now), now=now, catalogue=workspace.catalogue)["signature"]


def test_an_organisation_becomes_dual_and_nothing_is_replaced_unasked(workspace: Workspace) -> None:
    before = add_department(workspace, KeyTerms())
    dual = add_department(workspace, KeyTerms("dual"))
    assert set(dual.values()) - set(before.values()) == {dual["issue", "SM2-SM3"]}
    assert add_department(workspace, KeyTerms()) == add_department(workspace, KeyTerms("dual")) == dual
    for terms in (KeyTerms("GM"), KeyTerms("INTL"), KeyTerms(algorithms=(("issue", "ES384"),))):
        with pytest.raises(RefusedError) as refused:
            add_department(workspace, terms)
        assert refused.value.code == "key.other-algorithm"
    assert add_department(workspace, KeyTerms()) == dual
