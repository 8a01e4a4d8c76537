"""Over HTTP: departments of every algorithm, statements that are signed twice, and what a verifier may ask for."""

from dataclasses import replace
from itertools import count

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from api import clock
from api.authorities import add_authority, add_crl
from api.client import ProblemError
from api.organisations import find_organisation
from materials.bundle import format_bundle, parse_bundle
from materials.ids import EntityId, organisation_id
from materials.report import Facet
from materials.trust.model import TrustedAuthority, TrustKey
from signing import ALGORITHM_NAMES, Algorithm, CryptoProfile, digest_bytes, generate_signer
from signing.forms.spki import spki_der
from tests.support import pki
from tests.support.grants_world import _uscc as uscc
from tests.support.http_world import ISSUER, ROLE_OF, World, list_signing_issuer, new_file, put_entity, register
from tests.support.own_issuer import DAY, OwnIssuer

GM, INTL = CryptoProfile.GM, CryptoProfile.INTL
_numbers = count(41)


def new_issuer(world: World, **algorithms: Algorithm) -> OwnIssuer:
    """A department with keys of its own; ``second`` is a second issuing key."""
    entity: EntityId = organisation_id(uscc(f"11310110MB9F000{next(_numbers)}"))
    named = {name.replace("second", "issue-2"): algorithm for name, algorithm in algorithms.items()}
    return OwnIssuer(world, entity, list_signing_issuer(world.workspace, entity, named))


@pytest.fixture
def dual(world: World) -> OwnIssuer:
    return new_issuer(world, issue="ES256", second="SM2-SM3", status="ES256", api="SM2-SM3")


def signature(world: World, bundle: bytes, *profiles: CryptoProfile) -> tuple[str, str]:
    report = world.client().verify(bundle, profiles=profiles)
    facet = report["facets"]["signature"]
    return str(facet["verdict"]), str(facet["code"])


def refused(desk: OwnIssuer, statement: str, *signatures: str) -> tuple[int, str]:
    with pytest.raises(ProblemError) as problem:
        desk.register(statement, None, *signatures)
    return problem.value.status, problem.value.code


@pytest.mark.parametrize("algorithm", ALGORITHM_NAMES)
def test_a_department_of_any_algorithm_calls_and_signs(world: World, algorithm: Algorithm) -> None:
    desk = new_issuer(world, issue=algorithm, status=algorithm, api=algorithm)
    material, statement = desk.statement()
    assert desk.register(statement) == material
    assert signature(world, desk.client.bundle(material)) == ("valid", "ok")
    assert desk.client.submit_event(material, desk.event(material))["code"] == "revoked"


def test_a_statement_signed_twice_satisfies_verifiers_of_both_families(world: World, dual: OwnIssuer) -> None:
    material, statement = dual.statement()
    second = dual.countersign(statement)
    assert dual.register(statement, None, second) == material
    assert dual.register(statement, None, second) == material
    bundle = dual.client.bundle(material)
    assert parse_bundle(bundle).signatures == (second,)
    for asked in ((), (GM,), (INTL,), (GM, INTL)):
        assert signature(world, bundle, *asked) == ("valid", "ok")
    once = dual.statement()
    dual.register(once[1])
    assert signature(world, dual.client.bundle(once[0]), GM) == ("undetermined", "signature.profile")


def test_a_second_signature_that_does_not_hold_is_refused_and_nothing_is_kept(world: World, dual: OwnIssuer) -> None:
    material, statement = dual.statement()
    good = dual.countersign(statement)
    _, other = dual.statement()
    protected, _, text = good.partition("..")
    changed = f"{protected}..{'B' if text[0] == 'A' else 'A'}{text[1:]}"
    stranger = generate_signer("SM2-SM3", lambda size: bytes(size))
    assert refused(dual, statement, dual.countersign(other)) == (422, "signature.invalid")
    assert refused(dual, statement, changed) == (422, "signature.invalid")
    assert refused(dual, statement, dual.countersign(statement, stranger)) == (403, "registration.key")
    assert refused(dual, statement, dual.countersign(statement, dual.keys["api"])) == (403, "registration.key")
    assert refused(dual, statement, good, good) == (422, "signature.repeated")
    assert refused(dual, statement, "x") == (400, "form.jws")
    assert refused(dual, statement, *[good] * 5) == (400, "form.member")
    with pytest.raises(ProblemError) as unknown:
        world.client().material(material)
    assert unknown.value.status == 404
    assert dual.register(statement, None, good) == material


def test_what_must_be_there_is_asked_for_in_the_query(world: World) -> None:
    bundle = world.client(ISSUER).bundle(register(world))
    anyone = world.client()
    report = anyone.verify(bundle, required=[Facet.TIMESTAMP, Facet.GRANT], profiles=[GM])
    codes = {name: report["facets"][name]["code"] for name in ("timestamp", "grant", "signature")}
    assert codes == {
        "timestamp": "timestamp.missing",
        "grant": "grant.missing",
        "signature": "signature.profile",
    }
    assert report["verdict"] == "undetermined"
    assert report["timestamped_at"] is None
    answer = world.http.post(
        world.url + "/v1/verify?profile=ROT13", content=bundle, headers={"content-type": "application/octet-stream"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "form.parameter")


def certified_issuer(world: World) -> tuple[OwnIssuer, pki.Organisation, int]:
    """A department whose issuing and API keys are certified below an authority that wants revocation lists seen."""
    entity = organisation_id(uscc("11310110MB9F00061"))
    code, now = entity.removeprefix("uscc:"), clock.now()
    made = pki.organisation(code)
    assert made.middle is not None
    root = TrustedAuthority(made.roots[0], "organisation", "crl")
    add_authority(world.workspace, root, now)
    signers = list_signing_issuer(world.workspace, entity, {"status": "Ed25519"})
    signers |= {"issue": made.signer, "api": generate_signer("ES256", clock.random_bytes)}
    public = load_der_public_key(spki_der(signers["api"].public_key))
    leaf = made.middle.issue("api", public_key=public, uscc=code)
    chains = {"issue": made.chain, "api": (leaf.certificate, made.chain[1])}
    listed = find_organisation(world.workspace, entity, now)
    assert listed is not None
    certified = [
        TrustKey.of_chain(chain, ROLE_OF.get(role, "issue"), now - 60, now + DAY) for role, chain in chains.items()
    ]
    put_entity(world.workspace, replace(listed, keys=(*listed.keys, *certified)), now)
    return OwnIssuer(world, entity, signers), made, leaf.certificate.serial


def test_certified_keys_call_and_issue_until_they_are_revoked(world: World) -> None:
    desk, made, api_serial = certified_issuer(world)
    with pytest.raises(ProblemError) as later:
        desk.place()
    assert (later.value.status, later.value.code) == (503, "certificate.revocation")
    for crl in made.crls:
        add_crl(world.workspace, crl.der, clock.now(), issuers=[made.chain[1]])
    material, statement = desk.statement()
    assert desk.register(statement) == material
    bundle = parse_bundle(desk.client.bundle(material))
    without = format_bundle(replace(bundle, crls=()))
    assert issuer(world, format_bundle(bundle)) == issuer(world, without) == ("valid", "ok")

    assert made.middle is not None
    since = clock.now() - 1
    revoked = made.middle.crl({api_serial: (since, "cessationOfOperation")}, this_update=since)
    add_crl(world.workspace, revoked.der, clock.now())
    with pytest.raises(ProblemError) as refused:
        desk.place()
    assert (refused.value.status, refused.value.code) == (401, "http.unauthenticated")
    assert issuer(world, format_bundle(bundle)) == ("valid", "ok"), "another certificate than the one that issued"
    ended = made.middle.crl({made.chain[0].serial: (since - 60, "keyCompromise")}, this_update=since)
    assert issuer(world, format_bundle(bundle), ended.der)[1] == "certificate.revoked"


def issuer(world: World, bundle: bytes, *crls: bytes) -> tuple[str, str]:
    facet = world.client().verify(bundle, crls=crls)["facets"]["issuer"]
    return str(facet["verdict"]), str(facet["code"])


@pytest.mark.parametrize(("crl", "code"), [("!", "form.base64"), ("AAAA", "form.der")])
def test_a_revocation_list_that_is_none_is_400(world: World, crl: str, code: str) -> None:
    answer = world.http.post(world.url + "/v1/verify", json={"bundle": "{}", "crls": [crl]})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_file_may_be_compared_and_a_family_asked_for_at_once(world: World, dual: OwnIssuer) -> None:
    material, statement = dual.statement()
    dual.register(statement, None, dual.countersign(statement))
    report = world.client().verify(dual.client.bundle(material), digest_bytes(dual.file), profiles=[GM])
    assert {report["facets"][name]["verdict"] for name in ("file", "signature")} == {"valid"}
    wrong = world.client().verify(dual.client.bundle(material), digest_bytes(new_file()), profiles=[GM])
    assert wrong["facets"]["file"]["code"] == "file.digest"
