"""One home with a whole story behind it, made once for a test session: bundles of every shape, and the workspace.

Making a workspace takes seconds, so tests read the shared one, or change a copy (``Story.copy``).
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.demo.cast import (
    CERTIFICATE,
    GRANTED,
    LICENCE,
    ORIGIN,
    REPORT,
    Example,
    district_bureau,
    example_fields,
    other_department,
)
from api.grant_files import format_grant_file
from api.granting import open_grant, owner_of, pass_on, retrieve, usage_records
from api.names import organisation
from api.organisations import add_organisation
from api.parties import listed, location_of, organisation_delegate, party_delegate
from api.registering import change_material_status, register_material
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.catalogue import Catalogue, load_catalogue
from materials.events import EventCode
from materials.grants.errors import GrantRefusedError
from materials.grants.issue import GrantTerms
from materials.grants.links import GrantChain
from materials.grants.requests import RetrievalRequest
from materials.grants.retrieve import Retrieval
from materials.grants.terms import GrantDetail, GrantPurpose
from materials.identifiers import build_licence_id
from materials.ids import MaterialId
from materials.registry.submission import SubmittedFile
from signing import JsonValue
from signing.keyfile import open_secret, seal_secret

PURPOSE = GrantPurpose("supplier-registration", "SAMPLE-ITEM-001", "ZJ-2026-000123")
MEDIA_TYPES = {".pdf": "application/pdf", ".ofd": "application/ofd", ".json": "application/json"}
OTHER_LICENCE_ID = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", "2026000002", 1).text
CHEAPEST_SCRYPT = 10
EMATERIALS = (sys.executable, "-c", "from api.cli.app import main; main()")


@dataclass(frozen=True)
class Story:
    """The workspace's folder and what came out of it. ``now`` is when all of it is good.

    ``bundles``: ``licence`` (whole), ``suspended-and-back`` (two events, still valid), ``used`` (released under a grant
    of three links), ``used-for-less`` (another use of the same grant, one field), ``used-second`` (the same of another
    licence), ``before`` and ``revoked`` (a certificate before and after its end), ``unanchored`` (no anchor proof yet).
    """

    folder: Path
    catalogue: Catalogue
    bundles: dict[str, bytes]
    materials: dict[str, MaterialId]
    trust: bytes
    grant: bytes
    refused_usage: str
    now: int

    def copy(self, folder: Path) -> Path:
        """A workspace of one's own; no process has the shared one open for writing."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.lock"))
        return folder


def tell_story(folder: Path, origin: str = ORIGIN, database: str | None = None) -> Story:
    """Make the workspace in ``folder`` and live through it."""
    catalogue = load_catalogue()
    create_workspace(folder, NewWorkspace(district_bureau(catalogue), origin, database=database))
    make_keys_cheap(folder)
    with Workspace.open(folder) as workspace:
        for name in ("owner", "agent"):
            workspace.keyring.create(f"party.{name}", "Ed25519")
        add_organisation(workspace, other_department(catalogue), clock.now())
        make_keys_cheap(folder)
        materials = {
            example.type_code: register_example(workspace, example) for example in (LICENCE, CERTIFICATE, REPORT)
        }
        licence, certificate, report = materials.values()
        for code in (EventCode.SUSPENDED, EventCode.REINSTATED):
            change_material_status(workspace, report, code=code, reason="under-review")
        anchor(workspace)
        bundles = {"before": make_bundle(workspace, certificate)}
        chain = make_grant(workspace, licence)
        bundles["used"] = use(workspace, chain, GRANTED)
        bundles["used-for-less"] = use(workspace, chain, GRANTED[:1])
        refused = refused_use(workspace, chain)
        second = register_example(workspace, LICENCE, licence_number="样例20260305002", licence_id=OTHER_LICENCE_ID)
        anchor(workspace)
        bundles["used-second"] = use(workspace, make_grant(workspace, second), GRANTED)
        change_material_status(workspace, certificate, code=EventCode.REVOKED, reason="issued-in-error")
        bundles["revoked"] = make_bundle(workspace, certificate)
        bundles["suspended-and-back"] = make_bundle(workspace, report)
        bundles["licence"] = make_bundle(workspace, licence)
        other = register_example(workspace, REPORT, report_year=2024)
        bundles["unanchored"] = make_bundle(workspace, other)
        trust = export_trust(workspace, clock.now())
    return Story(
        folder=folder,
        catalogue=catalogue,
        bundles=bundles,
        materials=materials | {"second": second, "unanchored": other},
        trust=trust,
        grant=format_grant_file(chain),
        refused_usage=refused,
        now=clock.now(),
    )


def make_keys_cheap(folder: Path) -> None:
    """Seal the key files again with the least work factor: processes of the tests open them many times."""
    passphrase = (folder / "keys" / "passphrase").read_bytes().strip()
    for path in (folder / "keys").glob("*.key"):
        kind, secret = open_secret(path.read_bytes(), passphrase)
        sealed = seal_secret(secret, passphrase, kind=kind, random_bytes=clock.random_bytes, log_n=CHEAPEST_SCRYPT)
        path.write_bytes(sealed)


def register_example(workspace: Workspace, example: Example, **changes: JsonValue) -> MaterialId:
    """Register one of ``examples/``, with other fields if wanted."""
    fields = {**example_fields(example, workspace.catalogue, 7), **changes}
    with example.path.open("rb") as stream:
        registered = register_material(
            workspace,
            type_code=example.type_code,
            issuer=workspace.operator,
            fields=fields,
            files=[SubmittedFile(stream, MEDIA_TYPES[example.path.suffix])],
        )
    return registered.record.jti


def make_grant(workspace: Workspace, licence: MaterialId) -> GrantChain:
    """Home → owner → agent → department, each narrower."""
    now = clock.now()
    department = other_department(workspace.catalogue)
    entity = listed(workspace, organisation(department.uscc), now)
    detail = GrantDetail(
        vct=workspace.catalogue.by_code(LICENCE.type_code).vct,
        material=licence,
        actions=("retrieve",),
        claims=(*GRANTED, "address", "files"),
        locations=(location_of(entity),),
    )
    terms = GrantTerms(PURPOSE, (detail,), max_uses=10_000, nbf=now, exp=now + 86400, max_depth=3, redelegate=True)
    owner, agent = workspace.keyring.signer("party.owner"), workspace.keyring.signer("party.agent")
    chain = open_grant(workspace, licence, holder_key=owner.public_key, terms=terms)
    chain = pass_on(workspace, chain, owner, delegate=party_delegate(workspace, "agent"), terms=terms)
    last = GrantTerms(PURPOSE, (detail,), max_uses=9_000, nbf=now, exp=now + 86400, max_depth=None, redelegate=False)
    receiver = organisation_delegate(workspace, entity.id, now, redelegates=False)
    return pass_on(workspace, chain, agent, delegate=receiver, terms=last)


def request_of(chain: GrantChain, claims: tuple[str, ...]) -> RetrievalRequest:
    """What the last delegate asks for."""
    detail = chain.leaf.details[0]
    return RetrievalRequest(
        purpose=chain.leaf.purpose,
        action="retrieve/fields",
        vct=detail.vct,
        material=MaterialId(str(detail.material)),
        claims=tuple(sorted(claims)),
        location=detail.locations[0],
    )


def use(workspace: Workspace, chain: GrantChain, claims: tuple[str, ...]) -> bytes:
    """Retrieve ``claims`` under ``chain``; the bundle."""
    key = chain.leaf.audience.key.key_id
    retrieval = Retrieval(request_of(chain, claims), chain, key, clock.random_bytes(16).hex())
    return retrieve(workspace, retrieval).bundle


def refused_use(workspace: Workspace, chain: GrantChain) -> str:
    """Ask for more than is granted; the usage record of the refusal."""
    material = request_of(chain, ()).material
    try:
        use(workspace, chain, ("business_scope",))
    except GrantRefusedError:
        return usage_records(workspace, owner_of(workspace, material))[-1]
    raise AssertionError("a request outside the grant was answered")


def run_cli(*arguments: str | Path, timeout: float = 60, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command ``ematerials`` in a process of its own, as a user runs it; fails the test if it hangs."""
    return subprocess.run(
        [*EMATERIALS, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **environment},
    )
