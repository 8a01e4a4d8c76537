"""A department at its desk: it keeps its keys, signs statements and events itself, and calls the service."""

from api import clock
from api.client import LedgerClient
from materials.catalogue import check_fields, load_catalogue
from materials.claims import StatementClaims, StatusRef
from materials.events import EventCode, MaterialEvent, issue_event
from materials.files import FileRecord
from materials.ids import EntityId, MaterialId, new_event_id
from materials.second_signature import countersign_statement
from materials.statement import issue_statement
from signing import JsonValue, Signer, digest_bytes
from tests.support.http_world import SIGNING_ISSUER, VCT, World, new_fields, new_file, new_licence

DAY = 86_400


class OwnIssuer:
    """SIGNING_ISSUER, or another department with keys by role; ``issue-2`` makes a second signature."""

    def __init__(self, world: World, entity: EntityId = SIGNING_ISSUER, keys: dict[str, Signer] | None = None) -> None:
        self.entity, self.keys = entity, keys or world.signing_issuer
        self.client: LedgerClient = world.client(entity, self.keys["api"])
        self.file = new_file()

    def place(self) -> tuple[MaterialId, StatusRef]:
        answer = self.client.reserve_material()
        status = answer["status"]
        assert isinstance(status, dict)
        return MaterialId(str(answer["id"])), StatusRef(str(status["uri"]), int(str(status["idx"])))

    def statement(self, *, signer: Signer | None = None, iss: EntityId | None = None) -> tuple[MaterialId, str]:
        material, place = self.place()
        now = clock.now()
        claims = StatementClaims(
            iss or self.entity, VCT, material, now, now, now + 30 * DAY, 1, "company-law-33", place
        )
        of_type = load_catalogue().by_vct(VCT)
        fields: dict[str, JsonValue] = {**new_fields(licence_id=new_licence(self.entity))}
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

    def countersign(self, statement: str, signer: Signer | None = None) -> str:
        return countersign_statement(statement.partition("~")[0], signer or self.keys["issue-2"])

    def register(self, statement: str, file: bytes | None = None, *signatures: str) -> str:
        submission = {"statement": statement} | ({"signatures": list(signatures)} if signatures else {})
        answer = self.client.register(submission, [("application/pdf", file or self.file)])
        return str(answer["id"])

    def event(self, material: MaterialId, signer: Signer | None = None) -> str:
        now = clock.now()
        event = MaterialEvent(
            new_event_id(clock.random_bytes), self.entity, material, EventCode.REVOKED, "issued-in-error", now, now
        )
        return issue_event(signer or self.keys["status"], event)
