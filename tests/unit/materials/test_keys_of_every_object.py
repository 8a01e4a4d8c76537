"""Role, region, type, dates and end of a key are asked of every signed object, by the one rule."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from materials.events import EventCode, MaterialEvent, issue_event
from materials.evidence.use import _may_open
from materials.grants.links import GrantChain, LinkId
from materials.grants.verify import authenticate_chain
from materials.ids import EventId, entity_uscc, new_id
from materials.registry.rules import decide_registration
from materials.statement import parse_statement, select_statement, verify_statement
from materials.trust.model import KeyRevocation, TrustedAuthority, TrustKey
from signing import MalformedError, RefusedError, UnavailableError, VerificationError
from signing.forms.spki import spki_der
from tests.support import grants_world as w
from tests.support.evidence_world import ES384_KEY, WINDOW, World, said, sm2_key, time_authority, with_keys
from tests.support.materials_world import (
    CATALOGUE,
    DAY,
    ISSUE_KEY,
    ISSUER,
    NOW,
    STATUS_KEY,
    claims,
    entity,
    example_fields,
    issued,
    policy,
    refuses,
    seeded_bytes,
    trusted,
)
from tests.support.pki import OTHER_USCC, make_root, organisation


def _ended(signer: Any, role: Any, at: int, reason: Any) -> TrustKey:
    return TrustKey(signer.public_key, role, **WINDOW, revoked=KeyRevocation(at, reason))


def _event() -> str:
    """Revoked, five seconds after the statement."""
    event = MaterialEvent(
        jti=EventId(new_id("ev", seeded_bytes(3))),
        iss=ISSUER,
        sub=claims().jti,
        code=EventCode.REVOKED,
        reason="issued-in-error",
        iat=NOW + 5,
        effective=NOW + 5,
        successor=None,
    )
    return issue_event(STATUS_KEY, event)


# --- the place that a statement is about --------------------------------------------------------------------------


def test_a_statement_about_a_place_outside_the_issuers_region() -> None:
    world = World(issued(fields=_about("310117")))
    assert said(world.judge(), "integrity", "issuer") == {
        "integrity": "valid: ok",
        "issuer": "invalid: key.constraint",
    }
    assert said(World().judge(), "issuer") == {"issuer": "valid: ok"}
    hidden = select_statement(world.statement.text, fields=["holder_name"], files=[])
    assert said(world.judge(replace(world.bundle, statement=hidden)), "issuer") == {"issuer": "valid: ok"}


def _about(region: str) -> dict[str, Any]:
    return {**example_fields(), "area_code": region}


# --- status lists and events --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (TrustKey(STATUS_KEY.public_key, "status", NOW - DAY, NOW - 60), "invalid: key.window"),
        (TrustKey(STATUS_KEY.public_key, "status", NOW + 61, NOW + DAY), "invalid: key.window"),
        (TrustKey(STATUS_KEY.public_key, "grant", **WINDOW), "invalid: key.role"),
        (_ended(STATUS_KEY, "status", NOW, "superseded"), "invalid: key.window"),
        (_ended(STATUS_KEY, "status", NOW + 1, "superseded"), "valid: ok"),
        (_ended(STATUS_KEY, "status", NOW + 1, "compromised"), "invalid: key.compromised"),
        (_ended(STATUS_KEY, "status", NOW + 1, "unspecified"), "invalid: key.compromised"),
        (_ended(STATUS_KEY, "status", NOW + DAY, "compromised"), "valid: ok"),
        (TrustKey.of_chain(organisation(OTHER_USCC).chain, "status", **WINDOW), "invalid: key.unknown"),
    ],
)
def test_the_key_of_a_status_list(key: TrustKey, code: str) -> None:
    assert said(World(status_key=key).judge(), "status") == {"status": code}


REVOKED = "invalid: status.revoked"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (TrustKey(STATUS_KEY.public_key, "status", **WINDOW), REVOKED),
        (TrustKey(STATUS_KEY.public_key, "status", NOW - DAY, NOW - 55), "invalid: key.window"),
        (TrustKey(STATUS_KEY.public_key, "issue", **WINDOW), "invalid: key.role"),
        (_ended(STATUS_KEY, "status", NOW + 5, "superseded"), "invalid: key.window"),
        (_ended(STATUS_KEY, "status", NOW + 6, "superseded"), REVOKED),
        (_ended(STATUS_KEY, "status", NOW + 6, "compromised"), "invalid: key.compromised"),
    ],
)
def test_the_key_of_an_event(key: TrustKey, code: str) -> None:
    """Without a status list, so that the event's key is what is asked about."""
    world = World(status_key=key, event=_event())
    assert said(world.judge(replace(world.bundle, status_list=None)), "status") == {"status": code}


def test_an_event_of_a_key_stolen_later_is_dated_by_its_tree() -> None:
    """The time stamp over the checkpoint that holds both dates the event as well as the statement."""
    key = _ended(STATUS_KEY, "status", NOW + 100, "compromised")
    world = World(status_key=key, event=_event(), authorities=(time_authority(),))
    bare = replace(world.bundle, status_list=None)
    assert said(world.judge(bare), "status") == {"status": "invalid: key.compromised"}
    for at, code in ((NOW + 99, "invalid: status.revoked"), (NOW + 100, "invalid: key.compromised")):
        stamped = replace(bare, timestamps=world.stamps(at)[1:])
        assert said(world.judge(stamped), "status") == {"status": code}
    only_the_statement = replace(bare, timestamps=world.stamps(NOW + 50)[:1])
    assert said(world.judge(only_the_statement), "status") == {"status": "invalid: key.compromised"}


# --- grants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bases": ("function",)}, "grant.basis"),
        ({"keys": ()}, "grant.key-unknown"),
        ({"keys": (TrustKey(w.HOME_GRANT.public_key, "issue", w.NOW - DAY, w.NOW + DAY),)}, "grant.key-role"),
        ({"keys": (TrustKey(w.HOME_GRANT.public_key, "grant", w.NOW - DAY, w.NOW - 3600),)}, "grant.key-window"),
    ],
)
def test_the_root_of_a_grant(change: dict[str, Any], code: str) -> None:
    trust = w.trust_list(replace(w.HOME_ENTITY, **change), w.DEPARTMENT_ENTITY)
    with refuses(code, RefusedError):
        authenticate_chain(w.usual_chain(), trust=trust, now=w.NOW)


def test_a_grant_by_a_certified_key() -> None:
    """Certificates are one rule of their own among those of grants; a missing revocation list refuses nothing."""
    authority = make_root(name="grant root")
    public = load_der_public_key(spki_der(w.HOME_GRANT.public_key))
    leaf = authority.issue("home", public_key=public, uscc=str(entity_uscc(w.HOME)), algorithm="Ed25519")
    key = TrustKey.of_chain((leaf.certificate,), "grant", w.NOW - DAY, w.NOW + DAY)
    trust = w.trust_list(replace(w.HOME_ENTITY, keys=(key,)), w.DEPARTMENT_ENTITY)
    with refuses("grant.certificate", RefusedError):
        authenticate_chain(w.usual_chain(), trust=trust, now=w.NOW)
    root = TrustedAuthority(authority.certificate, "organisation", "crl")
    trusting = replace(trust, list=replace(trust.list, authorities=(root,)))
    with refuses("certificate.revocation", UnavailableError):
        authenticate_chain(w.usual_chain(), trust=trusting, now=w.NOW)
    assert authenticate_chain(w.usual_chain(), trust=trusting.with_crls([authority.crl()]), now=w.NOW)


def test_an_authority_that_grants_by_function_opens_its_own_materials_only() -> None:
    statement = verify_statement(parse_statement(issued().text), ISSUE_KEY.public_key)
    holder = w.root()
    assert holder.id.iss != statement.iss
    assert _may_open(GrantChain((holder,)), statement)
    by_function = replace(holder, basis="function")
    assert not _may_open(GrantChain((by_function,)), statement)
    own = replace(by_function, id=LinkId(statement.iss, holder.id.jti))
    assert _may_open(GrantChain((own,)), statement)


# --- registration -------------------------------------------------------------------------------------------------


def _decide(world: World, *signatures: str, **changes: Any) -> Any:
    statement = verify_statement(parse_statement(world.statement.text), ISSUE_KEY.public_key)
    issuer = entity(keys=world.keys)
    asked = {"trust": trusted(entities=(issuer,)), "catalogue": CATALOGUE, "now": NOW} | changes
    return decide_registration(policy(), statement=statement, signatures=signatures, **asked)


def test_further_signatures_are_registered_if_their_keys_count() -> None:
    world = with_keys(sm2_key(), ES384_KEY)
    texts = (world.second(sm2_key()), world.second(ES384_KEY))
    registered = _decide(world, *texts)
    assert [signature.text for signature in registered.signatures] == list(texts)
    assert _decide(world).signatures == ()


def test_further_signatures_that_are_refused() -> None:
    world = with_keys(ES384_KEY)
    good = world.second(ES384_KEY)
    with refuses("registration.key", RefusedError):
        _decide(World(), good)
    for key in (
        _ended(ES384_KEY, "issue", NOW, "superseded"),
        _ended(ES384_KEY, "issue", NOW - 1, "compromised"),
        TrustKey(ES384_KEY.public_key, "grant", **WINDOW),
    ):
        with refuses("registration.key", RefusedError):
            _decide(World(keys=(*World().keys, key)), good)
    with refuses("signature.invalid", VerificationError):
        _decide(world, World(issued(seed=9)).second(ES384_KEY))
    with refuses("signature.repeated", VerificationError):
        _decide(world, good, good)
    with refuses("form.jws", MalformedError):
        _decide(world, "x")
    with refuses("form.size", MalformedError):
        _decide(world, *[good] * 5)
