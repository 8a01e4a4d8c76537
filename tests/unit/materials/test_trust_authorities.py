"""Certificates in a trust list: keys with ``x5c``, ``authorities``, and the list key's own role."""

import json
from dataclasses import replace
from typing import Any

import pytest

from materials.trust.json_form import read_trust_list, trust_list_to_json
from materials.trust.lists import issue_trust_list, verify_trust_list
from materials.trust.model import KeyRevocation, TrustedAuthority, TrustKey
from signing import MalformedError, VerificationError, b64_encode, dump_json
from tests.support.evidence_world import WINDOW, hide_gm, time_authority
from tests.support.materials_world import (
    DAY,
    ISSUE_KEY,
    LIST_KEY,
    NOW,
    OPERATOR,
    entity,
    refuses,
    trust_list,
)
from tests.support.pki import organisation
from tests.support.sm2_pki import sm2_organisation
from tests.support.tsa import needs_openssl

OURS = organisation()
ROOT = TrustedAuthority(OURS.roots[0], "organisation", "crl")
CERTIFIED = TrustKey.of_chain(OURS.chain, "issue", **WINDOW)
FULL = trust_list(entities=(entity(keys=(CERTIFIED,)),), authorities=(ROOT, time_authority()))


def _members(value: Any = FULL) -> Any:
    return json.loads(dump_json(trust_list_to_json(value)))


def test_an_old_list_keeps_its_bytes() -> None:
    members = _members(trust_list())
    assert "authorities" not in members
    assert set(members["entities"][0]["keys"][0]) == {"exp", "jwk", "nbf", "role"}
    text = issue_trust_list(LIST_KEY, trust_list())
    assert verify_trust_list(text, LIST_KEY.public_key, NOW).list == trust_list()
    assert dump_json(trust_list_to_json(read_trust_list(members))) == dump_json(members)


def test_certificates_there_and_back() -> None:
    assert read_trust_list(_members()) == FULL
    verified = verify_trust_list(issue_trust_list(LIST_KEY, FULL), LIST_KEY.public_key, NOW)
    assert verified.list == FULL
    assert verified.list.authorities_for("organisation") == (ROOT,)
    assert verified.list.authorities_for("timestamp") == (time_authority(),)
    found = verified.list.find_key(entity().id, OURS.signer.public_key.key_id, "issue")
    assert found.chain == OURS.chain
    (key,) = _members()["entities"][0]["keys"]
    assert key["x5c"] == [b64_encode(certificate.der) for certificate in OURS.chain]  # leaf first, RFC 7515 §4.1.6
    assert "jwk" not in key


@needs_openssl
def test_sm2_certificates_are_read_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list must stay readable for everyone."""
    gm = sm2_organisation()
    keys = (TrustKey.of_chain(gm.chain, "issue", **WINDOW),)
    value = trust_list(
        entities=(entity(keys=keys),), authorities=(TrustedAuthority(gm.roots[0], "organisation", "crl"),)
    )
    hide_gm(monkeypatch)
    assert read_trust_list(_members(value)) == value


def _key(members: Any) -> Any:
    return members["entities"][0]["keys"][0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.update(authorities=[]), "form.size"),
        (lambda m: m.update(authorities=None), "form.type"),
        (lambda m: m["authorities"].append(m["authorities"][0]), "trust.repeated"),
        (lambda m: m["authorities"][0].update(use="everything"), "form.code"),
        (lambda m: m["authorities"][0].update(revocation="ocsp"), "form.code"),
        (lambda m: m["authorities"][0].pop("revocation"), "form.member"),
        (lambda m: m["authorities"][0].update(name="x"), "form.member"),
        (lambda m: m["authorities"][0].update(certificate="MAA="), "certificate.form"),
        (lambda m: m["authorities"][0].update(certificate="MAA"), "form.base64"),
        (lambda m: m["authorities"][0].update(certificate="A" * 40_000), "form.size"),
        (lambda m: _key(m).update(jwk=ISSUE_KEY.public_key.to_jwk()), "form.member"),
        (lambda m: _key(m).pop("x5c"), "form.member"),
        (lambda m: _key(m).update(x5c=[]), "key.chain"),
        (lambda m: _key(m).update(x5c=_key(m)["x5c"] * 5), "form.size"),
        (lambda m: _key(m).update(x5c=_key(m)["x5c"][0]), "form.type"),
        (lambda m: _key(m).update(x5c=["MAA="]), "certificate.form"),
        (lambda m: _key(m).update(nbf=_key(m)["exp"]), "time.order"),
        (lambda m: m["entities"][0]["keys"].append(_key(m)), "trust.repeated"),
    ],
)
def test_lists_of_a_wrong_form(change: Any, code: str) -> None:
    members = _members()
    change(members)
    with refuses(code, MalformedError):
        read_trust_list(members)


def test_one_root_may_serve_both_uses() -> None:
    both = replace(FULL, authorities=(ROOT, replace(ROOT, use="timestamp", revocation="none")))
    assert read_trust_list(_members(both)) == both


def test_every_changed_byte_of_a_certificate_is_noticed_in_the_list() -> None:
    """The list is signed; what is pinned here is that no certificate is read loosely before that."""
    text = issue_trust_list(LIST_KEY, FULL)
    for place in range(0, len(text), 41):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises((MalformedError, VerificationError)):
            verify_trust_list(changed, LIST_KEY.public_key, NOW)


# --- the list key -------------------------------------------------------------------------------------------------


def _with_list_key(**changes: Any) -> str:
    listed: dict[str, Any] = {"role": "list", **WINDOW} | changes
    operator = entity(id=OPERATOR, status_uris=(), keys=(TrustKey(LIST_KEY.public_key, **listed),))
    return issue_trust_list(LIST_KEY, trust_list(entities=(operator,)))


def test_a_list_key_that_the_list_names_counts_as_every_key_does() -> None:
    verify_trust_list(_with_list_key(), LIST_KEY.public_key, NOW)
    later = KeyRevocation(NOW, "superseded")  # the list was issued a day before
    verify_trust_list(_with_list_key(revoked=later), LIST_KEY.public_key, NOW)
    for changes, code in (
        ({"role": "issue"}, "key.role"),
        ({"nbf": NOW, "exp": NOW + DAY}, "key.window"),
        ({"revoked": KeyRevocation(NOW - DAY, "superseded")}, "key.window"),
        ({"revoked": KeyRevocation(NOW, "compromised")}, "key.compromised"),
    ):
        with refuses(code, VerificationError):
            verify_trust_list(_with_list_key(**changes), LIST_KEY.public_key, NOW)
