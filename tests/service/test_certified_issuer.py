"""A department whose issuing key is certified by a CA of the trust list: listed, checked, revoked; and time stamps."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.x509 import DeltaCRLIndicator

from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.demo.cast import LICENCE, example_fields
from api.reading import reserve_material
from api.registering import register_statement
from api.timestamping import stamp_checkpoints, stamp_statement
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.bundle import format_bundle, parse_bundle
from materials.catalogue import check_fields
from materials.claims import StatementClaims
from materials.files import FileRecord
from materials.identifiers import build_licence_id
from materials.ids import MaterialId, organisation_id
from materials.registry.submission import SignedSubmission, SubmittedFile
from materials.report import Facet, Verdict, VerificationReport
from materials.statement import issue_statement
from materials.verification import verify_bundle
from signing import RefusedError, UnavailableError, digest_bytes
from signing.forms.pem import write_pem
from signing.rfc3161.timestamps import VerifiedTimestamp
from signing.x509.certificates import Certificate
from signing.x509.revocation import RevocationList
from tests.support import pki
from tests.support.command_line import Ran, ematerials
from tests.support.grants_world import _uscc as uscc
from tests.support.tsa import Tsa, needs_openssl, serving
from tests.support.workspace_world import Story, make_keys_cheap

DEPARTMENT = uscc("11310110MB9F00032")
ENTITY = organisation_id(DEPARTMENT)
DAY = 86_400


@dataclass
class Desk:
    """The department beside the home's workspace, with its certificates as files."""

    folder: Path
    workspace: Workspace
    organisation: pki.Organisation

    def file(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def pem(self, *certificates: Certificate) -> Path:
        return self.file("chain.pem", b"".join(write_pem("CERTIFICATE", each.der) for each in certificates))

    def crl(self, crl: RevocationList) -> Path:
        return self.file(f"{crl.issuer.hex()[-8:]}-{crl.this_update}.crl", crl.der)

    def run(self, *arguments: str | Path) -> Ran:
        ran = ematerials(*arguments, "-w", self.workspace.path, "--json")
        make_keys_cheap(self.workspace.path)
        return ran

    def trust_authority(self, revocation: str = "crl") -> Ran:
        root = self.file("root.pem", write_pem("CERTIFICATE", self.organisation.roots[0].der))
        return self.run("trust", "add-authority", root, "--use", "organisation", "--revocation", revocation)

    def add(self, *options: str | Path, chain: tuple[Certificate, ...] | None = None) -> Ran:
        certificate = f"issue={self.pem(*(chain or self.organisation.chain))}"
        return self.run(
            "org", "add", DEPARTMENT, "--name", "样例区市场监督管理局（虚构）", "--region", "310110",
            "--issues", LICENCE.type_code, "--certificate", certificate, *options,
        )  # fmt: skip

    def register(self, *, second: tuple[str, ...] = ()) -> MaterialId:
        jti, place = reserve_material(self.workspace)
        now, data = clock.now(), LICENCE.path.read_bytes()
        material_type = self.workspace.catalogue.by_code(LICENCE.type_code)
        licence = build_licence_id(str(material_type.licence_type_code), DEPARTMENT, jti[-10:].upper(), 1).text
        fields = {**example_fields(LICENCE, self.workspace.catalogue, 0), "licence_id": licence}
        issued = issue_statement(
            self.organisation.signer,
            material_type,
            claims=StatementClaims(ENTITY, material_type.vct, jti, now, now, now + DAY, 1, "unspecified", place),
            fields=check_fields(material_type, fields),
            files=[FileRecord.of(digest_bytes(data), "application/pdf")],
            random_bytes=clock.random_bytes,
        )
        with LICENCE.path.open("rb") as stream:
            submission = SignedSubmission(issued.text, (SubmittedFile(stream, "application/pdf"),), signatures=second)
            return register_statement(self.workspace, submission).record.jti

    def verify(
        self, bundle: bytes, *crls: RevocationList, required: tuple[Facet, ...] = (), later: int = 0
    ) -> VerificationReport:
        now = clock.now() + later
        return verify_bundle(
            bundle,
            export_trust(self.workspace, now),
            now=now,
            catalogue=self.workspace.catalogue,
            crls=crls,
            required=required,
        )


@pytest.fixture
def desk(story: Story, tmp_path: Path) -> Iterator[Desk]:
    with Workspace.open(story.copy(tmp_path / "home")) as workspace:
        yield Desk(tmp_path, workspace, pki.organisation(DEPARTMENT))


def crls(desk: Desk) -> list[str | Path]:
    return [word for crl in desk.organisation.crls for word in ("--crl", desk.crl(crl))]


def test_from_the_authority_to_a_revoked_certificate(desk: Desk) -> None:
    assert desk.trust_authority().json["revocation"] == "crl"
    added = desk.add(*crls(desk))
    key = desk.organisation.signer.public_key
    assert {"role": "issue", "id": key.key_id, "algorithm": "ES256", "certificate": True} in added.json["keys"]
    assert desk.add(*crls(desk)).json == added.json, "once more changes nothing"

    material = desk.register()
    anchor(desk.workspace)
    bundle = make_bundle(desk.workspace, material)
    assert len(parse_bundle(bundle).crls) == 2
    assert desk.verify(bundle).verdict is Verdict.VALID

    without = format_bundle(replace(parse_bundle(bundle), crls=()))
    report = desk.verify(without)
    assert (report.verdict, report["issuer"].code) == (Verdict.UNDETERMINED, "certificate.revocation")
    assert desk.verify(without, *desk.organisation.crls).verdict is Verdict.VALID

    assert desk.organisation.middle is not None
    since, serial = clock.now() - 60, desk.organisation.chain[0].serial
    revoked = desk.organisation.middle.crl({serial: (since, "keyCompromise")}, this_update=since)
    report = desk.verify(bundle, revoked)
    assert (report.verdict, report["issuer"].code) == (Verdict.INVALID, "certificate.revoked")
    assert desk.run("trust", "add-crl", desk.crl(revoked)).json["this_update"] == since
    assert desk.verify(make_bundle(desk.workspace, material)).verdict is Verdict.INVALID
    with pytest.raises(RefusedError) as refused:
        desk.register()
    assert refused.value.code == "registration.key"


def test_what_was_anchored_before_the_key_was_compromised_stands(desk: Desk) -> None:
    desk.trust_authority()
    desk.add(*crls(desk))
    material = desk.register()
    anchor(desk.workspace)
    bundle = make_bundle(desk.workspace, material)
    assert desk.organisation.middle is not None
    since, serial = clock.now() + 100, desk.organisation.chain[0].serial
    revoked = desk.organisation.middle.crl({serial: (since, "keyCompromise")}, this_update=since)
    report = desk.verify(bundle, revoked, later=200)
    assert (report.verdict, report["issuer"].code) == (Verdict.VALID, "key.later-compromised")
    undated = format_bundle(replace(parse_bundle(bundle), anchor=None))
    report = desk.verify(undated, revoked, later=200)
    assert (report.verdict, report["issuer"].code) == (Verdict.INVALID, "certificate.compromised")


def test_no_revocation_list_at_hand_delays_and_does_not_refuse(desk: Desk) -> None:
    desk.trust_authority()
    ran = desk.add()
    assert (ran.code, ran.error_code) == (69, "certificate.revocation")
    desk.trust_authority("none")
    assert desk.add().code == 0
    assert desk.register()
    desk.trust_authority("crl")
    with pytest.raises(UnavailableError) as later:
        desk.register()
    assert later.value.code == "certificate.revocation"


def test_certificates_that_do_not_certify_are_refused(desk: Desk) -> None:
    assert desk.add(*crls(desk)).error_code == "certificate.crl-issuer", "its authority is not trusted"
    ran = desk.add()
    assert (ran.code, ran.error_code) == (1, "certificate.issuer")
    desk.trust_authority("none")
    for chain, code in (
        (pki.organisation(pki.OTHER_USCC).chain, "certificate.subject"),
        (desk.organisation.chain[:1], "certificate.issuer"),
        (desk.organisation.chain[::-1], "certificate.issuer"),
    ):
        assert desk.add(chain=chain).error_code == code
    assert desk.organisation.middle is not None
    ended = desk.organisation.middle.issue("ended", uscc=DEPARTMENT, not_after=clock.now() - 1)
    assert desk.add(chain=(ended.certificate, desk.organisation.chain[1])).error_code == "certificate.window"
    leaf = desk.file("leaf.pem", write_pem("CERTIFICATE", desk.organisation.chain[0].der))
    ran = desk.run("trust", "add-authority", leaf, "--use", "organisation")
    assert ran.error_code == "certificate.not-a-root"


def test_an_authority_is_listed_changed_and_removed(desk: Desk) -> None:
    fingerprint = desk.organisation.roots[0].fingerprint.hex()
    desk.trust_authority("none")
    other_use = desk.run("trust", "add-authority", desk.folder / "root.pem", "--use", "timestamp")
    assert other_use.error_code == "trust.authority-use"
    desk.add()
    material = desk.register()
    assert [each["fingerprint"] for each in desk.run("trust", "list-authorities").json] == [fingerprint]
    assert desk.verify(make_bundle(desk.workspace, material))["issuer"].code == "ok"
    for wrong in ("", "00", fingerprint[:7], "0" * 64):
        assert desk.run("trust", "remove-authority", wrong).error_code == "trust.authority"
    assert desk.run("trust", "remove-authority", fingerprint[:16].upper()).json["use"] == "organisation"
    assert desk.run("trust", "list-authorities").json == []
    assert desk.verify(make_bundle(desk.workspace, material))["issuer"].code == "certificate.issuer"


def test_a_list_of_a_stranger_or_with_a_changed_byte_is_not_kept(desk: Desk) -> None:
    desk.trust_authority()
    stranger = pki.make_root(name="stranger").crl()
    assert desk.run("trust", "add-crl", desk.crl(stranger)).error_code == "certificate.crl-issuer"
    root = desk.organisation.crls[0].der
    changed = desk.file("changed.crl", root[:-1] + bytes([root[-1] ^ 1]))
    assert desk.run("trust", "add-crl", changed).error_code == "certificate.signature"
    assert desk.run("trust", "add-crl", desk.file("none.crl", b"no list")).error_code == "form.der"
    middle = desk.organisation.middle
    assert middle is not None
    delta = middle.crl(extensions=[(DeltaCRLIndicator(1), True)])
    future = middle.crl(this_update=clock.now() + DAY)
    for crl, code in ((delta, "certificate.crl"), (future, "time.not-yet")):
        assert desk.run("trust", "add-crl", desk.crl(crl)).error_code == code
    assert desk.workspace.crls.newest() == ()


@needs_openssl
def test_time_stamps_of_a_real_service_go_with_the_bundle(desk: Desk, tmp_path: Path) -> None:
    desk.trust_authority("none")
    desk.add()
    material = desk.register()
    anchor(desk.workspace)
    report = desk.verify(make_bundle(desk.workspace, material), required=(Facet.TIMESTAMP,))
    assert (report.verdict, report["timestamp"].code) == (Verdict.UNDETERMINED, "timestamp.missing")

    tsa = Tsa.new(tmp_path / "tsa", intermediate=True)
    root = desk.file("time.der", tsa.root)
    assert desk.run("trust", "add-authority", root, "--use", "timestamp", "--revocation", "crl").code == 0
    for holder in tsa.above:
        crl, issuer = desk.file("time.crl", holder.crl(_yesterday())), desk.file("issuer.der", holder.der)
        assert desk.run("trust", "add-crl", crl, "--issuer", issuer).code == 0
    with serving(tsa) as service:
        terms = desk.workspace.settings.timestamps.model_copy(update={"urls": (service.url,)})
        desk.workspace.settings = desk.workspace.settings.model_copy(update={"timestamps": terms})
        attempts = [*stamp_statement(desk.workspace, material), *stamp_checkpoints(desk.workspace)]
    assert [attempt.subject.over for attempt in attempts] == ["statement", "checkpoint"]
    assert all(isinstance(attempt.outcome, VerifiedTimestamp) for attempt in attempts)

    bundle = make_bundle(desk.workspace, material)
    assert [stamp.over for stamp in parse_bundle(bundle).timestamps] == ["statement", "checkpoint"]
    assert len(parse_bundle(bundle).crls) == 2
    report = desk.verify(bundle, required=(Facet.TIMESTAMP,))
    assert (report.verdict, report["timestamp"].verdict) == (Verdict.VALID, Verdict.VALID)
    assert report.timestamped_at is not None
    assert abs(report.timestamped_at - clock.now()) < 60
    other = make_bundle(desk.workspace, desk.register())
    moved = replace(parse_bundle(other), timestamps=parse_bundle(bundle).timestamps)
    assert desk.verify(format_bundle(moved))["timestamp"].verdict is Verdict.INVALID


def _yesterday() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock.now() - DAY, datetime.UTC)
