"""Bundles with anchors on several chains: one that is wrong makes the facet invalid, else one that holds is enough."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from anchors.verifier import AnchorVerifier
from materials.bundle import Bundle, format_bundle, parse_bundle
from materials.report import Facet, Verdict, VerificationReport
from materials.verification import verify_bundle
from signing import JsonValue, MalformedError, dump_json
from tests.support.command_line import ematerials
from tests.support.workspace_world import Story


def judge(story: Story, bundle: Bundle, **options: Any) -> VerificationReport:
    return verify_bundle(format_bundle(bundle), story.trust, now=story.now, catalogue=story.catalogue, **options)


@pytest.fixture
def licence(story: Story) -> Bundle:
    return parse_bundle(story.bundles["licence"])


def varied(anchor: JsonValue, **members: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(anchor, dict)
    return {**anchor, **members}


def without_head(anchor: JsonValue) -> dict[str, JsonValue]:
    """Another proof of the same anchor, that holds as well."""
    assert isinstance(anchor, dict)
    storage = anchor["storage"]
    assert isinstance(storage, list)
    return varied(anchor, storage=storage[:2])


def facet(report: VerificationReport) -> tuple[str, str]:
    finding = report[Facet.ANCHOR]
    return str(finding.verdict), finding.code


def test_one_anchor_is_told_of_by_itself(story: Story, licence: Bundle) -> None:
    report = judge(story, licence)
    (answer,) = report.anchors
    assert (answer.verdict, answer.code, answer.grade) == (Verdict.VALID, "ok", "unsealed-dev")
    assert (answer.anchored_at, answer.grade) == (report.anchored_at, report.grade)
    assert answer.size is not None
    assert answer.block is not None
    assert answer.as_of_block is not None
    assert answer.block <= answer.as_of_block
    (shown,) = json.loads(dump_json(dict(report.to_json())))["anchors"]
    assert shown["profile_id"] == answer.profile_id


def test_what_each_further_anchor_does_to_the_verdict(story: Story, licence: Bundle) -> None:
    good = without_head(licence.anchor)
    unknown = varied(licence.anchor, profileId="another-chain/1")
    reserved = varied(licence.anchor, kind="receipt")
    wrong = varied(licence.anchor, contract="0x" + "11" * 20)
    for further, expected, verdicts in (
        ((good,), ("valid", "ok"), "vv"),
        ((unknown,), ("valid", "anchor.partly-checked"), "vu"),
        ((good, reserved), ("valid", "anchor.partly-checked"), "vvu"),
        ((wrong,), ("invalid", "anchor.contract"), "vi"),
        ((unknown, wrong, good), ("invalid", "anchor.contract"), "vuiv"),
        (({},), ("invalid", "form.member"), "vi"),
    ):
        report = judge(story, replace(licence, anchors=further))
        assert facet(report) == expected
        assert "".join(str(each.verdict)[0] for each in report.anchors) == verdicts
        assert report.grade == "unsealed-dev"
    report = judge(story, replace(licence, anchor=unknown, anchors=(reserved,)))
    assert (facet(report), report.grade, report.anchored_at) == (("undetermined", "anchor.profile-unknown"), None, None)
    assert facet(judge(story, replace(licence, anchor=unknown, anchors=(good,)))) == ("valid", "anchor.partly-checked")


def test_an_anchor_of_another_tree(story: Story, licence: Bundle) -> None:
    other = next(
        anchor
        for anchor in (parse_bundle(data).anchor for data in story.bundles.values())
        if isinstance(anchor, dict) and anchor["anchored"] != varied(licence.anchor)["anchored"]
    )
    report = judge(story, replace(licence, anchors=(other,)))
    assert facet(report) == ("invalid", "anchor.not-covered")
    assert [each.verdict for each in report.anchors] == [Verdict.VALID, Verdict.INVALID]


def test_forms(licence: Bundle) -> None:
    good = without_head(licence.anchor)
    data = format_bundle(replace(licence, anchors=(good,)))
    assert parse_bundle(data).anchors == (good,)
    members = json.loads(data)
    for changed, code in (
        ({"anchors": []}, "form.size"),
        ({"anchors": [good, good]}, "form.repeated"),
        ({"anchors": [licence.anchor]}, "form.repeated"),
        ({"anchors": ["x"]}, "form.type"),
        ({"anchors": good}, "form.type"),
        ({"anchors": [{"n": number} for number in range(8)]}, "form.size"),
    ):
        with pytest.raises(MalformedError) as caught:
            parse_bundle(dump_json({**members, **changed}))
        assert caught.value.code == code
    del members["anchor"]
    with pytest.raises(MalformedError) as alone:
        parse_bundle(dump_json(members))
    assert alone.value.code == "form.member"


def test_a_shared_verifier_changes_no_verdict(story: Story, licence: Bundle) -> None:
    verifier = AnchorVerifier()
    for bundle in map(parse_bundle, story.bundles.values()):
        for _ in range(2):
            assert judge(story, bundle, verifier=verifier) == judge(story, bundle)
    wrong = replace(licence, anchors=(varied(licence.anchor, contract="0x" + "11" * 20),))
    assert facet(judge(story, wrong, verifier=verifier)) == ("invalid", "anchor.contract")


def test_what_nodes_answered_is_shown_as_such(story: Story, licence: Bundle) -> None:
    """A record beside this chain's profile, which asks for proofs: refused. Its own chain is another: undetermined."""
    anchor = varied(licence.anchor)
    size = anchor["anchored"]
    assert isinstance(size, dict)
    root = "0x" + base64.b64decode(str(size["root"])).hex()
    said = {"blockNumber": 9, "blockHash": "0x" + "22" * 32, "root": root, "storedBlock": 8, "storedTime": 1}
    said["anchorer"] = "0x" + "33" * 20
    claim = {
        name: anchor[name] for name in ("version", "profileId", "checkpointNote", "origin", "anchored", "contract")
    }
    record: dict[str, JsonValue] = {**claim, "kind": "answers", "asked": 2, "answers": [{"node": "a", **said}]}
    assert facet(judge(story, replace(licence, anchor=record))) == ("invalid", "anchor.answers")
    elsewhere = {**record, "profileId": "fisco/1"}
    assert facet(judge(story, replace(licence, anchor=elsewhere))) == ("undetermined", "anchor.profile-unknown")


def test_several_bundles_in_one_command(story: Story, licence: Bundle, tmp_path: Path) -> None:
    trust, good, mixed, bad = (tmp_path / name for name in ("trust", "good", "mixed", "bad"))
    trust.write_bytes(story.trust)
    good.write_bytes(format_bundle(licence))
    mixed.write_bytes(format_bundle(replace(licence, anchors=(varied(licence.anchor, profileId="another/1"),))))
    bad.write_bytes(format_bundle(replace(licence, anchor=varied(licence.anchor, contract="0x" + "11" * 20))))
    at = ("--trust", trust, "--at", datetime.fromtimestamp(story.now, UTC).isoformat())
    ran = ematerials("verify", good, mixed, *at, "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, [line["bundle"] for line in lines]) == (0, [str(good), str(mixed)])
    assert [line["facets"]["anchor"]["code"] for line in lines] == ["ok", "anchor.partly-checked"]
    ran = ematerials("verify", good, bad, mixed, *at)
    assert (ran.code, ran.out.count("bundle  ")) == (1, 3)
    assert "anchor.profile-unknown" in ematerials("verify", mixed, *at).out
    assert ematerials("verify", good, bad, *at, "--file", good).code not in (0, 1, 2)
