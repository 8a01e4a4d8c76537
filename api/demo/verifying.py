"""Chapter 3: another province verifies offline; forgeries are refused; a revocation shows; the chain goes away."""

import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from api import clock
from api.bundling import make_bundle
from api.cli.options import media_type
from api.demo.cast import REPORT, Issued, example_fields
from api.demo.narrator import Narrator
from api.registering import change_material_status, register_material
from api.workspace import Workspace
from materials.bundle import Bundle, format_bundle, parse_bundle
from materials.catalogue import Catalogue
from materials.events import EventCode
from materials.registry.submission import SubmittedFile
from materials.report import Verdict, VerificationReport
from materials.statement import issue_statement, parse_statement, verify_statement
from materials.trust.lists import parse_trust_file, parse_trust_list
from materials.verification import verify_bundle
from signing import CryptoProfile, Es256Signer, digest_bytes


def verify_offline(
    narrator: Narrator, received: bytes, licence: bytes, trust: bytes, pdf: bytes, catalogue: Catalogue
) -> None:
    """The honest cases: what was received under the grant, and the whole licence with its file."""
    narrator.chapter("三、外省离线核验", "3. Another province verifies offline")
    narrator.say("只用证据包和信任文件，不连任何网络：", "With the bundle and the trust file alone, no network:")
    report = _verify(received, trust, catalogue)
    narrator.report(report)
    narrator.expect(report, "grant", Verdict.VALID)
    narrator.say("连同原文件核验：", "Together with the file itself:")
    narrator.expect(_verify(licence, trust, catalogue, pdf), "file", Verdict.VALID)
    narrator.say(
        "该部门双签：核验方可要求国密（SM2）签名：",
        "The department signs twice: a verifier may ask for the SM2 signature (--profile GM):",
    )
    narrator.expect(_verify(licence, trust, catalogue, profiles=(CryptoProfile.GM,)), "signature", Verdict.VALID)


def refuse_forgeries(narrator: Narrator, licence: bytes, trust: bytes, pdf: bytes, catalogue: Catalogue) -> None:
    """A changed file, a forged issuer, a proof cut short."""
    bundle = parse_bundle(licence)
    narrator.say("改动文件一个字节：", "One byte of the file changed:")
    changed = pdf[:-1] + bytes([pdf[-1] ^ 1])
    narrator.expect(_verify(licence, trust, catalogue, changed), "file", Verdict.INVALID)
    narrator.say("冒充颁发机构，用自己的密钥签名：", "A forger signs with a key of his own in the issuer's name:")
    forged = _verify(format_bundle(_forged(bundle, trust, catalogue)), trust, catalogue)
    for facet in ("signature", "issuer", "inclusion"):
        narrator.expect(forged, facet, Verdict.INVALID)
    narrator.say("收录证明被截断：", "The inclusion proof cut short:")
    narrator.expect(_verify(format_bundle(_cut(bundle)), trust, catalogue), "inclusion", Verdict.INVALID)


def revoke_one(workspace: Workspace, narrator: Narrator, certificate: Issued, trust: bytes, folder: Path) -> None:
    """The certificate is revoked; its new bundle says so."""
    narrator.say("撤销不动产登记证明，重新出具证据包：", "The property certificate is revoked; its new bundle:")
    before = (folder / f"{certificate.jti}.json").read_bytes()
    narrator.expect(_verify(before, trust, workspace.catalogue), "status", Verdict.VALID)
    change_material_status(workspace, certificate.jti, code=EventCode.REVOKED, reason="issued-in-error")
    after = make_bundle(workspace, certificate.jti)
    (folder / f"{certificate.jti}.json").write_bytes(after)
    narrator.expect(_verify(after, trust, workspace.catalogue), "status", Verdict.INVALID)


def without_chain(workspace: Workspace, narrator: Narrator, trust: bytes) -> None:
    """In a copy of the workspace whose chain is away: registration goes on, the anchor is undetermined."""
    narrator.say(
        "链不可用时（在工作区的副本中演示），登记照常，上链一项为“无法判定”，不是“不通过”：",
        "With the chain away (in a copy of the workspace) registration goes on; the anchor is undetermined:",
    )
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        copy_workspace(workspace, copy)
        (copy / workspace.settings.chains["main"].path).unlink()
        with Workspace.open(copy) as lonely, REPORT.path.open("rb") as stream:
            fields = example_fields(REPORT, lonely.catalogue, 0) | {"remarks": None, "report_year": 2024}
            fields.pop("remarks")
            registered = register_material(
                lonely,
                type_code=REPORT.type_code,
                issuer=lonely.operator,
                fields=fields,
                files=[SubmittedFile(stream, media_type(REPORT.path))],
            )
            report = _verify(make_bundle(lonely, registered.record.jti), trust, lonely.catalogue)
    narrator.expect(report, "inclusion", Verdict.VALID)
    narrator.expect(report, "anchor", Verdict.UNDETERMINED)


def copy_workspace(workspace: Workspace, target: Path) -> None:
    """A consistent copy: the database has no open transaction here, and its write-ahead log is copied with it."""
    workspace.close()
    shutil.copytree(workspace.path, target, ignore=shutil.ignore_patterns("*.lock"))


def _verify(
    data: bytes,
    trust: bytes,
    catalogue: Catalogue,
    file: bytes | None = None,
    profiles: Collection[CryptoProfile] = (),
) -> VerificationReport:
    digests = None if file is None else digest_bytes(file)
    return verify_bundle(data, trust, now=clock.now(), catalogue=catalogue, file=digests, profiles=profiles)


def _forged(bundle: Bundle, trust: bytes, catalogue: Catalogue) -> Bundle:
    """The same claims and fields, signed anew with a key that is not the issuer's."""
    unverified = parse_statement(bundle.statement)
    trust_list = parse_trust_list(parse_trust_file(trust).trust_list)
    key = trust_list.find_key(unverified.claims.iss, unverified.key_id, "issue").public_key
    genuine = verify_statement(unverified, key)
    forged = issue_statement(
        Es256Signer.generate(clock.random_bytes),
        catalogue.by_vct(genuine.vct),
        claims=genuine.claims,
        fields=genuine.fields,
        files=genuine.files,
        random_bytes=clock.random_bytes,
    )
    return replace(bundle, statement=forged.text, signatures=())


def _cut(bundle: Bundle) -> Bundle:
    """The receipt without the last hash of its proof."""
    head, _, note = bundle.receipt.partition(b"\n\n")
    return replace(bundle, receipt=head.rpartition(b"\n")[0] + b"\n\n" + note)
