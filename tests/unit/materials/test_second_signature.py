"""Further signatures over a statement: their form, and what the verifier makes of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey

from materials.bundle import Bundle
from materials.ids import organisation_id
from materials.report import Facet, Verdict
from materials.second_signature import countersign_statement, parse_second_signature, verify_second_signature
from materials.trust.model import KeyRevocation, TrustKey
from signing import (
    CryptoProfile,
    Ed25519Signer,
    Es256Signer,
    MalformedError,
    UnavailableError,
    VerificationError,
    b64url_encode,
    dump_json,
)
from tests.support.evidence_world import ES384_KEY, WINDOW, World, ended, hide_gm, said, sm2_key, with_keys
from tests.support.materials_world import DAY, ISSUE_KEY, NOW, STRANGER, entity, issued, refuses

INTL, GM = CryptoProfile.INTL, CryptoProfile.GM
JWT = issued().jwt
ES256_KEY = Es256Signer(b"\x08" * 32)


@pytest.fixture
def without_gm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if gmssl-pyx were not installed: ``import gmssl_pyx`` raises ImportError."""
    sm2_key()
    with monkeypatch.context() as patch:
        hide_gm(patch)
        yield


@pytest.mark.parametrize("signer", [ES384_KEY, ES256_KEY, "SM2"])
def test_countersign_and_verify(signer: Any) -> None:
    signer = sm2_key() if signer == "SM2" else signer
    text = countersign_statement(JWT, signer)
    assert text.split(".")[1] == ""
    verified = verify_second_signature(JWT, text, signer.public_key)
    assert (verified.key_id, verified.profile) == (signer.public_key.key_id, signer.public_key.profile)
    assert verified.text == text
    assert parse_second_signature(JWT, text).key_id == signer.public_key.key_id


def test_it_is_rfc_7515_appendix_f() -> None:
    """joserfc, another implementation, verifies it as a detached JWS, and we verify its."""
    statement = issued(ES384_KEY).jwt
    text = countersign_statement(statement, STRANGER)
    header, _, signature = text.split(".")
    whole = f"{header}.{statement.split('.')[1]}.{signature}"
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": STRANGER.public_key.to_jwk()["x"]})
    registry = joserfc_jws.JWSRegistry(algorithms=["Ed25519"])
    registry.max_payload_length = 100_000
    assert joserfc_jws.deserialize_compact(whole, key, registry=registry).payload


def test_the_same_algorithm_adds_nothing() -> None:
    with refuses("signature.repeated", VerificationError):
        countersign_statement(JWT, Ed25519Signer(b"\x09" * 32))


def _forged(header: dict[str, Any], signer: Any = ES256_KEY, payload: str | None = None) -> str:
    part = b64url_encode(dump_json(header))
    signature = signer.sign(f"{part}.{payload or JWT.split('.')[1]}".encode())
    return f"{part}..{b64url_encode(signature)}"


def _bent(text: str) -> str:
    """With another signature of the same length."""
    return text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]


GOOD = {"alg": "ES256", "kid": ES256_KEY.public_key.key_id, "typ": "dc+sd-jwt"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "form.jws"),
        ("..", "form.json"),
        ("a.b", "form.jws"),
        ("a...b", "form.jws"),
        (_forged(GOOD).replace("..", f".{JWT.split('.')[1]}."), "form.jws"),  # its own payload: not detached
        (_forged(GOOD) + ".", "form.jws"),
        (_forged(GOOD) + "=", "form.base64url"),
        (_forged(GOOD | {"typ": "material-event+jwt"}), "form.typ"),
        (_forged(GOOD | {"b64": False}), "form.member"),
        (_forged(GOOD | {"crit": ["b64"], "b64": False}), "form.member"),
        (_forged(GOOD | {"jwk": ES256_KEY.public_key.to_jwk()}), "form.member"),
        (_forged(GOOD | {"alg": "none"}), "signature.key"),
        (_forged(GOOD | {"alg": "ES384"}), "signature.key"),
        (_forged(GOOD | {"kid": STRANGER.public_key.key_id}), "signature.key"),
        (_forged(GOOD, payload=b64url_encode(b"{}")), "signature.invalid"),
        (_forged(GOOD, Es256Signer(b"\x0a" * 32)), "signature.invalid"),
        (_bent(_forged(GOOD)), "signature.invalid"),
    ],
)
def test_what_is_no_further_signature(text: str, code: str) -> None:
    with refuses(code):
        verify_second_signature(JWT, text, ES256_KEY.public_key)


def test_every_changed_character_is_refused() -> None:
    text = _forged(GOOD)
    verify_second_signature(JWT, text, ES256_KEY.public_key)
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_second_signature(JWT, changed, ES256_KEY.public_key)


def test_what_is_not_a_statement_is_not_countersigned() -> None:
    for text in ("", "a.b.c", JWT + "~", JWT.replace(".", ""), JWT * 40):
        with pytest.raises(MalformedError):
            countersign_statement(text, ES384_KEY)


# --- in a bundle --------------------------------------------------------------------------------------------------


def _dual(world: World, *signers: Any) -> Bundle:
    return replace(world.bundle, signatures=tuple(world.second(signer) for signer in signers))


VALID = {"signature": "valid: ok", "issuer": "valid: ok"}


def test_a_dual_statement_and_who_needs_which_profile() -> None:
    world = with_keys(sm2_key(), ES384_KEY)
    bundle = _dual(world, sm2_key(), ES384_KEY)
    for profiles in ((), (INTL,), (GM,), (INTL, GM)):
        assert said(world.judge(bundle, profiles=profiles), *VALID) == VALID
    missing = VALID | {"signature": "undetermined: signature.profile"}
    for profiles in ((GM,), (INTL, GM)):
        report = world.judge(profiles=profiles)  # the further ones cut off
        assert said(report, *VALID) == missing
        assert report[Facet.VALIDITY].verdict is Verdict.VALID  # the statement itself is proved all the same
    for profiles in ((), (INTL,)):
        assert said(world.judge(profiles=profiles), *VALID) == VALID


@pytest.mark.parametrize("first", ["SM2", "ES384"])
def test_the_first_signature_may_be_of_either_profile(first: str) -> None:
    signer: Any = sm2_key() if first == "SM2" else ES384_KEY
    world = replace(with_keys(signer), statement=issued(signer))
    own, other = (GM, INTL) if first == "SM2" else (INTL, GM)
    assert said(world.judge(profiles=[own]), *VALID) == VALID
    assert world.judge(profiles=[other])[Facet.SIGNATURE].code == "signature.profile"
    assert said(world.judge(_dual(world, ISSUE_KEY), profiles=[own, INTL]), *VALID) == VALID


def test_a_false_further_signature_makes_the_facet_invalid() -> None:
    world = with_keys(ES384_KEY)
    other = issued(seed=7).jwt
    for text, code in (
        (countersign_statement(other, ES384_KEY), "signature.invalid"),  # of another statement
        (_bent(world.second(ES384_KEY)), "signature.invalid"),
        (world.second(STRANGER_ES), "signature.key"),  # no key of the known issuer
        ("x", "form.jws"),
    ):
        for profiles in ((), (INTL,), (INTL, GM)):
            report = world.judge(replace(world.bundle, signatures=(text,)), profiles=profiles)
            assert said(report, "signature") == {"signature": f"invalid: {code}"}
            assert report.material_id is not None  # the first signature proves what the statement says


STRANGER_ES = Es256Signer(b"\x0b" * 32)


def test_two_signatures_of_one_algorithm() -> None:
    second = Ed25519Signer(b"\x0c" * 32)
    world = with_keys(second, ES384_KEY)
    header = b64url_encode(dump_json({"alg": "Ed25519", "kid": second.public_key.key_id, "typ": "dc+sd-jwt"}))
    payload = world.statement.jwt.split(".")[1]
    text = f"{header}..{b64url_encode(second.sign(f'{header}.{payload}'.encode()))}"
    report = world.judge(replace(world.bundle, signatures=(text,)))
    assert said(report, "signature") == {"signature": "invalid: signature.repeated"}
    twice = replace(world.bundle, signatures=(world.second(ES384_KEY), world.second(ES384_KEY)))
    assert world.judge(twice)[Facet.SIGNATURE].code == "signature.repeated"


def test_a_key_that_is_not_the_issuers_or_did_not_count() -> None:
    world, first = with_keys(ES384_KEY), World().keys[0]
    bundle = _dual(world, ES384_KEY)
    other = entity(
        id=organisation_id("11310117MB9F000279"),
        status_uris=(),
        keys=(TrustKey(ES384_KEY.public_key, "issue", **WINDOW),),
    )
    foreign = World(entities=(other,))
    assert said(foreign.judge(bundle), *VALID) == VALID | {"issuer": "invalid: key.unknown"}
    early = {"nbf": NOW - 60 * DAY, "exp": NOW - 30 * DAY}
    for key, code in (
        (TrustKey(ES384_KEY.public_key, "issue", **early), "key.window"),
        (TrustKey(ES384_KEY.public_key, "issue", **WINDOW, revoked=KeyRevocation(NOW, "superseded")), "key.window"),
    ):
        report = World(keys=(first, key)).judge(bundle)
        assert said(report, *VALID) == VALID | {"issuer": f"invalid: {code}"}
    status = World(keys=(first, TrustKey(ES384_KEY.public_key, "status", **WINDOW)))
    assert said(status.judge(bundle), "signature") == {"signature": "invalid: signature.key"}


def test_a_superseded_further_key_still_counts() -> None:
    world = with_keys(ES384_KEY)
    later = replace(world, keys=ended(world.keys, 1, revoked=KeyRevocation(NOW + 10, "superseded")))
    assert said(later.judge(_dual(world, ES384_KEY)), *VALID) == VALID


@pytest.mark.parametrize("reason", ["compromised", "unspecified"])
def test_a_compromised_further_key_counts_for_nothing(reason: Any) -> None:
    """Time stamp and log date the first signature only, so the further one is as if it had been cut off."""
    world = with_keys(sm2_key())
    stolen = replace(world, keys=ended(world.keys, 1, revoked=KeyRevocation(NOW + 100, reason)))
    bundle = _dual(world, sm2_key())
    aside = VALID | {"issuer": "valid: signature.not-counted"}
    assert said(stolen.judge(bundle), *VALID) == aside
    assert said(stolen.judge(bundle, profiles=[INTL]), *VALID) == aside
    assert said(stolen.judge(bundle, profiles=[GM]), *VALID) == VALID | {"issuer": "invalid: key.compromised"}


def test_a_statement_of_an_unknown_issuer() -> None:
    world = replace(with_keys(ES384_KEY), issuer_is_listed=False)
    report = world.judge(_dual(world, ES384_KEY))
    assert said(report, "signature") == {"signature": "undetermined: signature.unknown-key"}


# --- without the extra gm -----------------------------------------------------------------------------------------


def test_without_gm_the_international_side_verifies(without_gm: None) -> None:
    world = with_keys(sm2_key(), ES384_KEY)
    plain = _dual(world, ES384_KEY)
    assert said(world.judge(plain, profiles=[INTL]), *VALID) == VALID


@pytest.fixture
def dual_bundle() -> tuple[World, Bundle, World, Bundle]:
    """Made while SM2 is at hand: dual with SM2 second, and with SM2 first."""
    second, first = with_keys(sm2_key()), replace(with_keys(sm2_key()), statement=issued(sm2_key()))
    return second, _dual(second, sm2_key()), first, _dual(first, ISSUE_KEY)


def test_without_gm_what_depends_on_sm2_is_undetermined(
    dual_bundle: tuple[World, Bundle, World, Bundle], without_gm: None
) -> None:
    second, second_bundle, first, first_bundle = dual_bundle
    partly = VALID | {"signature": "valid: signature.partly-checked"}
    unknown = VALID | {"signature": "undetermined: extra.gm"}
    assert said(second.judge(second_bundle), *VALID) == partly
    assert said(second.judge(second_bundle, profiles=[INTL]), *VALID) == partly
    assert said(second.judge(second_bundle, profiles=[GM]), *VALID) == unknown
    assert said(first.judge(first_bundle), *VALID) == unknown
    assert first.judge(first_bundle)[Facet.INCLUSION].verdict is Verdict.VALID
    with refuses("extra.gm", UnavailableError):
        verify_second_signature(second.statement.jwt, second_bundle.signatures[0], sm2_key().public_key)


def test_without_gm_a_false_signature_beside_it_is_still_invalid(
    dual_bundle: tuple[World, Bundle, World, Bundle], without_gm: None
) -> None:
    """Undetermined does not hide invalid."""
    _, _, first, bundle = dual_bundle
    broken = replace(bundle, signatures=(_bent(bundle.signatures[0]),))
    assert said(first.judge(broken), "signature") == {"signature": "invalid: signature.invalid"}
