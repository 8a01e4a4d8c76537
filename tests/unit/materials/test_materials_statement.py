"""The profile of a statement: what is open, what is hidden, what is refused."""

import json
from typing import Any

import pytest

from materials.catalogue import Catalogue
from materials.files import FileRecord
from materials.ids import new_material_id
from materials.sdjwt.disclosure import make_disclosure, parse_disclosure
from materials.statement import (
    MAX_STATEMENT_BYTES,
    StatusRef,
    check_statement_type,
    check_validity,
    join_statement,
    parse_entry_claims,
    parse_statement,
    select_statement,
    verify_statement,
)
from signing import MalformedError, VerificationError, parse_jws, sign_jws
from tests.support.materials_world import (
    CATALOGUE,
    DAY,
    ISSUE_KEY,
    LICENCE,
    NOW,
    STATUS_URI,
    STRANGER,
    claims,
    example_fields,
    example_file,
    issued,
    refuses,
    seeded_bytes,
)

KEY = ISSUE_KEY.public_key


def test_issue_and_verify() -> None:
    statement = verify_statement(parse_statement(issued().text), KEY)
    assert statement.claims == claims()
    assert statement.fields == example_fields()
    assert statement.files == (example_file(),)
    assert statement.entry == issued().entry
    assert statement.key_id == KEY.key_id
    assert (statement.iss, statement.jti, statement.vct) == (claims().iss, claims().jti, LICENCE.vct)
    assert check_statement_type(statement, CATALOGUE) is LICENCE
    assert parse_entry_claims(statement.entry) == claims()
    assert join_statement(statement.entry, issued().disclosures) == issued().text


def test_reissue_names_the_statement_before() -> None:
    before = new_material_id(seeded_bytes(42))
    parsed = parse_statement(issued(version=2, supersedes=before).text)
    assert parsed.key_id == KEY.key_id
    assert verify_statement(parsed, KEY).claims == claims(version=2, supersedes=before)


def test_the_log_entry_shows_nothing_of_the_material() -> None:
    payload = json.dumps(parse_jws(issued().jwt, typ="dc+sd-jwt", max_bytes=65536).claims(), ensure_ascii=False)
    record = example_file()
    hidden = [*example_fields(), *map(str, example_fields().values()), record.sha256.hex(), record.sm3.hex()]
    hidden.append(record.media_type)
    assert [text for text in hidden if text in payload and text not in claims().iss] == []


def test_number_of_digests_does_not_depend_on_the_fields() -> None:
    few = {spec.name: example_fields()[spec.name] for spec in LICENCE.fields if spec.required}
    for fields in (few, example_fields()):
        statement = verify_statement(parse_statement(issued(fields=fields).text), KEY)
        assert (statement.digest_count, statement.file_slots) == (LICENCE.digest_count, LICENCE.file_slots)


def test_select_shows_exactly_what_is_named() -> None:
    other = FileRecord(b"\x01" * 32, b"\x02" * 32, "application/ofd", 9)
    text = issued(files=[example_file(), other]).text
    chosen = verify_statement(
        parse_statement(select_statement(text, fields=["holder_name"], files=[other.sha256])), KEY
    )
    assert chosen.fields == {"holder_name": example_fields()["holder_name"]}
    assert chosen.files == (other,)
    nothing = verify_statement(parse_statement(select_statement(text, fields=[], files=[])), KEY)
    assert (nothing.fields, nothing.files) == ({}, ())


def test_selecting_what_is_not_there() -> None:
    text = issued().text
    with refuses("sd.not-held", VerificationError):
        select_statement(text, fields=["no_such_field"], files=[])
    with refuses("sd.not-held", VerificationError):
        select_statement(text, fields=[], files=[b"\x00" * 32])
    narrowed = select_statement(text, fields=["holder_name"], files=[])
    with refuses("sd.not-held", VerificationError):
        select_statement(narrowed, fields=["holder_code"], files=[])


def test_another_key() -> None:
    with refuses("signature.key", VerificationError):
        verify_statement(parse_statement(issued().text), STRANGER.public_key)


def test_any_changed_character_is_refused() -> None:
    text = issued(fields={spec.name: example_fields()[spec.name] for spec in LICENCE.fields if spec.required}).text
    for place in range(0, len(text), 3):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_statement(parse_statement(changed), KEY)


def _signed(change: Any) -> str:
    payload = parse_jws(issued().jwt, typ="dc+sd-jwt", max_bytes=65536).claims()
    change(payload)
    return sign_jws(ISSUE_KEY, typ="dc+sd-jwt", claims=payload) + "~"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: p.pop("iss"), "form.member"),
        (lambda p: p.pop("vct"), "form.member"),
        (lambda p: p.pop("jti"), "form.member"),
        (lambda p: p.pop("iat"), "form.member"),
        (lambda p: p.pop("nbf"), "form.member"),
        (lambda p: p.pop("exp"), "form.member"),
        (lambda p: p.pop("_sd"), "form.member"),
        (lambda p: p.pop("_sd_alg"), "form.member"),
        (lambda p: p.pop("files"), "form.member"),
        (lambda p: p.pop("status"), "status.missing"),
        (lambda p: p.update(holder_name="样例甲"), "form.member"),
        (lambda p: p.update(cnf={"jwk": {}}), "form.member"),
        (lambda p: p.update(iss="holder:" + "a" * 26), "form.id"),
        (lambda p: p.update(iss="uscc:11310110MB9F000198"), "form.check-character"),
        (lambda p: p.update(vct="urn:other:1"), "form.vct"),
        (lambda p: p.update(jti="em-1"), "form.id"),
        (lambda p: p.update(iat=True), "form.type"),
        (lambda p: p.update(exp="9"), "form.type"),
        (lambda p: p.update(exp=2**53), "form.json"),
        (lambda p: p.update(iat=-1), "form.range"),
        (lambda p: p.update(exp=p["nbf"]), "time.order"),
        (lambda p: p.update(version=0), "form.range"),
        (lambda p: p.update(legal_basis="公司法 第七条"), "form.code"),
        (lambda p: p.update(supersedes=None), "form.member"),
        (lambda p: p.update(supersedes=p["jti"]), "form.member"),
        (lambda p: p.update(status={"status_list": {"idx": True, "uri": STATUS_URI}}), "form.type"),
        (lambda p: p.update(status={"status_list": {"idx": "7", "uri": STATUS_URI}}), "form.type"),
        (lambda p: p.update(status={"status_list": {"idx": -1, "uri": STATUS_URI}}), "form.range"),
        (lambda p: p.update(status={"status_list": {"idx": 7, "uri": "file:///etc/passwd"}}), "form.uri"),
        (lambda p: p.update(status={"status_list": {"idx": 7}}), "form.member"),
        (lambda p: p.update(status={"_sd": []}), "form.member"),
        (lambda p: p.update(_sd_alg="sha-512"), "sd.algorithm"),
        (lambda p: p["_sd"].append("张三"), "sd.form"),
        (lambda p: p["files"].append({"...": "x", "y": 1}), "form.member"),
        (lambda p: p["files"].append("x" * 43), "form.type"),
    ],
)
def test_open_claims_of_a_wrong_form(change: Any, code: str) -> None:
    with refuses(code, MalformedError):
        parse_statement(_signed(change))


def test_short_lived_statement_needs_no_status() -> None:
    statement = verify_statement(parse_statement(issued(status=None, exp=NOW + DAY).text), KEY)
    assert statement.claims.status is None
    with refuses("status.missing", MalformedError):
        issued(status=None, exp=NOW + DAY + 1)


def _with_disclosure(name: str | None, value: Any) -> str:
    disclosure = make_disclosure(name, value, salt=b"\x09" * 16)

    def change(payload: dict[str, Any]) -> None:
        if name is None:
            payload["files"][0] = {"...": disclosure.digest}
        else:
            payload["_sd"][0] = disclosure.digest

    return f"{_signed(change)}{disclosure.text}~"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("supersedes", "em-" + "a" * 26, "sd.not-disclosable"),
        ("status", 1, "sd.collision"),
        ("iss", "x", "sd.collision"),
        ("cnf", {}, "sd.not-disclosable"),
        ("aud", "x", "sd.not-disclosable"),
        ("vct#integrity", "x", "sd.not-disclosable"),
        ("holder_name", True, "form.type"),
        ("holder_name", None, "form.type"),
        ("holder_name", ["a"], "form.type"),
        ("holder_name", {"a": 1}, "form.type"),
        (None, {"sha256": "00"}, "form.member"),
        (None, "x", "form.type"),
        (None, {"sha256": "0" * 64, "sm3": "0" * 64, "media_type": "A/B", "size": 1}, "form.file"),
        (None, {"sha256": "0" * 63 + "G", "sm3": "0" * 64, "media_type": "a/b", "size": 1}, "form.file"),
        (None, {"sha256": "0" * 64, "sm3": "0" * 62, "media_type": "a/b", "size": 1}, "form.file"),
        (None, {"sha256": "0" * 64, "sm3": "0" * 64, "media_type": "a/b", "size": -1}, "form.range"),
    ],
)
def test_disclosures_that_no_statement_has(name: str | None, value: Any, code: str) -> None:
    with refuses(code):
        verify_statement(parse_statement(_with_disclosure(name, value)), KEY)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("favourite_colour", "red", "form.unknown-field"),
        ("issued_on", "2026-02-30", "form.date"),
        ("holder_code", "x" * 65, "form.size"),
        (None, {"sha256": "0" * 64, "sm3": "0" * 64, "media_type": "image/png", "size": 1}, "form.media-type"),
    ],
)
def test_statement_that_does_not_fit_its_type(name: str | None, value: Any, code: str) -> None:
    statement = verify_statement(parse_statement(_with_disclosure(name, value)), KEY)
    with refuses(code, MalformedError):
        check_statement_type(statement, CATALOGUE)


def test_type_that_the_verifier_does_not_know() -> None:
    statement = verify_statement(parse_statement(issued().text), KEY)
    with refuses("form.unknown-type", MalformedError):
        check_statement_type(statement, Catalogue(()))


def test_number_of_digests_that_the_type_does_not_have() -> None:
    statement = verify_statement(parse_statement(_signed(lambda p: p["_sd"].pop())), KEY)
    with refuses("sd.digest-count", MalformedError):
        check_statement_type(statement, CATALOGUE)


def test_unnormalised_values_are_refused_not_repaired() -> None:
    text = _with_disclosure("holder_code", "11010519491231002x")
    kind = make_disclosure("holder_code_type", "111", salt=b"\x0a" * 16)
    disclosure = parse_disclosure(text.split("~")[1])

    def change(payload: dict[str, Any]) -> None:
        payload["_sd"][:2] = [disclosure.digest, kind.digest]

    statement = verify_statement(parse_statement(f"{_signed(change)}{disclosure.text}~{kind.text}~"), KEY)
    with refuses("form.normal", MalformedError):
        check_statement_type(statement, CATALOGUE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fields": {"holder_name": "样例"}}, "form.missing-field"),
        ({"files": []}, "form.file"),
        ({"files": [FileRecord(b"\x00" * 32, b"\x00" * 32, "image/png", 1)]}, "form.media-type"),
        ({"files": [FileRecord(bytes([n]) * 32, b"\x00" * 32, "application/pdf", 1) for n in range(5)]}, "sd.too-many"),
        ({"vct": "urn:ematerials:material:enterprise-annual-report:1"}, "form.vct"),
        ({"status": StatusRef("ftp://x", 1)}, "form.uri"),
        ({"legal_basis": "Free text"}, "form.code"),
    ],
)
def test_what_is_not_issued(changes: dict[str, Any], code: str) -> None:
    with refuses(code, MalformedError):
        issued(**changes)


@pytest.mark.parametrize(
    "text", ["", "~", "~~", "a.b.c~", "..~", "\ud800~", "é~", "x" * (MAX_STATEMENT_BYTES + 1), "{}", "a" * 65000 + "~"]
)
def test_text_that_is_no_statement(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_statement(text)


def test_another_kind_of_token() -> None:
    with refuses("form.typ", MalformedError):
        parse_statement(sign_jws(ISSUE_KEY, typ="vc+sd-jwt", claims={}) + "~")
    with refuses("form.typ", MalformedError):
        parse_statement(sign_jws(ISSUE_KEY, typ="grant+jwt", claims={}) + "~")


def test_log_entry_of_garbage() -> None:
    for entry in (b"", b"\xff\xfe", b"a.b.c", issued().entry + b"~", issued().entry[:-1]):
        with pytest.raises(MalformedError):
            parse_entry_claims(entry)


def test_validity_in_time() -> None:
    check_validity(claims(), now=NOW)
    with refuses("time.not-yet", VerificationError):
        check_validity(claims(nbf=NOW + 61), now=NOW)
    with refuses("time.expired", VerificationError):
        check_validity(claims(), now=claims().exp + 60)


def test_values_do_not_show_in_repr() -> None:
    statement = verify_statement(parse_statement(issued().text), KEY)
    shown = repr(issued()) + repr(statement) + repr(parse_statement(issued().text))
    record = example_file()
    values = [*map(str, example_fields().values()), record.sha256.hex(), repr(record.sha256), *issued().disclosures]
    assert [value for value in values if value in shown and value not in claims().iss] == []
