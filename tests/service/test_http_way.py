"""The whole way over HTTP: register, anchor, bundle, verify offline, grant, retrieve, use, revoke."""

import pytest

from api import clock
from api.client import LedgerClient, ProblemError, new_idempotency_key
from materials.catalogue import load_catalogue
from materials.claims import StatusRef
from materials.grants.issue import GrantTerms, delegate_grant
from materials.grants.links import Delegate, GrantChain, parse_chain
from materials.grants.terms import GrantDetail
from materials.grants.usage import parse_usage, verify_usage, verify_usage_chain
from materials.ids import EntityId, MaterialId, holder_id
from materials.report import Facet, Verdict, VerificationReport
from materials.status import StatusValue, parse_status_list, verify_status_list
from materials.trust.lists import parse_trust_file, parse_trust_list
from materials.verification import verify_bundle
from signing import Ed25519Signer, Es256Signer, FileDigests, Signer, digest_bytes
from tests.support.http_world import (
    CLAIMS,
    DEPARTMENT,
    ISSUER,
    PLACE,
    VCT,
    World,
    grant_members,
    new_fields,
    new_file,
    register,
    request_for,
    wait_for,
)


def judge(world: World, bundle: bytes, file: FileDigests | None = None) -> VerificationReport:
    trust = world.client().get("/v1/trust")
    return verify_bundle(bundle, trust, now=clock.now(), catalogue=load_catalogue(), file=file)


def wait_anchored(world: World, material: MaterialId) -> None:
    wait_for(lambda: bool(world.client().material(material)["anchored"]))


def pass_on(
    caller: LedgerClient, chain: GrantChain, signer: Signer, to: Delegate, *, claims: tuple[str, ...] = CLAIMS
) -> GrantChain:
    """One more link, signed by the caller and handed in."""
    place = caller.reserve_link(chain)
    status = place["status"]
    assert isinstance(status, dict)
    parent = chain.leaf
    terms = GrantTerms(
        purpose=parent.purpose,
        details=(GrantDetail(VCT, parent.details[0].material, ("retrieve",), claims, (PLACE,)),),
        max_uses=2,
        nbf=parent.nbf,
        exp=parent.exp,
        max_depth=parent.max_depth,
        redelegate=to.id.startswith("holder:"),
        status=StatusRef(str(status["uri"]), int(str(status["idx"]))),
    )
    jti = str(place["id"])
    link = delegate_grant(parent, signer, delegate=to, terms=terms, jti=jti, now=clock.now())
    longer = parse_chain([*chain.texts, link.text])
    caller.submit_grant(longer)
    return longer


class Grant:
    """A material, its holder's key, an agent, and the chain from the home to the department."""

    def __init__(self, world: World) -> None:
        self.material = register(world)
        self.holder_key, self.agent_key = (
            Es256Signer.generate(clock.random_bytes),
            Ed25519Signer.generate(clock.random_bytes),
        )
        texts = world.client(ISSUER).open_grant(grant_members(self.material, self.holder_key))
        self.root = parse_chain(texts)
        self.holder: EntityId = self.root.root.subject
        self.agent = holder_id(clock.random_bytes(16))
        self.holder_client = world.client(self.holder, self.holder_key)
        self.agent_client = world.client(self.agent, self.agent_key)
        self.department = world.client(DEPARTMENT)
        api_key = world.workspace.keyring.signer(f"{DEPARTMENT}.api").public_key
        second = pass_on(
            self.holder_client, self.root, self.holder_key, Delegate(self.agent, self.agent_key.public_key)
        )
        self.chain = pass_on(
            self.agent_client, second, self.agent_key, Delegate(DEPARTMENT, api_key), claims=("files", "holder_name")
        )
        self.second = second


@pytest.fixture(scope="module")
def grant(world: World) -> Grant:
    return Grant(world)


def test_a_material_goes_the_whole_way_to_an_offline_verdict(world: World) -> None:
    material = register(world)
    wait_anchored(world, material)
    bundle = world.client(ISSUER).bundle(material)
    report = judge(world, bundle)
    assert report.verdict is Verdict.VALID
    assert report[Facet.ANCHOR].verdict is Verdict.VALID
    assert world.client().verify(bundle)["verdict"] == "valid"


def test_registering_the_same_again_gives_the_same_answer(world: World) -> None:
    submission, file = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}, new_file()
    first = world.client(ISSUER).register(submission, [("application/pdf", file)])
    again = world.client(ISSUER).register(submission, [("application/pdf", file)])
    assert (first["is_new"], again["is_new"]) == (True, False)
    assert first["id"] == again["id"]


def test_the_public_side_holds_no_field_value(world: World) -> None:
    material = register(world)
    text = world.client().get(f"/v1/materials/{material}").decode()
    for value in new_fields().values():
        assert str(value) not in text or len(str(value)) < 8


def test_a_department_retrieves_what_the_grant_allows_and_the_holder_sees_it(world: World, grant: Grant) -> None:
    request = request_for(grant.material, claims=("files", "holder_name"))
    key = new_idempotency_key()
    answer = grant.department.retrieve(grant.chain, request, idempotency_key=key)
    files = answer["files"]
    assert isinstance(files, list)
    assert len(files) == 1
    content = grant.department.fetch_file(grant.chain, request, idempotency_key=key, number=0)
    wait_anchored(world, grant.material)
    again = grant.department.retrieve(grant.chain, request, idempotency_key=key)
    assert again["replayed"]
    assert again["usage"] == answer["usage"]
    report = judge(world, str(again["bundle"]).encode(), digest_bytes(content))
    assert report.verdict is Verdict.VALID
    assert report[Facet.GRANT].verdict is Verdict.VALID
    assert report[Facet.FILE].verdict is Verdict.VALID
    assert "address" not in str(answer["bundle"])
    assert answer["usage"] in list(grant.holder_client.usage()["records"] or [])


def test_a_request_outside_the_grant_is_refused_with_link_and_rule_and_recorded(world: World, grant: Grant) -> None:
    before = grant.holder_client.usage()["records"]
    assert isinstance(before, list)
    with pytest.raises(ProblemError) as refused:
        grant.department.retrieve(grant.chain, request_for(grant.material), idempotency_key=new_idempotency_key())
    assert refused.value.status == 403
    assert (refused.value.code, refused.value.problem["link"], refused.value.problem["rule"]) == (
        "grant.claims",
        2,
        "claims",
    )
    records = grant.holder_client.usage()["records"]
    assert isinstance(records, list)
    assert len(records) == len(before) + 1
    key = world.workspace.keyring.signer(f"{ISSUER}.grant").public_key
    verified = [verify_usage(parse_usage(str(text)), key) for text in records]
    assert verify_usage_chain(verified)[-1].result.outcome == "refused"


def test_usage_is_paged_and_only_for_the_holder(world: World, grant: Grant) -> None:
    with pytest.raises(ProblemError) as refused:
        grant.department.retrieve(grant.chain, request_for(grant.material), idempotency_key=new_idempotency_key())
    assert refused.value.status == 403
    page = grant.holder_client.usage(first=0, limit=1)
    assert page["next"] == 1
    stranger = world.client(grant.holder, Ed25519Signer.generate(clock.random_bytes))
    agent_as_holder = world.client(grant.holder, grant.agent_key)
    for client in (stranger, agent_as_holder, grant.agent_client):
        with pytest.raises(ProblemError) as denied:
            client.usage()
        assert denied.value.status == 401


def test_a_withdrawn_link_ends_what_is_below_it(world: World) -> None:
    grant = Grant(world)
    with pytest.raises(ProblemError) as denied:
        world.client(DEPARTMENT).withdraw(grant.second.leaf.id)
    assert (denied.value.status, denied.value.code) == (403, "grant.withdraw")
    assert grant.holder_client.withdraw(grant.second.leaf.id)["withdrawn_by"] == grant.holder
    with pytest.raises(ProblemError) as refused:
        grant.department.retrieve(
            grant.chain,
            request_for(grant.material, claims=("holder_name",), action="retrieve/fields"),
            idempotency_key=new_idempotency_key(),
        )
    assert (refused.value.code, refused.value.problem["link"]) == ("grant.revoked", 1)
    place = grant.second.leaf.status
    assert place is not None
    token = world.client().get("/v1/status/grants").decode()
    key = world.workspace.keyring.signer(f"{ISSUER}.status").public_key
    assert verify_status_list(parse_status_list(token), key).status_at(place.idx) is StatusValue.INVALID


def test_the_holder_reads_on_after_withdrawing_but_not_with_a_key_that_the_home_withdrew(world: World) -> None:
    kept, lost = Grant(world), Grant(world)
    assert kept.holder == lost.holder  # one company owns all materials of these tests, here with two keys
    kept.holder_client.withdraw(kept.root.root.id)
    world.client(ISSUER).withdraw(lost.root.root.id)
    assert isinstance(kept.holder_client.usage()["records"], list)
    with pytest.raises(ProblemError) as denied:
        lost.holder_client.usage()
    assert denied.value.status == 401


def test_an_agent_may_withdraw_what_it_gave_and_not_what_it_got(world: World) -> None:
    grant = Grant(world)
    with pytest.raises(ProblemError):
        grant.agent_client.withdraw(grant.second.leaf.id)
    assert grant.agent_client.withdraw(grant.chain.leaf.id)["withdrawn_by"] == grant.agent


def test_only_the_operator_opens_grants(world: World) -> None:
    members = grant_members(register(world), Ed25519Signer.generate(clock.random_bytes))
    with pytest.raises(ProblemError) as denied:
        world.client(DEPARTMENT).open_grant(members)
    assert (denied.value.status, denied.value.code) == (403, "access.denied")


def test_only_the_signer_of_the_last_link_hands_it_in(world: World, grant: Grant) -> None:
    for client in (grant.department, grant.holder_client):
        with pytest.raises(ProblemError) as denied:
            client.submit_grant(grant.chain)
        assert denied.value.status == 403
    assert grant.agent_client.submit_grant(grant.chain)["new"] == []


def test_a_revoked_material_is_told_by_view_list_bundle_and_retrieval(world: World) -> None:
    grant = Grant(world)
    wait_anchored(world, grant.material)
    issuer = world.client(ISSUER)
    event = issuer.change_status(grant.material, code="revoked", reason="issued-in-error")
    assert issuer.change_status(grant.material, code="revoked", reason="issued-in-error") == event
    assert world.client().material(grant.material)["status"] == "invalid"
    assert judge(world, issuer.bundle(grant.material))[Facet.STATUS].code == "status.revoked"
    with pytest.raises(ProblemError) as refused:
        grant.department.retrieve(
            grant.chain,
            request_for(grant.material, claims=("holder_name",), action="retrieve/fields"),
            idempotency_key=new_idempotency_key(),
        )
    assert refused.value.code == "grant.material-status"
    with pytest.raises(ProblemError) as final:
        issuer.change_status(grant.material, code="reinstated", reason="issued-in-error")
    assert (final.value.status, final.value.code) == (409, "status.final")


def test_the_status_list_of_an_earlier_time_is_served_as_it_was(world: World) -> None:
    anyone = world.client()
    now = clock.now()
    first = parse_status_list(anyone.get("/v1/status/materials").decode())
    assert anyone.get(f"/v1/status/materials?time={first.iat}")
    for path, status in {
        "/v1/status/materials?time=1": 404,
        "/v1/status/others": 404,
        f"/v1/status/materials?time=+{now}": 400,
        "/v1/status/materials?time=": 400,
    }.items():
        with pytest.raises(ProblemError) as missing:
            anyone.get(path)
        assert missing.value.status == status, path


def test_the_trust_file_opens_and_names_the_chain(world: World) -> None:
    file = parse_trust_file(world.client().get("/v1/trust"))
    assert parse_trust_list(file.trust_list).chains


def test_a_used_idempotency_key_answers_for_no_other_request(world: World) -> None:
    key, own = new_idempotency_key(), Grant(world)
    own_request = request_for(own.material, claims=("holder_name",), action="retrieve/fields")
    own.department.retrieve(own.chain, own_request, idempotency_key=key)
    with pytest.raises(ProblemError) as refused:
        own.department.retrieve(
            own.chain, request_for(own.material, claims=("files", "holder_name")), idempotency_key=key
        )
    assert (refused.value.status, refused.value.code) == (409, "grant.idempotency")
    with pytest.raises(ProblemError) as missing:
        own.department.fetch_file(own.chain, own_request, idempotency_key=key, number=0)
    assert missing.value.status == 404
