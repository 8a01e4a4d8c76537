"""A department that keeps its own keys: it signs statement and events itself, the home only checks and keeps."""

import pytest

from api.client import ProblemError
from tests.support.http_world import ISSUER, SIGNING_ISSUER, World, new_fields, new_file
from tests.support.own_issuer import OwnIssuer


@pytest.fixture
def desk(world: World) -> OwnIssuer:
    return OwnIssuer(world)


def test_a_department_registers_and_revokes_with_its_own_keys(world: World, desk: OwnIssuer) -> None:
    material, statement = desk.statement()
    assert desk.register(statement) == material
    assert desk.client.bundle(material)
    assert desk.client.submit_event(material, desk.event(material))["code"] == "revoked"
    assert world.client().material(material)["status"] == "invalid"


def test_a_statement_of_another_or_with_a_wrong_key_is_refused(world: World, desk: OwnIssuer) -> None:
    _, foreign = desk.statement(iss=ISSUER)
    with pytest.raises(ProblemError) as denied:
        desk.register(foreign)
    assert (denied.value.status, denied.value.code) == (403, "access.denied")
    for signer, code in ((desk.keys["status"], "key.role"), (desk.keys["api"], "key.role")):
        _, forged = desk.statement(signer=signer)
        with pytest.raises(ProblemError) as refused:
            desk.register(forged)
        assert (refused.value.status, refused.value.code) == (422, code)


def test_a_file_that_the_statement_does_not_name_is_refused(desk: OwnIssuer) -> None:
    _, statement = desk.statement()
    with pytest.raises(ProblemError) as refused:
        desk.register(statement, b"another file")
    assert (refused.value.status, refused.value.code) == (422, "file.mismatch")
    assert desk.register(statement)


def test_an_event_about_another_material_or_with_a_wrong_key_is_refused(desk: OwnIssuer) -> None:
    material, statement = desk.statement()
    desk.register(statement)
    other, _ = desk.place()
    with pytest.raises(ProblemError) as refused:
        desk.client.submit_event(material, desk.event(other))
    assert (refused.value.status, refused.value.code) == (400, "form.subject")
    with pytest.raises(ProblemError) as refused:
        desk.client.submit_event(material, desk.event(material, desk.keys["issue"]))
    assert refused.value.status == 422


def test_the_home_signs_nothing_for_a_department_whose_keys_it_does_not_keep(desk: OwnIssuer) -> None:
    material, statement = desk.statement()
    desk.register(statement)
    submission = {"issuer": SIGNING_ISSUER, "type": "business-licence", "fields": new_fields()}
    with pytest.raises(ProblemError) as refused:
        desk.client.register(submission, [("application/pdf", new_file())])
    assert (refused.value.status, refused.value.code) == (409, "registration.no-key")
    with pytest.raises(ProblemError) as refused:
        desk.client.change_status(material, code="revoked", reason="issued-in-error")
    assert (refused.value.status, refused.value.code) == (409, "registration.no-key")
