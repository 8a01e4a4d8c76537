"""The real service on a loopback port over a real workspace, with its embedded chain in the same process."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import httpx

from api import clock, names
from api.client import LedgerClient
from api.http.app import make_server
from api.organisations import Organisation, add_organisation
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import change_trust
from api.workspace import Workspace
from materials.grants.requests import RetrievalRequest
from materials.grants.terms import GrantDetail, GrantPurpose, Location
from materials.identifiers import build_licence_id
from materials.ids import EntityId, MaterialId, organisation_id
from materials.trust.model import Entity, Purpose, Role, TrustKey, TrustList
from signing import Algorithm, Signer, generate_signer
from tests.support.grants_world import _uscc as uscc

EXAMPLES = Path(__file__).parents[2] / "examples"
ORIGIN = "ledger.test"
VCT = "urn:ematerials:material:business-licence:1"
CLAIMS = ("address", "files", "holder_name")
ISSUER = organisation_id("11310110MB9F000199")
DEPARTMENT = organisation_id(uscc("11320500MB9F00002"))
SIGNING_ISSUER = organisation_id(uscc("11310110MB9F00077"))
PURPOSE = Purpose("open-a-branch", "synthetic-law-7", (VCT,), CLAIMS)
PLACE = Location("320500", "city", DEPARTMENT)
PDF = (EXAMPLES / "business-licence.pdf").read_bytes()
FIELDS = json.loads((EXAMPLES / "business-licence.fields.json").read_text("utf-8"))
PATIENCE_SECONDS = 60
KEYS: Mapping[str, Algorithm] = {"issue": "Ed25519", "status": "Ed25519", "api": "Ed25519"}
ROLE_OF: Mapping[str, Role] = {"status": "status", "api": "api"}

_numbers = count(1)


def put_entity(workspace: Workspace, entity: Entity, now: int) -> None:
    """List ``entity`` in place of an earlier entry of the same id, whatever that had."""

    def change(trust_list: TrustList) -> TrustList:
        others = tuple(known for known in trust_list.entities if known.id != entity.id)
        return replace(trust_list, entities=(*others, entity))

    change_trust(workspace, change, now)


@dataclass
class World:
    """A running service and the keys of those who call it."""

    workspace: Workspace
    url: str
    signing_issuer: dict[str, Signer] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def client(self, entity: EntityId | None = None, signer: Signer | None = None) -> LedgerClient:
        """A caller; without a signer with the key that the workspace keeps for the organisation."""
        if entity is not None and signer is None:
            signer = self.workspace.keyring.signer(names.entity_key(entity, "api"))
        return LedgerClient(self.url, entity, signer, http=self.http)

    @property
    def host(self) -> tuple[str, int]:
        url = httpx.URL(self.url)
        return url.host, url.port or 80


def new_fields(**changes: object) -> dict[str, object]:
    """Fields of a licence that was not registered before."""
    return {**FIELDS, "licence_id": new_licence(), "licence_number": f"样例{next(_numbers):010}", **changes}


def new_file() -> bytes:
    """A PDF that was not registered before."""
    return PDF + f"% {next(_numbers)}\n".encode()


def new_licence(issuer: EntityId = ISSUER) -> str:
    """A licence identifier with the right check character."""
    serial = f"2026{next(_numbers):06}"
    return build_licence_id("11310110MB9F000199001", issuer.removeprefix("uscc:"), serial, 1).text


def register(world: World, client: LedgerClient | None = None, **changes: object) -> MaterialId:
    """A new material of ISSUER."""
    submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields(**changes)}
    answer = (client or world.client(ISSUER)).register(submission, [("application/pdf", new_file())])
    return MaterialId(str(answer["id"]))


def request_for(material: MaterialId, **changes: object) -> RetrievalRequest:
    """What DEPARTMENT asks for."""
    purpose = GrantPurpose("open-a-branch", "0131001000", "CASE-2026-0007")
    members = {"action": "retrieve/files", "claims": CLAIMS, **changes}
    return RetrievalRequest(purpose=purpose, vct=VCT, material=material, location=PLACE, **members)


def grant_members(material: MaterialId, holder: Signer, **changes: object) -> dict[str, object]:
    """The body of POST /v1/grants/roots."""
    now = clock.now()
    detail = GrantDetail(VCT, material, ("retrieve",), CLAIMS, (PLACE,))
    terms = {
        "purpose": {"code": "open-a-branch", "item_code": "0131001000", "biz_num": "CASE-2026-0007"},
        "details": [detail.to_json()],
        "max_uses": 3,
        "nbf": now - 10,
        "exp": now + 3600,
        "max_depth": 3,
        "redelegate": True,
        **changes,
    }
    return {"material": material, "holder_key": holder.public_key.to_jwk(), "terms": terms}


def wait_for(what: Callable[[], bool]) -> None:
    """Until ``what`` is true; AssertionError after a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def make_workspace(folder: Path, *, database: str | None = None) -> Workspace:
    """A workspace with an issuing operator, a department elsewhere, and an issuer that keeps its own keys."""
    issuer = Organisation(
        ISSUER.removeprefix("uscc:"),
        "某区政务服务办公室（虚构）",
        "A district's service office (synthetic)",
        "district",
        "310110",
        types=("business-licence",),
        bases=("holder",),
    )
    create_workspace(folder, NewWorkspace(issuer, ORIGIN, database=database))
    workspace = Workspace.open(folder)
    department = Organisation(
        DEPARTMENT.removeprefix("uscc:"),
        "外省某市审批局（虚构）",
        "A city's approval bureau in another province (synthetic)",
        "city",
        "320500",
        purposes=(PURPOSE,),
        roles=("grant", "api"),
    )
    add_organisation(workspace, department, clock.now())
    return workspace


def list_signing_issuer(
    workspace: Workspace, entity_id: EntityId = SIGNING_ISSUER, algorithms: Mapping[str, Algorithm] = KEYS
) -> dict[str, Signer]:
    """List an issuer whose keys the workspace does not keep; ``issue-2`` is its second issuing key."""
    now = clock.now()
    signers: dict[str, Signer] = {
        name: generate_signer(algorithm, clock.random_bytes) for name, algorithm in algorithms.items()
    }
    keys = tuple(
        TrustKey(signer.public_key, ROLE_OF.get(name, "issue"), now - 60, now + 10**7)
        for name, signer in signers.items()
    )
    entity = Entity(
        id=entity_id,
        name_zh="某区市场监督管理局（虚构）",
        name_en="A district's market authority (synthetic)",
        level="district",
        region="310110",
        types=(VCT,),
        bases=(),
        status_uris=(names.status_uri(ORIGIN),),
        purposes=(),
        keys=keys,
    )
    put_entity(workspace, entity, now)
    return signers


@contextmanager
def running(workspace: Workspace) -> Iterator[str]:
    """Serve on a free loopback port while the block runs; yields the public URL."""
    server = make_server(workspace, "127.0.0.1", 0)
    socket = server.config.bind_socket()
    url = f"http://127.0.0.1:{socket.getsockname()[1]}"
    service = workspace.settings.service.model_copy(update={"public_url": url, "anchor_every_seconds": 1})
    chains = {name: chain.model_copy(update={"every_seconds": 0}) for name, chain in workspace.settings.chains.items()}
    workspace.settings = workspace.settings.model_copy(update={"service": service, "chains": chains})
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        yield url
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


@contextmanager
def running_world(folder: Path, *, database: str | None = None) -> Iterator[World]:
    """A workspace and its service."""
    with make_workspace(folder, database=database) as workspace:
        signers = list_signing_issuer(workspace)
        with running(workspace) as url:
            world = World(workspace, url, signers)
            yield world
            world.http.close()
