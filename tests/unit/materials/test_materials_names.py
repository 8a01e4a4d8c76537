"""Regions by segment, ids, codes and time windows."""

import pytest

from materials.ids import (
    check_code,
    check_entity_id,
    check_id,
    check_material_id,
    check_organisation_id,
    entity_uscc,
    holder_id,
    new_event_id,
    new_material_id,
    organisation_id,
)
from materials.regions import COUNTRY, parse_region, region_contains
from materials.times import SKEW_SECONDS, check_window
from tests.support.materials_world import ISSUER, refuses, seeded_bytes


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("310110", ("31", "01", "10")),
        ("310100", ("31", "01")),
        ("310000", ("31",)),
        ("429004", ("42", "90", "04")),
        (COUNTRY, ()),
    ],
)
def test_region_segments(text: str, segments: tuple[str, ...]) -> None:
    assert parse_region(text) == segments


@pytest.mark.parametrize(
    "text", ["", "31", "3101", "310010", "000000", "100001", "101000", "31011a", "３10110", "3101100", "310110\n"]
)
def test_text_that_is_no_region(text: str) -> None:
    with refuses("form.region"):
        parse_region(text)


def test_containment_by_whole_segments() -> None:
    assert region_contains("310000", "310110")
    assert region_contains("310110", "310110")
    assert region_contains(COUNTRY, "330106")
    assert not region_contains("310110", "310000")
    assert not region_contains("310110", "310117")
    assert not region_contains("310100", "311110")
    assert not region_contains("330000", COUNTRY)


def test_ids_are_canonical_base32() -> None:
    text = new_material_id(seeded_bytes())
    assert check_material_id(text) == text
    assert len(text) == len("em-") + 26
    assert check_id(new_event_id(seeded_bytes()), prefix="ev", what="id").startswith("ev-")
    last = text[-1]
    other = chr(ord(last) + 1) if last != "z" else "y"
    for bad in (text.upper(), text[:-1], text + "a", text[:-1] + other, "ev" + text[2:], "", text[3:], text + "\n"):
        with refuses("form.id"):
            check_material_id(bad)


def test_entity_ids() -> None:
    assert organisation_id("11310110MB9F000199") == ISSUER
    assert entity_uscc(ISSUER) == "11310110MB9F000199"
    holder = holder_id(b"\x07" * 16)
    assert check_entity_id(holder) == holder
    assert entity_uscc(holder) is None
    with refuses("form.id"):
        check_organisation_id(holder)
    with refuses("form.id"):
        holder_id(b"\x07" * 15)
    with refuses("form.check-character"):
        check_entity_id("uscc:11310110MB9F000198")
    with refuses("form.id"):
        check_entity_id("holder:999999199001010016")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "with blank",
        "9lives",
        "a--b",
        "a.",
        "a" * 65,
        "企业",
        "a_b",
        "a\n",
        "id-440524188001010014",
        "a123456789",
    ],
)
def test_codes_are_no_free_text(text: str) -> None:
    with refuses("form.code"):
        check_code(text, what="reason")


def test_codes() -> None:
    for text in ("a", "company-registration", "law.2026-05", "order-20260101", "a" * 64):
        assert check_code(text, what="reason") == text


def test_window_is_half_open_with_one_skew() -> None:
    check_window(nbf=1000, exp=2000, now=1000 - SKEW_SECONDS, what="x")
    check_window(nbf=1000, exp=2000, now=1999 + SKEW_SECONDS, what="x")
    with refuses("time.not-yet"):
        check_window(nbf=1000, exp=2000, now=999 - SKEW_SECONDS, what="x")
    with refuses("time.expired"):
        check_window(nbf=1000, exp=2000, now=2000 + SKEW_SECONDS, what="x")
