"""The request profile em-req-v1: what verifies, and each way in which it must not (credentials §12, row 9)."""

import base64
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from api import clock
from api.http.signatures import (
    MAX_WINDOW_SECONDS,
    TAG,
    NotAuthenticatedError,
    ReceivedFields,
    ReceivedRequest,
    sign_request,
    verify_request,
)
from materials.ids import EntityId
from materials.times import SKEW_SECONDS
from signing import (
    ALGORITHM_NAMES,
    Algorithm,
    Ed25519Signer,
    KeyId,
    PublicKey,
    Secret,
    Signer,
    UnavailableError,
    VerificationError,
    generate_signer,
)

ENTITY = EntityId("uscc:11310110MB9F000199")
URL = "https://ledger.example/v1/grants?x=%7E1&y=a+b"
BODY = b'{"chain":[]}'
NONCE = "bm9uY2Ugb2YgMTI4IGJpdHMgb2s"
SIGNER = Ed25519Signer(Secret(range(32)))  # the same in every process that collects these tests


@dataclass
class Draft:
    """A request as it will be received; tests change it before it is verified."""

    method: str = "POST"
    url: str = URL
    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    extra: list[tuple[str, str]] = field(default_factory=list)

    def received(self) -> ReceivedRequest:
        lines = (*self.headers.items(), *self.extra)
        return ReceivedRequest(self.method, self.url, ReceivedFields(tuple(lines)), self.body)


def keys(*signers: Signer) -> Callable[[EntityId, KeyId], PublicKey]:
    known = {signer.public_key.key_id: signer.public_key for signer in signers or (SIGNER,)}

    def find(entity: EntityId, kid: KeyId) -> PublicKey:
        if entity != ENTITY or kid not in known:
            raise VerificationError("key.unknown", "no such key")
        return known[kid]

    return find


def signed(draft: Draft | None = None, *, signer: Signer = SIGNER, now: int | None = None, nonce: str = NONCE) -> Draft:
    draft = draft or Draft()
    request = httpx.Request(draft.method, draft.url, headers=draft.headers, content=draft.body)
    for name in ("host", "content-length"):
        request.headers.pop(name, None)
    sign_request(request, draft.body, entity=ENTITY, signer=signer, now=now or clock.now(), nonce=nonce)
    draft.headers = dict(request.headers.items())
    return draft


def handmade(
    *,
    created: int,
    expires: str = "",
    nonce: str = f';nonce="{NONCE}"',
    tag: str = f';tag="{TAG}"',
    more: str = "",
    components: tuple[str, ...] = ("@method", "@target-uri", "content-type", "content-digest"),
    label: str = "em",
    keyid: str | None = None,
    signer: Signer = SIGNER,
) -> dict[str, str]:
    """Signature fields written out by hand, independently of the library (RFC 9421 §2.5)."""
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(BODY).digest()).decode()}:"
    values = {
        "@method": "POST",
        "@target-uri": URL,
        "content-type": "application/json",
        "content-digest": digest,
        "@authority": "ledger.example",
    }
    kid = keyid or f"{ENTITY}#{signer.public_key.key_id}"
    covered = " ".join(f'"{name}"' for name in components)
    parameters = f'({covered});created={created};keyid="{kid}"{expires}{nonce}{tag}{more}'
    base = "".join(f'"{name}": {values[name]}\n' for name in components) + f'"@signature-params": {parameters}'
    signature = base64.b64encode(signer.sign(base.encode())).decode()
    return {
        "content-type": "application/json",
        "content-digest": digest,
        "signature-input": f"{label}={parameters}",
        "signature": f"{label}=:{signature}:",
    }


def by_hand(**changes: object) -> Draft:
    now = clock.now()
    arguments = {"created": now, "expires": f";expires={now + 60}", **changes}
    return Draft(headers=handmade(**arguments))


def refused(draft: Draft, *, now: int | None = None) -> str:
    with pytest.raises(NotAuthenticatedError) as error:
        verify_request(draft.received(), find_key=keys(), now=now or clock.now())
    return error.value.code


@pytest.mark.parametrize("algorithm", ALGORITHM_NAMES)
def test_a_signed_request_names_its_signer(algorithm: Algorithm) -> None:
    signer = generate_signer(algorithm, clock.random_bytes)
    verified = verify_request(signed(signer=signer).received(), find_key=keys(signer), now=clock.now())
    assert (verified.entity, verified.key, verified.nonce) == (ENTITY, signer.public_key.key_id, NONCE)
    draft = signed(signer=signer)
    draft.url += "0"
    with pytest.raises(NotAuthenticatedError):
        verify_request(draft.received(), find_key=keys(signer), now=clock.now())


def test_a_request_signed_by_hand_verifies_with_every_algorithm() -> None:
    """The signature base is RFC 9421's whatever the key; the signature is the key's own form, r‖s for curves."""
    for algorithm in ALGORITHM_NAMES:
        signer = generate_signer(algorithm, clock.random_bytes)
        assert verify_request(by_hand(signer=signer).received(), find_key=keys(signer), now=clock.now())


def test_an_algorithm_that_is_not_installed_is_an_outage_and_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate_signer("SM2-SM3", clock.random_bytes)
    draft = signed(signer=signer)
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    with pytest.raises(UnavailableError) as error:
        verify_request(draft.received(), find_key=keys(signer), now=clock.now())
    assert error.value.code == "extra.gm"


def test_fields_written_by_hand_from_the_standard_verify() -> None:
    assert verify_request(by_hand().received(), find_key=keys(), now=clock.now()).entity == ENTITY
    assert verify_request(by_hand(label="renamed").received(), find_key=keys(), now=clock.now()).entity == ENTITY


def test_a_get_without_body_needs_no_digest() -> None:
    draft = signed(Draft(method="GET", body=b"", headers={}))
    assert verify_request(draft.received(), find_key=keys(), now=clock.now()).entity == ENTITY
    assert "content-digest" not in draft.headers


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": URL.replace("https", "http")},
        {"url": URL.replace("ledger.example", "ledger.example:443")},
        {"url": URL.replace("ledger.example", "other.example")},
        {"url": URL.replace("%7E", "~")},
        {"url": URL.replace("%7E", "%7e")},
        {"url": URL.replace("/v1/", "/v1//")},
        {"url": URL.partition("?")[0]},
        {"body": BODY + b" "},
        {"body": b""},
    ],
    ids=str,
)
def test_a_changed_request_is_refused(change: dict[str, object]) -> None:
    draft = signed()
    for name, value in change.items():
        setattr(draft, name, value)
    assert refused(draft) == "http.signature"


def test_a_body_with_the_digest_of_another_is_refused() -> None:
    draft = signed()
    draft.body = b'{"chain":[1]}'
    digest = base64.b64encode(hashlib.sha256(draft.body).digest()).decode()
    draft.headers["content-digest"] = f"sha-256=:{digest}:"
    assert refused(draft) == "http.signature"


def test_a_changed_content_type_is_refused() -> None:
    draft = signed()
    draft.headers["content-type"] = "text/plain"
    assert refused(draft) == "http.signature"


@pytest.mark.parametrize(
    "components",
    [
        ("@target-uri", "content-type", "content-digest"),
        ("@method", "content-type", "content-digest"),
        ("@method", "@authority", "content-type", "content-digest"),
        ("@method", "@target-uri", "content-digest"),
        ("@method", "@target-uri", "content-type"),
        (),
    ],
    ids=" ".join,
)
def test_a_signature_that_covers_too_little_is_refused(components: tuple[str, ...]) -> None:
    assert refused(by_hand(components=components)) == "http.signature"


def test_an_idempotency_key_must_be_covered() -> None:
    draft = signed()
    draft.extra = [("Idempotency-Key", "0123456789abcdef")]
    assert refused(draft) == "http.signature"
    covered = signed(Draft(headers={"content-type": "application/json", "idempotency-key": "0123456789abcdef"}))
    assert verify_request(covered.received(), find_key=keys(), now=clock.now()).entity == ENTITY
    covered.headers["idempotency-key"] = "another0123456789"
    assert refused(covered) == "http.signature"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tag": ""}, "http.signature"),
        ({"tag": ';tag="em-res-v1"'}, "http.signature"),
        ({"nonce": ""}, "http.nonce"),
        ({"nonce": ';nonce="c2hvcnQ"'}, "http.nonce"),
        ({"nonce": f';nonce="{"a" * 129}"'}, "http.nonce"),
        ({"nonce": ';nonce="nonce of more than 128 bits"'}, "http.nonce"),
        ({"expires": ""}, "http.window"),
        ({"expires": ";expires=1"}, "http.signature"),
        ({"expires": ";expires=4000000000"}, "http.window"),
        ({"expires": ";expires=999999999999999"}, "http.signature"),
        ({"created": 1, "expires": ";expires=4000000000"}, "http.signature"),
        ({"more": ';alg="ed25519"'}, "http.signature"),
        ({"more": ';alg="em-by-key"'}, "http.window"),
        ({"more": ';other="x"'}, "http.signature"),
        ({"keyid": SIGNER.public_key.key_id}, "http.signature"),
        ({"keyid": f"{ENTITY}#"}, "http.signature"),
        ({"keyid": f"holder:{'a' * 26}#{SIGNER.public_key.key_id}"}, "http.signature"),
    ],
    ids=str,
)
def test_parameters_outside_the_profile_are_refused(changes: dict[str, object], code: str) -> None:
    assert refused(by_hand(**changes)) == code


def test_clocks_may_differ_by_the_allowance_and_no_more() -> None:
    now = clock.now()
    for shift in (-SKEW_SECONDS + 5, SKEW_SECONDS - 5):
        assert verify_request(signed(now=now + shift).received(), find_key=keys(), now=now).entity == ENTITY
    for shift in (-MAX_WINDOW_SECONDS - 2 * SKEW_SECONDS, SKEW_SECONDS + 5):
        assert refused(signed(now=now + shift), now=now) == "http.signature"
    assert refused(signed(now=now), now=now + 60 + SKEW_SECONDS) == "http.window"


def test_two_signatures_with_our_tag_are_refused_and_one_beside_another_tag_counts() -> None:
    first, second = by_hand().headers, by_hand(label="b").headers
    both = {name: f"{first[name]}, {second[name]}" for name in ("signature", "signature-input")}
    assert refused(Draft(headers=first | both)) == "http.signature"
    foreign = by_hand(label="b", tag=';tag="proxy"').headers
    beside = {name: f"{first[name]}, {foreign[name]}" for name in ("signature", "signature-input")}
    assert verify_request(Draft(headers=first | beside).received(), find_key=keys(), now=clock.now()).entity == ENTITY


def test_the_same_label_twice_is_refused() -> None:
    first = by_hand().headers
    twice = {name: f"{first[name]}, {first[name]}" for name in ("signature", "signature-input")}
    assert refused(Draft(headers=first | twice)) == "http.signature"


def test_an_unsigned_request_and_half_a_signature_are_refused() -> None:
    assert refused(Draft()) == "http.no-signature"
    for missing in ("signature", "signature-input"):
        draft = signed()
        del draft.headers[missing]
        assert refused(draft) == "http.no-signature"


def test_a_field_sent_twice_is_seen_whole() -> None:
    draft = signed()
    draft.extra = [("Content-Type", "application/json")]
    assert refused(draft) == "http.signature"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "em",
        "em=1",
        "em=()",
        "em=:AAAA:",
        'em=("@method";key="x")',
        "em=(",
        "\x00",
        "é",
        "em=();created=1.5",
        "=" * 999,
    ],
)
def test_malformed_fields_are_refused_and_nothing_else_is_raised(value: str) -> None:
    for name in ("signature", "signature-input", "content-digest"):
        draft = signed()
        draft.headers[name] = value
        assert refused(draft).startswith("http.")


def test_an_outage_of_the_key_lookup_is_no_invalid_signature() -> None:
    def away(_: EntityId, __: KeyId) -> PublicKey:
        raise UnavailableError("database.unavailable", "away")

    with pytest.raises(UnavailableError):
        verify_request(signed().received(), find_key=away, now=clock.now())
