"""RFC 9901: its own example, and every refusal of its section 7.1."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OKPKey

from materials.sdjwt.core import issue_sd_jwt, parse_sd_jwt, select, verify_sd_jwt
from materials.sdjwt.disclosure import Disclosure, make_disclosure, parse_disclosure
from materials.sdjwt.reveal import NEVER_DISCLOSABLE, reveal
from signing import (
    Es256Signer,
    MalformedError,
    PublicKey,
    VerificationError,
    b64url_decode,
    b64url_encode,
    dump_json,
    parse_json,
    sha256,
    sign_jws,
)
from tests.support.materials_world import ISSUE_KEY, STRANGER, refuses, seeded_bytes

RFC = json.loads((Path(__file__).parents[2] / "vectors/materials_sdjwt_rfc9901.json").read_text())
TYP = "example+sd-jwt"
MAX = 65536


def _rfc_payload() -> dict[str, Any]:
    payload = parse_json(b64url_decode(RFC["issuer_signed_jwt"].split(".")[1], what="payload"), what="x", max_bytes=MAX)
    assert isinstance(payload, dict)
    return payload


def _salted(name: str | None, value: Any, salt: int = 1) -> Disclosure:
    return make_disclosure(name, value, salt=bytes([salt]) * 16)


def _issue(disclosable: dict[str, Any], elements: Sequence[Any] = (), key: Any = ISSUE_KEY) -> Any:
    return issue_sd_jwt(
        key,
        typ=TYP,
        visible={"iss": "x", "iat": 5},
        disclosable=disclosable,
        array_name="files",
        elements=elements,
        digest_count=8,
        array_count=4,
        random_bytes=seeded_bytes(),
    )


def test_rfc_example_in_full() -> None:
    signing_input, _, signature = RFC["issuer_signed_jwt"].rpartition(".")
    PublicKey.from_jwk(RFC["issuer_key"]).verify(b64url_decode(signature, what="s"), signing_input.encode())
    disclosures = [parse_disclosure(text) for text in RFC["disclosures"]]
    assert reveal(_rfc_payload(), disclosures) == RFC["claims"]


def test_rfc_example_with_nothing_and_with_a_part_disclosed() -> None:
    bare = reveal(_rfc_payload(), [])
    assert bare == {name: RFC["claims"][name] for name in ("iss", "iat", "exp", "sub", "cnf")} | {"nationalities": []}
    part = reveal(_rfc_payload(), [parse_disclosure(text) for text in RFC["presented"]])
    names = ("iss", "iat", "exp", "sub", "cnf", "given_name", "family_name", "address")
    assert part == {name: RFC["claims"][name] for name in names} | {"nationalities": ["US"]}


@pytest.mark.parametrize("place", range(len(RFC["disclosures"])))
def test_any_changed_character_of_an_rfc_disclosure_is_refused(place: int) -> None:
    text = RFC["disclosures"][place]
    for at, old in enumerate(text):
        changed = text[:at] + ("A" if old != "A" else "B") + text[at + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            reveal(_rfc_payload(), [parse_disclosure(changed)])


def test_rfc_presentation_with_key_binding_is_refused_because_none_is_taken() -> None:
    text = "~".join([RFC["issuer_signed_jwt"], *RFC["presented"], RFC["key_binding_jwt"]])
    with refuses("sd.kb-unexpected", MalformedError):
        parse_sd_jwt(text, typ=TYP, max_bytes=MAX)


def test_bare_jwt_is_no_sd_jwt() -> None:
    jwt = _issue({}).jwt
    with refuses("sd.form", MalformedError):
        parse_sd_jwt(jwt, typ=TYP, max_bytes=MAX)
    assert parse_sd_jwt(jwt + "~", typ=TYP, max_bytes=MAX).disclosures == ()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], "sd.element-count"),
        (["s" * 22], "sd.element-count"),
        (["s" * 22, "name", 1, 2], "sd.element-count"),
        ({"salt": "s"}, "sd.element-count"),
        ([5, "name", 1], "sd.salt"),
        (["s" * 21, "name", 1], "sd.salt"),
        ([None, 1], "sd.salt"),
        (["s" * 22, 5, 1], "sd.name"),
        (["s" * 22, None, 1], "sd.name"),
        (["s" * 22, "_sd", []], "sd.reserved-name"),
        (["s" * 22, "...", 1], "sd.reserved-name"),
        (["s" * 22, "_sd_alg", "sha-256"], "sd.reserved-name"),
    ],
)
def test_disclosures_of_a_wrong_form(content: Any, code: str) -> None:
    with refuses(code, MalformedError):
        parse_disclosure(b64url_encode(dump_json(content)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "é",
        "\ud800",
        b64url_encode(b"not json"),
        b64url_encode(b'["ssssssssssssssssssssss","a",NaN]'),
        b64url_encode(b'["ssssssssssssssssssssss","a",1.5]'),
        b64url_encode(b'["ssssssssssssssssssssss","a",{"b":1,"b":2}]'),
        b64url_encode(b'["ssssssssssssssssssssss","a","\\ud800"]'),
        b64url_encode(b"[" * 40 + b"]" * 40),
        b64url_encode(b'["ssssssssssssssssssssss","a",1]') + "=",
        "A" * 40_000,
    ],
)
def test_disclosures_that_are_no_strict_json(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_disclosure(text)


def _payload(*disclosures: Disclosure, **more: Any) -> dict[str, Any]:
    return {"iss": "x", "_sd": [disclosure.digest for disclosure in disclosures], "_sd_alg": "sha-256", **more}


def test_unreferenced_disclosure() -> None:
    with refuses("sd.unreferenced", VerificationError):
        reveal(_payload(), [_salted("a", 1)])


def test_disclosure_given_twice() -> None:
    disclosure = _salted("a", 1)
    with refuses("sd.duplicate-digest", VerificationError):
        reveal(_payload(disclosure), [disclosure, disclosure])


def test_digest_twice_at_one_level_across_levels_and_inside_a_disclosure() -> None:
    a = _salted("a", 1)
    nested = _salted("b", {"_sd": [a.digest]}, salt=2)
    for payload, disclosures in (
        ({"_sd": [a.digest, a.digest]}, []),
        ({"_sd": [a.digest], "sub": {"_sd": [a.digest]}}, []),
        ({"_sd": [a.digest], "list": [{"...": a.digest}]}, []),
        ({"_sd": [a.digest, nested.digest]}, [a, nested]),
        ({"_sd": [nested.digest], "sub": {"_sd": [a.digest]}}, [nested]),
    ):
        with refuses("sd.duplicate-digest", VerificationError):
            reveal(payload, disclosures)


def test_name_that_is_there_already() -> None:
    plain, first, second = _salted("iat", 9), _salted("a", 1), _salted("a", 2, salt=2)
    with refuses("sd.collision", VerificationError):
        reveal({"iat": 5, "_sd": [plain.digest]}, [plain])
    with refuses("sd.collision", VerificationError):
        reveal(_payload(first, second), [first, second])


def test_disclosures_in_the_wrong_kind_of_place() -> None:
    element, member = _salted(None, 1), _salted("a", 1)
    with refuses("sd.element-count", MalformedError):
        reveal(_payload(element), [element])
    with refuses("sd.element-count", MalformedError):
        reveal({"list": [{"...": member.digest}]}, [member])


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"_sd": "x"}, "sd.form"),
        ({"_sd": [5]}, "sd.form"),
        ({"_sd": {"a": 1}}, "sd.form"),
        ({"list": [{"...": "x", "more": 1}]}, "sd.form"),
        ({"list": [{"...": 5}]}, "sd.form"),
        ({"...": "x"}, "sd.reserved-name"),
        ({"sub": {"...": "x"}}, "sd.reserved-name"),
        ({"sub": {"_sd_alg": "sha-256"}}, "sd.reserved-name"),
        ({"_sd_alg": "sha-512"}, "sd.algorithm"),
        ({"_sd_alg": "SHA-256"}, "sd.algorithm"),
        ({"_sd_alg": "sha-256-32"}, "sd.algorithm"),
        ({"_sd_alg": None}, "sd.algorithm"),
    ],
)
def test_payloads_that_use_the_reserved_names_otherwise(payload: dict[str, Any], code: str) -> None:
    with refuses(code, MalformedError):
        reveal(payload, [])


@pytest.mark.parametrize("name", sorted(NEVER_DISCLOSABLE))
def test_what_decides_validity_is_never_in_a_disclosure(name: str) -> None:
    whole, part = _salted(name, 1), _salted("part", 1)
    with refuses("sd.not-disclosable", VerificationError):
        reveal(_payload(whole) if name != "iss" else {"_sd": [whole.digest]}, [whole])
    for inside in ({"_sd": [part.digest]}, {"deep": [{"_sd": [part.digest]}]}):
        with refuses("sd.not-disclosable", VerificationError):
            reveal({name: inside}, [part])
    with refuses("sd.not-disclosable", VerificationError):
        reveal({name: [{"...": "decoy"}]}, [])


def test_nesting_is_resolved_and_emptied_objects_stay() -> None:
    street = _salted("street", "x")
    address = _salted("address", {"_sd": [street.digest], "plain": [1, {"_sd": ["decoy"]}]}, salt=2)
    payload = _payload(address, hidden={"_sd": ["decoy2"]})
    expected = {"iss": "x", "hidden": {}, "address": {"plain": [1, {}], "street": "x"}}
    assert reveal(payload, [address, street]) == expected
    with refuses("sd.unreferenced", VerificationError):
        reveal(payload, [street])


def test_deep_chains_of_disclosures_end_in_a_refusal() -> None:
    chain = [_salted("a", 1)]
    for salt in range(2, 100):
        chain.append(_salted("a", {"_sd": [chain[-1].digest]}, salt=salt))
    with refuses("sd.depth", MalformedError):
        reveal({"_sd": [chain[-1].digest]}, chain)


def test_ten_thousand_tildes() -> None:
    with refuses("sd.too-many", MalformedError):
        parse_sd_jwt(_issue({}).jwt + "~" * 10_000, typ=TYP, max_bytes=MAX)


def test_size_is_checked_first() -> None:
    with refuses("form.size", MalformedError):
        parse_sd_jwt("x" * (MAX + 1), typ=TYP, max_bytes=MAX)


def test_two_disclosures_with_one_salt() -> None:
    text = f"{_issue({}).jwt}~{_salted('a', 1).text}~{_salted('b', 2).text}~"
    with refuses("sd.salt", MalformedError):
        parse_sd_jwt(text, typ=TYP, max_bytes=MAX)


def test_issue_verify_select() -> None:
    issued = _issue({"name": "甲", "number": 5}, [{"size": 1}, {"size": 2}])
    parsed = parse_sd_jwt(issued.text, typ=TYP, max_bytes=MAX)
    claims = verify_sd_jwt(parsed, ISSUE_KEY.public_key).claims
    assert claims["name"] == "甲"
    assert sorted(item["size"] for item in claims["files"]) == [1, 2]
    chosen = parse_sd_jwt(select(parsed, lambda d: d.name == "name"), typ=TYP, max_bytes=MAX)
    shown = verify_sd_jwt(chosen, ISSUE_KEY.public_key).claims
    assert shown == {"iss": "x", "iat": 5, "name": "甲", "files": []}
    with refuses("signature.key", VerificationError):
        verify_sd_jwt(parsed, STRANGER.public_key)


def test_selecting_a_part_without_its_whole() -> None:
    street = _salted("street", "x")
    address = _salted("address", {"_sd": [street.digest]}, salt=2)
    jwt = sign_jws(ISSUE_KEY, typ=TYP, claims=_payload(address))
    parsed = parse_sd_jwt(f"{jwt}~{address.text}~{street.text}~", typ=TYP, max_bytes=MAX)
    with refuses("sd.unreferenced", VerificationError):
        select(parsed, lambda d: d.name == "street")


def test_digests_are_sorted_and_their_number_does_not_tell() -> None:
    for count in range(4):
        payload = parse_sd_jwt(
            _issue({f"f{n}": n for n in range(count)}, [{"n": n} for n in range(count)]).text, typ=TYP, max_bytes=MAX
        ).jws.claims()
        assert len(payload["_sd"]) == 8
        assert payload["_sd"] == sorted(payload["_sd"])
        assert len(payload["files"]) == 4
        assert payload["files"] == sorted(payload["files"], key=lambda item: item["..."])


def test_more_to_disclose_than_digests() -> None:
    with refuses("sd.too-many", MalformedError):
        _issue({f"f{n}": n for n in range(9)})
    with refuses("sd.too-many", MalformedError):
        _issue({}, range(5))


def test_digest_is_over_the_text_and_every_salt_is_new() -> None:
    issued = _issue({"a": 1, "b": 1})
    for disclosure in issued.disclosures:
        assert disclosure.digest == b64url_encode(sha256(disclosure.text.encode()))
        assert len(b64url_decode(disclosure.salt, what="salt")) == 16
    assert len({disclosure.salt for disclosure in issued.disclosures}) == 2


def test_salts_and_values_do_not_show() -> None:
    issued = _issue({"name": "样例甲"})
    assert "样例甲" not in repr(issued) + repr(issued.disclosures[0])
    assert issued.disclosures[0].salt not in repr(issued.disclosures[0])


@pytest.mark.parametrize("signer", [ISSUE_KEY, Es256Signer(b"\x08" * 32)], ids=["Ed25519", "ES256"])
def test_joserfc_agrees_on_the_signature(signer: Any) -> None:
    jwk = dict(signer.public_key.to_jwk())
    algorithm = jwk.pop("alg")
    key = (OKPKey if jwk["kty"] == "OKP" else ECKey).import_key(jwk)
    checked = joserfc_jws.deserialize_compact(_issue({"a": 1}, key=signer).jwt, key, algorithms=[algorithm])
    assert checked.headers()["typ"] == TYP
