"""Any changed byte of a bundle is noticed, and blamed on the question that it belongs to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materials.bundle import parse_bundle
from materials.report import Facet, Verdict, VerificationReport
from materials.verification import verify_bundle
from signing import MalformedError
from tests.support.bundle_map import owners
from tests.support.workspace_world import Story

SWEPT = ("licence", "used", "suspended-and-back")
STRIDE = 61  # every byte, several ways, takes half an hour; each run of the four starts elsewhere
UNDETERMINED_BY_NATURE = {"anchor.profile-unknown"}  # another profile than the trusted ones: nobody can tell


def keeps_its_form(data: bytes) -> bool:
    """Whether the bundle itself can still be read."""
    try:
        parse_bundle(data)
    except MalformedError:
        return False
    return True


def judge(story: Story, data: bytes) -> VerificationReport:
    return verify_bundle(data, story.trust, now=story.now, catalogue=story.catalogue)


def assert_blamed(report: VerificationReport, facet: Facet, where: str) -> None:
    """The whole is not valid, and ``facet`` says so."""
    assert report.verdict is not Verdict.VALID, where
    finding = report[facet]
    assert finding.verdict is Verdict.INVALID or finding.code in UNDETERMINED_BY_NATURE, f"{where}: {finding}"


@pytest.mark.parametrize(("offset", "flip"), [(0, 0x01), (7, 0x20), (15, 0x02), (23, 0x10)])
@pytest.mark.parametrize("name", SWEPT)
def test_a_changed_byte_is_blamed_on_its_section(story: Story, name: str, offset: int, flip: int) -> None:
    data = story.bundles[name]
    assert judge(story, data).verdict is Verdict.VALID
    for at, owner in list(enumerate(owners(data)))[offset::STRIDE]:
        changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        facet = owner if keeps_its_form(changed) else Facet.INTEGRITY
        assert_blamed(judge(story, changed), facet, f"{name}, byte {at}, xor {flip:#x}")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_other_byte_anywhere_is_noticed(story: Story, data: st.DataObject) -> None:
    bundle = story.bundles[data.draw(st.sampled_from(SWEPT))]
    at = data.draw(st.integers(0, len(bundle) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != bundle[at]))
    changed = bundle[:at] + bytes([new]) + bundle[at + 1 :]
    facet = owners(bundle)[at] if keeps_its_form(changed) else Facet.INTEGRITY
    assert_blamed(judge(story, changed), facet, f"byte {at} becomes {new}")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_byte_lost_or_added_is_noticed(story: Story, data: st.DataObject) -> None:
    bundle = story.bundles[data.draw(st.sampled_from(SWEPT))]
    at = data.draw(st.integers(0, len(bundle) - 1))
    piece = data.draw(st.binary(max_size=3))
    changed = bundle[:at] + piece + bundle[at + data.draw(st.integers(0, 3)) :]
    if changed != bundle:
        assert judge(story, changed).verdict is not Verdict.VALID


@pytest.mark.parametrize("name", SWEPT)
def test_a_bundle_cut_short_has_lost_its_form(story: Story, name: str) -> None:
    data = story.bundles[name]
    for length in range(0, len(data), 97):
        assert judge(story, data[:length])[Facet.INTEGRITY].verdict is Verdict.INVALID
