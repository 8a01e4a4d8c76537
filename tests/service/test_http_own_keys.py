"""A department that keeps its own keys: it signs statement and events itself, the home only checks and keeps."""

import pytest

from api import clock
from api.client import LedgerClient, ProblemError
from materials.catalogue import check_fields, load_catalogue
from materials.claims import StatementClaims, StatusRef
from materials.events import EventCode, MaterialEvent, issue_event
from materials.files import FileRecord
from materials.ids import EntityId, MaterialId, new_event_id
from materials.statement import issue_statement
from signing import JsonValue, Signer, digest_bytes
from tests.support.http_world import ISSUER, SIGNING_ISSUER, VCT, World, new_fields, new_file, new_licence

DAY = 86_400


class OwnIssuer:
    """SIGNING_ISSUER at its desk."""

    def __init__(self, world: World) -> None:
        self.keys = world.signing_issuer
        self.client: LedgerClient = world.client(SIGNING_ISSUER, self.keys["api"])
        self.file = new_file()

    def place(self) -> tuple[MaterialId, StatusRef]:
        answer = self.client.reserve_material()
        status = answer["status"]
        assert isinstance(status, dict)
        return MaterialId(str(answer["id"])), StatusRef(str(status["uri"]), int(str(status["idx"])))

    def statement(self, *, signer: Signer | None = None, iss: EntityId = SIGNING_ISSUER) -> tuple[MaterialId, str]:
        material, place = self.place()
        now = clock.now()
        claims = StatementClaims(iss, VCT, material, now, now, now + 30 * DAY, 1, "company-law-33", place)
        of_type = load_catalogue().by_vct(VCT)
        fields: dict[str, JsonValue] = {**new_fields(licence_id=new_licence(SIGNING_ISSUER))}
        record = FileRecord.of(digest_bytes(self.file), "application/pdf")
        issued = issue_statement(
            signer or self.keys["issue"],
            of_type,
            claims=claims,
            fields=check_fields(of_type, fields),
            files=[record],
            random_bytes=clock.random_bytes,
        )
        return material, issued.text

    def register(self, statement: str, file: bytes | None = None) -> str:
        answer = self.client.register({"statement": statement}, [("application/pdf", file or self.file)])
        return str(answer["id"])

    def event(self, material: MaterialId, signer: Signer | None = None) -> str:
        now = clock.now()
        event = MaterialEvent(
            new_event_id(clock.random_bytes), SIGNING_ISSUER, material, EventCode.REVOKED, "issued-in-error", now, now
        )
        return issue_event(signer or self.keys["status"], event)


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
