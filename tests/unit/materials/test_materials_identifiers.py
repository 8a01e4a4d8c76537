"""Check characters of GB 32100, GB 11643 and GB/T 36904, against published and synthetic identifiers."""

import string

import pytest

from materials.identifiers import (
    build_licence_id,
    check_citizen_id,
    check_licence_type_code,
    check_uscc,
    licence_id_warnings,
    parse_licence_id,
    uscc_warnings,
)
from signing import MalformedError
from tests.support.materials_world import refuses

USCCS = ["11310110MB9F000199", "11310117MB9F000279", "91310110MA9F000318", "11330106MB9F000439", "N2310117MF9F00056Q"]
CITIZENS = ["11010519491231002X", "440524188001010014", "999999199001010016", "999999198512310120"]
PUBLISHED = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9"
SYNTHETIC = "1.2.156.3005.2.11310110MB9F000199001.11310110MB9F000199.2023000001.001.H"


@pytest.mark.parametrize("text", USCCS)
def test_uscc_with_right_checks(text: str) -> None:
    assert check_uscc(text) == text
    assert uscc_warnings(check_uscc(text)) == ()


def _uscc_with_check(body: str) -> str:
    for char in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        try:
            return check_uscc(body + char)
        except MalformedError:
            continue
    raise AssertionError(body)


def test_wrong_organisation_check_is_only_a_warning() -> None:
    text = _uscc_with_check("11310110MB9F00018")
    assert uscc_warnings(check_uscc(text)) == ("uscc.organisation-check",)


@pytest.mark.parametrize("text", USCCS)
def test_any_changed_character_of_a_uscc_is_refused(text: str) -> None:
    for place, old in enumerate(text):
        for new in string.digits + string.ascii_uppercase + "a ０\n":
            if new != old:
                with pytest.raises(MalformedError):
                    check_uscc(text[:place] + new + text[place + 1 :])


@pytest.mark.parametrize("text", ["", "1131", USCCS[0] + "0", USCCS[0].lower(), " " + USCCS[0], USCCS[0] + "\n"])
def test_uscc_of_another_form(text: str) -> None:
    with refuses("form.uscc"):
        check_uscc(text)


@pytest.mark.parametrize("text", CITIZENS)
def test_citizen_id_with_right_check(text: str) -> None:
    assert check_citizen_id(text) == text
    assert check_citizen_id(text.lower()) == text


@pytest.mark.parametrize("text", CITIZENS)
def test_any_changed_character_of_a_citizen_id_is_refused(text: str) -> None:
    for place, old in enumerate(text):
        for new in string.digits + "XA １":
            if new != old:
                with pytest.raises(MalformedError):
                    check_citizen_id(text[:place] + new + text[place + 1 :])


@pytest.mark.parametrize("birth", ["19900230", "19901301", "19900001", "00000101", "19010229"])
def test_citizen_id_with_an_impossible_date(birth: str) -> None:
    with refuses("form.citizen-id"):
        check_citizen_id(f"999999{birth}0011")


@pytest.mark.parametrize("text", [PUBLISHED, SYNTHETIC])
def test_licence_identifier_taken_apart_and_put_together(text: str) -> None:
    licence = parse_licence_id(text)
    assert licence.text == text
    assert build_licence_id(licence.type_code, licence.issuer_code, licence.serial, licence.version) == licence


def test_next_version_has_another_check_character() -> None:
    licence = parse_licence_id(SYNTHETIC)
    assert build_licence_id(licence.type_code, licence.issuer_code, licence.serial, 2).check == "F"


def test_region_as_issuer_is_only_a_warning() -> None:
    assert licence_id_warnings(parse_licence_id(PUBLISHED)) == ("licence-id.region-as-issuer",)
    assert licence_id_warnings(parse_licence_id(SYNTHETIC)) == ()


@pytest.mark.parametrize("check", ["6", "2"])
def test_check_computed_without_version_or_with_root(check: str) -> None:
    with refuses("form.check-character"):
        parse_licence_id(PUBLISHED[:-1] + check)


@pytest.mark.parametrize("text", [PUBLISHED, SYNTHETIC])
def test_any_changed_character_of_a_licence_identifier_is_refused(text: str) -> None:
    for place, old in enumerate(text):
        for new in string.digits + string.ascii_uppercase + "a_. ０":
            if new != old:
                with pytest.raises(MalformedError):
                    parse_licence_id(text[:place] + new + text[place + 1 :])
        with pytest.raises(MalformedError):
            parse_licence_id(text[:place] + text[place + 1 :])


@pytest.mark.parametrize(
    ("serial", "version", "code"),
    [
        ("20_1", 1, "form.licence-id"),
        ("", 1, "form.licence-id"),
        ("abc", 1, "form.licence-id"),
        ("1" * 65, 1, "form.licence-id"),
        ("2023", 0, "form.licence-id"),
        ("2023", 1000, "form.licence-id"),
    ],
)
def test_parts_that_no_licence_identifier_has(serial: str, version: int, code: str) -> None:
    with refuses(code):
        build_licence_id("11310110MB9F000199001", "11310110MB9F000199", serial, version)


def test_issuer_part_is_a_uscc_or_a_region() -> None:
    with refuses("form.check-character"):
        build_licence_id("11310110MB9F000199001", "11310110MB9F000198", "2023", 1)
    with refuses("form.uscc"):
        build_licence_id("11310110MB9F000199001", "31011", "2023", 1)


@pytest.mark.parametrize("code", ["11100000MB03271699001", "11100000MB03271699022", "11100000000013338W001"])
def test_published_type_codes(code: str) -> None:
    assert check_licence_type_code(code) == code


def test_no_error_text_holds_the_number() -> None:
    for check, text in ((check_citizen_id, "999999199001010017"), (check_uscc, "11310110MB9F000198")):
        with refuses("form.check-character") as refusal:
            check(text)
        assert text not in str(refusal.error)
        assert text[:10] not in str(refusal.error)


def test_agrees_with_python_stdnum() -> None:
    mod_37_36 = pytest.importorskip("stdnum.iso7064.mod_37_36")
    mod_11_2 = pytest.importorskip("stdnum.iso7064.mod_11_2")
    for serial in range(0, 3000, 7):
        licence = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", f"{serial:07d}", 1 + serial % 999)
        body = "".join(licence.text.split(".")[5:-1])
        assert mod_37_36.calc_check_digit(body) == licence.check
    assert all(mod_11_2.is_valid(text) for text in CITIZENS)
