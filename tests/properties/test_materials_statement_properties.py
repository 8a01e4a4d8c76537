"""Properties of statements, selection and status lists over generated input."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from materials.catalogue import check_fields
from materials.files import FileRecord
from materials.identifiers import build_licence_id, check_uscc, parse_licence_id
from materials.sdjwt.disclosure import make_disclosure
from materials.sdjwt.reveal import reveal
from materials.statement import parse_statement, select_statement, verify_statement
from materials.status import LIST_ENTRIES, StatusValue, pack_statuses
from signing import LedgerError, MalformedError, parse_jws
from tests.support.materials_world import ISSUE_KEY, LICENCE, example_fields, issued

KEY = ISSUE_KEY.public_key
FAST = settings(max_examples=60, deadline=None)

REQUIRED = [spec.name for spec in LICENCE.fields if spec.required]
OPTIONAL = [spec.name for spec in LICENCE.fields if not spec.required]
WORDS = st.text(st.characters(codec="utf-8", categories=["Lo", "Lu", "Nd"]), min_size=8, max_size=40)
FILES = st.lists(
    st.builds(
        FileRecord,
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=32, max_size=32),
        st.sampled_from(["application/pdf", "application/ofd"]),
        st.integers(0, 2**40),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda record: record.sha256,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "status", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def material(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a business licence: the required ones, some others, texts of any kind that the type allows."""
    kept = [*REQUIRED, *draw(st.lists(st.sampled_from(OPTIONAL), unique=True))]
    fields = {name: value for name, value in example_fields().items() if name in kept}
    for name in ("holder_name", "legal_representative", "address"):
        text = draw(WORDS)
        try:
            check_fields(LICENCE, {**fields, name: text})
        except MalformedError:
            continue
        fields[name] = text
    return fields


@FAST
@given(material(), FILES, st.data())
def test_what_is_selected_is_shown(fields: dict[str, Any], files: list[FileRecord], data: st.DataObject) -> None:
    text = issued(fields=fields, files=files).text
    names = data.draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    chosen = data.draw(st.lists(st.sampled_from(files), unique=True))
    shown = select_statement(text, fields=names, files=[record.sha256 for record in chosen])
    statement = verify_statement(parse_statement(shown), KEY)
    assert statement.fields == {name: fields[name] for name in names}
    assert set(statement.files) == set(chosen)
    assert statement.entry == parse_statement(text).entry


@FAST
@given(material(), FILES)
def test_no_field_value_or_name_is_in_the_log_entry(fields: dict[str, Any], files: list[FileRecord]) -> None:
    payload = parse_jws(issued(fields=fields, files=files).jwt, typ="dc+sd-jwt", max_bytes=65536).claims()
    shown = json.dumps(payload, ensure_ascii=False)
    issuer = payload["iss"]
    for name, value in fields.items():
        assert name not in shown
        if len(str(value)) >= 6:  # shorter ones may be in a digest by chance
            assert str(value) not in shown.replace(str(issuer), "")
    for record in files:
        assert record.sha256.hex() not in shown
        assert record.sm3.hex() not in shown


@FAST
@given(st.integers(0, 10**6), st.characters(codec="ascii"))
def test_any_changed_character_of_a_statement_is_refused(place: int, new: str) -> None:
    text = issued().text
    place %= len(text)
    if text[place] == new:
        return
    try:
        verify_statement(parse_statement(text[:place] + new + text[place + 1 :]), KEY)
    except LedgerError:
        return
    raise AssertionError("a changed statement was accepted")


@FAST
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    for candidate in (text, text + "~", issued().jwt + "~" + text + "~", text + issued().text):
        try:
            verify_statement(parse_statement(candidate), KEY)
        except LedgerError:
            continue


@FAST
@given(JSON, st.lists(st.tuples(st.none() | st.sampled_from(["a", "x", "status"]), JSON), max_size=3))
def test_revealing_anything_ends_in_claims_or_a_refusal(payload: Any, contents: list[tuple[str | None, Any]]) -> None:
    disclosures = [make_disclosure(name, value, salt=bytes([n]) * 16) for n, (name, value) in enumerate(contents)]
    claims = dict(payload) if isinstance(payload, dict) else {"a": payload}
    claims["list"] = [{"...": disclosure.digest} for disclosure in disclosures]
    try:
        result = json.dumps(reveal(claims, disclosures))
    except LedgerError:
        return
    assert '"_sd"' not in result
    assert '"..."' not in result


@FAST
@given(st.dictionaries(st.integers(0, LIST_ENTRIES - 1), st.sampled_from(StatusValue), max_size=50))
def test_packing_keeps_every_entry_apart(statuses: dict[int, StatusValue]) -> None:
    packed = pack_statuses(statuses)
    for idx, value in statuses.items():
        for near in (idx - 1, idx, idx + 1):
            if 0 <= near < LIST_ENTRIES:
                read = packed[near // 4] >> (near % 4 * 2) & 3
                assert read == statuses.get(near, StatusValue.VALID)
        assert packed[idx // 4] >> (idx % 4 * 2) & 3 == value


@FAST
@given(st.from_regex(r"[0-9A-Z]{1,32}", fullmatch=True), st.integers(1, 999))
def test_licence_identifiers_survive_the_round_trip(serial: str, version: int) -> None:
    licence = build_licence_id("11310110MB9F000199001", "11310110MB9F000199", serial, version)
    assert parse_licence_id(licence.text) == licence


@FAST
@given(st.text(max_size=80))
def test_identifier_checks_raise_nothing_else(text: str) -> None:
    for check in (check_uscc, parse_licence_id):
        try:
            check(text)
        except LedgerError:
            continue
