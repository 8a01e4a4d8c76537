"""Who may call what: everything that is not public refuses an unsigned request, and all refusals look alike."""

from dataclasses import replace

import httpx
import pytest
from fastapi.routing import APIRoute

from api import clock, names
from api.client import LedgerClient, ProblemError, new_idempotency_key
from api.http.app import create_app
from api.http.signatures import sign_request
from api.organisations import find_organisation
from materials.ids import EntityId, new_material_id
from materials.trust.model import Entity, KeyRevocation
from signing import Ed25519Signer, Signer
from tests.support.http_world import (
    DEPARTMENT,
    ISSUER,
    SIGNING_ISSUER,
    World,
    list_signing_issuer,
    put_entity,
    register,
)

NONCE = "bm9uY2Ugb2YgMTI4IGJpdHMgb2s"
PUBLIC = {
    ("GET", "/v1/materials/{material}"),
    ("POST", "/v1/verify"),
    ("GET", "/v1/status/{name}"),
    ("GET", "/status/{name}"),
    ("GET", "/v1/trust"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),  # for the addresses of the settings
    ("GET", "/logs"),
    *(
        (method, log + path)
        for log in ("/log", "/logs/{number}")
        for method, path in (
            ("GET", "/checkpoint"),
            ("GET", "/checkpoints"),
            ("GET", "/checkpoints/{size}"),
            ("GET", "/cosigned"),
            ("GET", "/proof/consistency"),
            ("GET", "/proof/inclusion"),
            ("POST", "/proof/inclusion"),
            ("GET", "/tile/{path:path}"),
        )
    ),
    ("GET", "/"),
    ("GET", "/verify"),
    ("GET", "/docs"),
}


def private_routes(world: World) -> list[tuple[str, str]]:
    """Every route that is neither public nor a static part of a page."""
    routes = [route for route in walk(create_app(world.workspace).routes) if not route.path.startswith("/pages/")]
    pairs = {(method, route.path) for route in routes for method in route.methods if method != "HEAD"}
    assert pairs > PUBLIC
    return sorted(pairs - PUBLIC)


def walk(routes: object) -> list[APIRoute]:
    """The API routes, also those of included routers."""
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += walk(route.original_router.routes)
    return found


def path_of(template: str) -> str:
    return template.replace("{material}", new_material_id(clock.random_bytes)).replace("{number}", "0")


def signed_request(
    world: World, entity: EntityId, signer: Signer, *, now: int | None = None, nonce: str | None = None
) -> httpx.Request:
    """GET /v1/usage, signed."""
    request = httpx.Request("GET", world.url + "/v1/usage")
    fresh = Ed25519Signer.generate(clock.random_bytes).public_key.key_id
    sign_request(request, b"", entity=entity, signer=signer, now=now or clock.now(), nonce=nonce or fresh)
    return request


def answer_to(world: World, request: httpx.Request) -> httpx.Response:
    return world.http.send(request)


def test_every_route_that_is_not_public_refuses_an_unsigned_request(world: World) -> None:
    routes = private_routes(world)
    assert len(routes) == 13
    for method, template in routes:
        for body in (b"", b"{", b'{"chain":[]}'):
            headers = {"content-type": "application/json"} if body else {}
            answer = world.http.request(method, world.url + path_of(template), content=body, headers=headers)
            assert answer.status_code == 401, (method, template)
            assert answer.json()["code"] == "http.unauthenticated"
            assert 'tag="em-req-v1"' in answer.headers["accept-signature"]


def test_all_failures_of_authentication_look_alike(world: World) -> None:
    stranger = Ed25519Signer.generate(clock.random_bytes)
    ring = world.workspace.keyring
    own = ring.signer(names.entity_key(ISSUER, "api"))
    tampered = signed_request(world, ISSUER, own)
    tampered.headers["signature"] = tampered.headers["signature"].replace("=:", "=:AAAA", 1)
    requests = [
        httpx.Request("GET", world.url + "/v1/usage"),
        tampered,
        signed_request(world, ISSUER, stranger),
        signed_request(world, DEPARTMENT, own),
        signed_request(world, EntityId("holder:" + "a" * 26), stranger),
        signed_request(world, EntityId("uscc:91310110MA9F000318"), stranger),
        signed_request(world, ISSUER, own, now=clock.now() - 3600),
        signed_request(world, ISSUER, own, now=clock.now() + 3600),
        *(
            signed_request(world, ISSUER, ring.signer(names.entity_key(ISSUER, role)))
            for role in ("issue", "status", "grant")
        ),
    ]
    answers = [answer_to(world, request) for request in requests]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def test_a_nonce_counts_once_and_is_not_burnt_by_a_forger(world: World) -> None:
    own = world.workspace.keyring.signer(names.entity_key(ISSUER, "api"))
    genuine = signed_request(world, ISSUER, own, nonce=NONCE)
    forged = signed_request(world, ISSUER, Ed25519Signer.generate(clock.random_bytes), nonce=NONCE)
    forged.headers["signature-input"] = genuine.headers["signature-input"]
    assert answer_to(world, forged).status_code == 401
    assert answer_to(world, genuine).status_code == 200
    assert answer_to(world, genuine).status_code == 401


def test_the_signed_target_is_the_public_url_whatever_host_and_proxies_say(world: World) -> None:
    own = world.workspace.keyring.signer(names.entity_key(ISSUER, "api"))
    request = signed_request(world, ISSUER, own)
    request.headers.update({"host": "other.example", "x-forwarded-host": "other.example", "x-forwarded-proto": "https"})
    assert answer_to(world, request).status_code == 200
    elsewhere = httpx.Request("GET", "https://other.example/v1/usage")
    sign_request(elsewhere, b"", entity=ISSUER, signer=own, now=clock.now(), nonce=new_idempotency_key())
    moved = httpx.Request("GET", world.url + "/v1/usage", headers=dict(elsewhere.headers.items()))
    assert answer_to(world, moved).status_code == 401


def test_a_request_signed_for_one_path_query_or_method_serves_no_other(world: World) -> None:
    own = world.workspace.keyring.signer(names.entity_key(ISSUER, "api"))
    for method, path in (("GET", "/v1/usage?first=1"), ("GET", "/v1/usage?"), ("GET", "/v1/%75sage")):
        request = signed_request(world, ISSUER, own)
        moved = httpx.Request(method, world.url + path, headers=dict(request.headers.items()))
        expected = 200 if path.endswith("?") else 401  # an empty query can't be told from none
        assert answer_to(world, moved).status_code == expected, path


def test_a_retired_or_revoked_api_key_signs_nothing(world: World) -> None:
    entity = list_signing_issuer(world.workspace)
    client = world.client(SIGNING_ISSUER, entity["api"])
    assert client.usage()["records"] == []
    now = clock.now()
    listed = current_entity(world)
    for changed in (
        {"nbf": now - 7200, "exp": now - 3600},
        {"revoked": KeyRevocation(now - 10, "superseded")},
        {"revoked": KeyRevocation(now - 10, "compromised")},
    ):
        keys = tuple(replace(key, **changed) if key.role == "api" else key for key in listed.keys)
        put_entity(world.workspace, replace(listed, keys=keys), now)
        with pytest.raises(ProblemError) as denied:
            client.usage()
        assert denied.value.status == 401
    world.signing_issuer = list_signing_issuer(world.workspace)


def current_entity(world: World) -> Entity:
    entity = find_organisation(world.workspace, SIGNING_ISSUER, clock.now())
    assert entity is not None
    return entity


def test_what_belongs_to_one_issuer_is_not_anothers_to_see_or_change(world: World) -> None:
    material = register(world)
    other = world.client(DEPARTMENT)
    calls = (
        lambda: other.bundle(material),
        lambda: other.change_status(material, code="revoked", reason="issued-in-error"),
        lambda: other.reserve_material(),
        lambda: other.register({"issuer": ISSUER, "type": "business-licence", "fields": {}}, []),
    )
    for call in calls:
        with pytest.raises(ProblemError) as denied:
            call()
        assert (denied.value.status, denied.value.code) == (403, "access.denied")


def test_a_client_without_a_key_is_refused(world: World) -> None:
    with pytest.raises(ProblemError) as denied:
        LedgerClient(world.url, http=world.http).usage()
    assert denied.value.status == 401
