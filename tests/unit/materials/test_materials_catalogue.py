"""Material types as data, and the check of fields against them."""

import copy
from typing import Any

import pytest

from materials.catalogue import (
    check_disclosed_fields,
    check_fields,
    load_catalogue,
    material_type_to_json,
    parse_material_type,
    schema_digest,
)
from tests.support.materials_world import CATALOGUE, LICENCE, example_fields, refuses

CODES = ["business-licence", "enterprise-annual-report", "property-registration-certificate"]


def test_shipped_types() -> None:
    catalogue = load_catalogue()
    assert [known.code for known in catalogue.types] == CODES
    assert CATALOGUE.by_code("property-registration-certificate").licence_type_code == "11100000MB03271699022"
    assert LICENCE.synthetic_type_code
    assert LICENCE.vct == "urn:ematerials:material:business-licence:1"
    assert CATALOGUE.by_vct(LICENCE.vct) is LICENCE
    assert CATALOGUE.by_code("enterprise-annual-report").licence_type_code is None
    for known in catalogue.types:
        assert all(spec.name_zh and spec.name_en for spec in known.fields)
        assert known.digest_count > len(known.fields), "no room for decoys"
        assert parse_material_type(material_type_to_json(known)) == known


def test_unknown_types() -> None:
    with refuses("form.unknown-type"):
        CATALOGUE.by_code("driving-licence")
    with refuses("form.unknown-type"):
        CATALOGUE.by_vct(LICENCE.vct[:-1] + "2")


@pytest.mark.parametrize("code", CODES)
def test_example_fields_fit_their_type(code: str) -> None:
    fields = example_fields(code)
    assert check_fields(CATALOGUE.by_code(code), fields) == fields


def _with(**changes: Any) -> dict[str, Any]:
    return {**example_fields(), **changes}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("holder_name", "", "form.text"),
        ("holder_name", " 样例", "form.text"),
        ("holder_name", "样\n例", "form.text"),
        ("holder_name", "样\u202e例", "form.text"),
        ("holder_name", "样\x00例", "form.text"),
        ("holder_name", "e\u0301", "form.text"),
        ("holder_name", "样" * 257, "form.size"),
        ("holder_name", 5, "form.type"),
        ("holder_name", None, "form.type"),
        ("holder_name", ["样例"], "form.type"),
        ("holder_code_type", "002", "form.code"),
        ("holder_code", "91310110MA9F000319", "form.check-character"),
        ("holder_code", "999999199001010016", "form.check-character"),
        ("area_code", "3101", "form.region"),
        ("issued_on", "2026-02-30", "form.date"),
        ("issued_on", "20260305", "form.date"),
        ("issued_on", "2026-3-5", "form.date"),
        ("issued_on", "2026年03月05日", "form.date"),
        ("licence_id", "1.2.156.3005.2.1", "form.licence-id"),
        ("registered_capital_fen", "100", "form.type"),
        ("registered_capital_fen", True, "form.type"),
        ("registered_capital_fen", 2**53, "form.range"),
        ("unheard_of", "x", "form.unknown-field"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(name: str, value: Any, code: str) -> None:
    with refuses(code) as refusal:
        check_fields(LICENCE, _with(**{name: value}))
    if code != "form.unknown-field":
        assert name in str(refusal.error)
    if isinstance(value, str) and len(value) > 6:
        assert value not in str(refusal.error)


def test_required_fields() -> None:
    fields = example_fields()
    del fields["holder_name"]
    with refuses("form.missing-field") as refusal:
        check_fields(LICENCE, fields)
    assert "holder_name" in str(refusal.error)
    assert check_disclosed_fields(LICENCE, fields) == fields


def test_citizen_id_is_normalised_and_follows_its_code_type() -> None:
    fields = _with(holder_code_type="111", holder_code="11010519491231002x")
    assert check_fields(LICENCE, fields)["holder_code"] == "11010519491231002X"
    with refuses("form.citizen-id"):
        check_fields(LICENCE, _with(holder_code_type="111", holder_code="91310110MA9F000318"))
    assert check_fields(LICENCE, _with(holder_code_type="414", holder_code="E12345678"))


def test_code_fields_are_closed() -> None:
    certificate = CATALOGUE.by_code("property-registration-certificate")
    with refuses("form.code"):
        check_fields(certificate, {**example_fields(certificate.code), "right_kind": "lease"})


def _broken_schema(change: Any) -> dict[str, Any]:
    schema = copy.deepcopy(material_type_to_json(LICENCE))
    change(schema)
    return schema


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s: s.update(version="ematerials/material-type/v2"), "form.version"),
        (lambda s: s.update(extra=1), "form.member"),
        (lambda s: s.pop("fields"), "form.member"),
        (lambda s: s.update(digest_count=3), "form.type-schema"),
        (lambda s: s["fields"].append(s["fields"][0]), "form.type-schema"),
        (lambda s: s["fields"].pop(0), "form.type-schema"),
        (lambda s: s["fields"].pop(3), "form.type-schema"),
        (lambda s: s["fields"][2].update(required=False), "form.type-schema"),
        (lambda s: s["fields"][2].update(kind="blob"), "form.type-schema"),
        (lambda s: s["fields"][2].update(name="Holder"), "form.type-schema"),
        (lambda s: s["fields"][10].update(codes=["a"]), "form.type-schema"),
        (lambda s: s.pop("licence_type_code"), "form.type-schema"),
        (lambda s: s.update(licence_type_code="11310110MB9F000198001"), "form.check-character"),
        (lambda s: s.update(code="Business"), "form.code"),
    ],
)
def test_schema_rules(change: Any, code: str) -> None:
    with refuses(code):
        parse_material_type(_broken_schema(change))


def test_schema_digest_covers_everything() -> None:
    changed = parse_material_type(_broken_schema(lambda s: s["fields"][2].update(max_length=255)))
    assert schema_digest(changed) != schema_digest(LICENCE)
    assert len(schema_digest(LICENCE)) == 32
