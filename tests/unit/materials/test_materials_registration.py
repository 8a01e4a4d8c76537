"""What may enter the log: each rule of the registration policy, one refusal each."""

from dataclasses import replace
from typing import Any

import pytest

from materials.catalogue import Catalogue
from materials.identifiers import build_licence_id
from materials.ids import organisation_id
from materials.registry.rules import Registration, decide_registration
from materials.statement import StatusRef, parse_statement, select_statement, verify_statement
from materials.trust.model import KeyRevocation
from signing import RefusedError
from tests.support.materials_world import (
    CATALOGUE,
    DAY,
    ISSUE_KEY,
    LICENCE,
    NOW,
    STATUS_KEY,
    STRANGER,
    entity,
    example_fields,
    example_file,
    issued,
    policy,
    refuses,
    trusted,
)


def _decide(text: str | None = None, *, signer: Any = ISSUE_KEY, **changes: Any) -> Registration:
    statement = verify_statement(parse_statement(issued(signer).text if text is None else text), signer.public_key)
    asked: dict[str, Any] = {"trust": trusted(), "catalogue": CATALOGUE, "now": NOW, "policy": policy()} | changes
    return decide_registration(asked.pop("policy"), statement=statement, **asked)


def _fields(**changes: Any) -> dict[str, Any]:
    return {**example_fields(), **changes}


def test_allowed() -> None:
    registration = _decide()
    assert registration.entity == entity()
    assert registration.key == entity().keys[0]
    assert registration.material_type is LICENCE
    assert registration.fields == example_fields()
    assert registration.warnings == ()
    assert example_fields()["holder_name"] not in repr(registration)


def test_trust_list_of_another_operator() -> None:
    with refuses("registration.trust-list", RefusedError):
        _decide(policy=policy(list_key=STRANGER.public_key.key_id))


def test_issuer_that_is_not_listed_or_out_of_the_region() -> None:
    with refuses("registration.issuer", RefusedError):
        _decide(trust=trusted(entities=()))
    with refuses("registration.region", RefusedError):
        _decide(policy=policy(region="330000"))
    with refuses("registration.region", RefusedError):
        _decide(trust=trusted(entities=(entity(region="310117"),)))


def test_keys_that_may_not_issue() -> None:
    with refuses("registration.key", RefusedError):
        _decide(signer=STRANGER)
    with refuses("registration.key", RefusedError):
        _decide(signer=STATUS_KEY)
    good = entity().keys[0]
    for key in (
        replace(good, exp=NOW - 60),
        replace(good, nbf=NOW + 61),
        replace(good, revoked=KeyRevocation(NOW - 1, "compromised")),
        replace(good, revoked=KeyRevocation(NOW - 1, "superseded")),
    ):
        with refuses("registration.key", RefusedError):
            _decide(trust=trusted(entities=(entity(keys=(key,)),)))


def test_backdated_statement_of_a_key_that_is_no_longer_current() -> None:
    key = replace(entity().keys[0], exp=NOW - DAY)
    with refuses("registration.key", RefusedError):
        _decide(issued(iat=NOW - 2 * DAY).text, trust=trusted(entities=(entity(keys=(key,)),)))


def test_types_that_are_not_allowed() -> None:
    with refuses("registration.type", RefusedError):
        _decide(trust=trusted(entities=(entity(types=()),)))
    with refuses("registration.schema", RefusedError):
        _decide(catalogue=Catalogue(()))
    with refuses("registration.schema", RefusedError):
        _decide(policy=policy(types={}))
    with refuses("registration.schema", RefusedError):
        _decide(policy=policy(types={LICENCE.vct: b"\x00" * 32}))


def test_times_and_status() -> None:
    with refuses("registration.time", RefusedError):
        _decide(issued(iat=NOW + 61).text)
    with refuses("registration.time", RefusedError):
        _decide(issued(nbf=NOW - 2, exp=NOW).text)
    with refuses("registration.status-uri", RefusedError):
        _decide(issued(status=StatusRef("https://status.example/other/1", 7)).text)


def test_material_of_another_place() -> None:
    with refuses("registration.region", RefusedError):
        _decide(issued(fields=_fields(area_code="310117")).text)


def test_statement_that_is_not_shown_whole() -> None:
    text = issued().text
    some = [name for name in example_fields() if name != "holder_code"]
    with refuses("registration.fields", RefusedError) as refusal:
        _decide(select_statement(text, fields=some, files=[example_file().sha256]))
    assert "holder_code" in str(refusal.error)
    with refuses("registration.files", RefusedError):
        _decide(select_statement(text, fields=list(example_fields()), files=[]))


@pytest.mark.parametrize(
    ("type_code", "issuer", "version"),
    [
        ("11100000MB03271699022", "11310110MB9F000199", 1),
        ("11310110MB9F000199001", "11310117MB9F000279", 1),
        ("11310110MB9F000199001", "11310110MB9F000199", 2),
    ],
)
def test_licence_identifier_of_another_type_issuer_or_version(type_code: str, issuer: str, version: int) -> None:
    licence_id = build_licence_id(type_code, issuer, "2026000001", version).text
    with refuses("registration.licence-id", RefusedError):
        _decide(issued(fields=_fields(licence_id=licence_id)).text)


def test_region_as_issuer_is_allowed_with_a_warning() -> None:
    licence_id = build_licence_id("11310110MB9F000199001", "310110", "2026000001", 1).text
    registration = _decide(issued(fields=_fields(licence_id=licence_id)).text)
    assert registration.warnings == ("licence-id.region-as-issuer",)


def test_statement_in_the_name_of_another() -> None:
    other = entity(id=organisation_id("11310117MB9F000279"), keys=())
    with refuses("registration.key", RefusedError):
        _decide(issued(iss=other.id).text, trust=trusted(entities=(entity(), other)))


def test_refusals_hold_no_value() -> None:
    with refuses("registration.region", RefusedError) as refusal:
        _decide(issued(fields=_fields(area_code="310117")).text)
    assert "310117" not in str(refusal.error)
