"""Whatever an authenticated caller sends, the answer is one of ours: never a 500, never a value quoted back."""

import copy
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import clock
from api.client import new_idempotency_key
from api.http.signatures import sign_request
from materials.grants.requests import request_to_json
from materials.ids import new_material_id
from signing import Ed25519Signer
from tests.support.http_world import DEPARTMENT, ISSUER, World, grant_members, new_fields, request_for

MARK = "quoted-back-1f3a"
HOLDER = Ed25519Signer(bytes(range(32)))
MATERIAL = new_material_id(lambda size: bytes(size))

scalars = st.none() | st.booleans() | st.integers() | st.just(MARK) | st.text(max_size=8) | st.just("em-x")
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)

GOOD: dict[str, Any] = {
    "/v1/grants/roots": grant_members(MATERIAL, HOLDER),
    "/v1/grants/places": {"chain": ["a.b.c"]},
    "/v1/grants": {"chain": ["a.b.c"]},
    "/v1/grants/withdrawals": {"iss": ISSUER, "jti": "gr-x"},
    "/v1/retrievals": {"chain": ["a.b.c"], "request": request_to_json(request_for(MATERIAL))},
    "/v1/retrievals/files/0": {"chain": ["a.b.c"], "request": request_to_json(request_for(MATERIAL))},
    f"/v1/materials/{MATERIAL}/events": {"code": "revoked", "reason": "issued-in-error"},
    "/v1/materials": {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in items for place in places(item, (*path, name)))]


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """A good body with something else in one place, a member missing, or one too many."""
    body = copy.deepcopy(good)
    place = draw(st.sampled_from(places(body)[1:]))
    within = body
    for name in place[:-1]:
        within = within[name]
    how = draw(st.sampled_from(("other", "missing", "more")))
    if how == "other":
        within[place[-1]] = draw(values)
    elif how == "missing":
        del within[place[-1]]
    elif isinstance(within, dict):
        within[MARK] = draw(values)
    return body


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.replace(MATERIAL, "x"))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_body_makes_a_500(world: World, path: str, data: st.DataObject) -> None:
    body = data.draw(changed(GOOD[path]) | values)
    answer = send(world, path, body)
    assert answer.status_code < 500 or answer.json()["code"] != "http.internal", answer.text
    assert MARK not in answer.text


def send(world: World, path: str, body: Any) -> httpx.Response:
    content = json.dumps(body).encode()
    headers = {"content-type": "application/json", "idempotency-key": new_idempotency_key()}
    if path == "/v1/materials":
        parts = {"submission": (None, content, "application/json")}
        request = httpx.Request("POST", world.url + path, files=parts, headers={"idempotency-key": "x"})
    else:
        request = httpx.Request("POST", world.url + path, content=content, headers=headers)
    entity = DEPARTMENT if path.startswith("/v1/retrievals") else ISSUER
    signer = world.workspace.keyring.signer(f"{entity}.api")
    sign_request(request, request.read(), entity=entity, signer=signer, now=clock.now(), nonce=new_idempotency_key())
    return world.http.send(request)
