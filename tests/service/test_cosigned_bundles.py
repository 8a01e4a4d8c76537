"""Receipts in trees that witnesses signed, and the anchors and parents of larger trees that nobody cosigned."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from anchors import parse_anchor_proof
from api import clock
from api.anchoring import anchor
from api.bundling import make_bundle
from api.demo.cast import REPORT, district_bureau
from api.parenting import submit_checkpoint
from api.settings import ChildrenSettings, ParentSettings, WitnessesSettings
from api.setup import NewWorkspace, create_workspace
from api.trust_lists import export_trust
from api.witnessing import ask_witnesses
from api.workspace import Workspace
from ledger import parse_policy, parse_receipt, read_checkpoint
from materials.bundle import Bundle, parse_bundle
from materials.ids import MaterialId
from materials.report import Facet, VerificationReport
from materials.verification import verify_bundle
from tests.support.hand_witness import HandWitness, serving
from tests.support.http_world import running
from tests.support.workspace_world import Story, make_keys_cheap, register_example


@dataclass
class Log:
    """A home whose log one witness cosigns when it is asked."""

    workspace: Workspace
    story: Story
    policy: str
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(2000, 3000)))

    def grow(self) -> int:
        """One more entry; the size then."""
        with self.workspace.database.write() as connection:
            signer, log = self.workspace.keyring.signer("home.log"), self.workspace.log(connection)
            return log.append([b"entry %d" % next(self.numbers)], signer=signer, known_head=None).checkpoint.size

    def cosign(self) -> int:
        asked = ask_witnesses(self.workspace)
        assert asked.missing is None
        return asked.checkpoint.size

    def bundle(self, material: MaterialId) -> Bundle:
        return parse_bundle(make_bundle(self.workspace, material))

    def report(self, material: MaterialId) -> VerificationReport:
        return verify_bundle(
            make_bundle(self.workspace, material),
            export_trust(self.workspace, clock.now()),
            now=clock.now(),
            catalogue=self.story.catalogue,
            witnesses=parse_policy(self.policy.encode()),
        )


@pytest.fixture
def log(story: Story, tmp_path: Path) -> Iterator[Log]:
    folder = story.copy(tmp_path / "workspace")
    with Workspace.open(folder) as workspace, ExitStack() as stack:
        key = workspace.log_key
        witness = HandWitness("w.example", b"w" * 32, key.name, key.public_key)
        stack.enter_context(serving(witness))
        policy = f"witness w {witness.vkey} {witness.url}\nquorum w\n"
        (folder / "witness.policy").write_text(policy)
        workspace.settings = workspace.settings.model_copy(update={"witnesses": WitnessesSettings(timeout=3)})
        yield Log(workspace, story, policy)


def size_of(bundle: Bundle) -> int:
    """Of the tree that the receipt is in."""
    return read_checkpoint(parse_receipt(bundle.receipt).checkpoint_note).size


def anchored_sizes(bundle: Bundle) -> list[tuple[int, int | None]]:
    """The size that each anchor is of, and that of the older tree which it covers."""
    proofs = [parse_anchor_proof(each) for each in (bundle.anchor, *bundle.anchors) if each is not None]
    return [(proof.size, None if proof.log_proof is None else proof.log_proof.size) for proof in proofs]


def codes(report: VerificationReport) -> dict[Facet, str]:
    return {each.facet: each.code for each in report.findings if each.facet in (Facet.WITNESS, Facet.ANCHOR)}


def test_the_newest_cosigned_tree_up_to_the_anchored_one(log: Log) -> None:
    material = register_example(log.workspace, REPORT, report_year=2031)
    log.cosign()
    log.grow()
    cosigned = log.cosign()
    log.grow()
    log.grow()
    anchored = log.grow()
    anchor(log.workspace)
    log.grow()
    log.cosign()  # of a tree that is larger than the anchored one
    bundle = log.bundle(material)
    assert size_of(bundle) == cosigned
    assert anchored_sizes(bundle) == [(anchored, cosigned)]
    report = log.report(material)
    assert codes(report) == {Facet.WITNESS: "ok", Facet.ANCHOR: "ok"}
    assert report.verdict == "valid"


def test_an_anchored_tree_that_is_cosigned_needs_no_other(log: Log) -> None:
    material = register_example(log.workspace, REPORT, report_year=2032)
    log.cosign()
    log.grow()
    size = log.cosign()
    anchor(log.workspace)
    assert anchored_sizes(log.bundle(material)) == [(size, None)]
    assert codes(log.report(material)) == {Facet.WITNESS: "ok", Facet.ANCHOR: "ok"}


def test_what_is_not_anchored_yet_is_in_the_newest_cosigned_tree(log: Log) -> None:
    material = log.story.materials["unanchored"]
    log.grow()
    cosigned = log.cosign()
    log.grow()
    assert size_of(log.bundle(material)) == cosigned
    assert codes(log.report(material))[Facet.WITNESS] == "ok"


def test_without_a_cosigned_tree_between_all_is_as_without_a_policy(log: Log) -> None:
    """Anchored before any witness was asked; or the policy is of other witnesses, of none, or away."""
    early, late = log.story.materials["business-licence"], log.story.materials["unanchored"]
    before = [anchored_sizes(log.bundle(material)) for material in (early, late)]
    log.cosign()
    newest = log.grow()
    assert anchored_sizes(log.bundle(early)) == before[0] != []
    assert codes(log.report(early)) == {Facet.WITNESS: "witness.quorum", Facet.ANCHOR: "ok"}
    path = log.workspace.path / "witness.policy"
    key = HandWitness("other.example", b"o" * 32, "x", b"").vkey
    for text in (f"witness w {key}\nquorum w\n", "quorum none\n", "no policy\n"):
        path.write_text(text)
        assert size_of(log.bundle(late)) == newest, text
    path.unlink()
    assert size_of(log.bundle(late)) == newest
    path.write_text(log.policy)
    assert size_of(log.bundle(late)) == newest - 1


def test_a_cosigned_tree_grows_into_the_one_that_the_parent_holds(log: Log, tmp_path: Path) -> None:
    with ExitStack() as stack:
        create_workspace(tmp_path / "city", NewWorkspace(district_bureau(log.story.catalogue), "city.test/ledger"))
        make_keys_cheap(tmp_path / "city")
        city = stack.enter_context(Workspace.open(tmp_path / "city"))
        children = ChildrenSettings(logs=(log.workspace.log_key.format(),))
        city.settings = city.settings.model_copy(update={"children": children})
        parent = ParentSettings(url=stack.enter_context(running(city)) + "/", vkey=city.log_key.format())
        log.workspace.settings = log.workspace.settings.model_copy(update={"parent": parent})
        material = log.story.materials["unanchored"]
        log.grow()
        cosigned = log.cosign()
        held = log.grow()
        submit_checkpoint(log.workspace)
    bundle = log.bundle(material)
    assert (size_of(bundle), held) == (cosigned, cosigned + 1)
    assert bundle.parents[0].growth != ()
    with log.workspace.database.read() as connection:
        assert bundle.parents[0].growth == log.workspace.log(connection).consistency_proof(cosigned, held)
    assert codes(log.report(material))[Facet.WITNESS] == "ok"
