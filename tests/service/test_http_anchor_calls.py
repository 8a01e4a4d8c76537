"""The calls about anchoring: a request to anchor at once, the state, and metrics for whom the settings name."""

import json

import httpx
import pytest

from api.client import ProblemError
from tests.support.http_world import DEPARTMENT, ISSUER, World, register, wait_for


def call(world: World, method: str, caller: object = ISSUER) -> dict[str, object]:
    client = world.client(ISSUER if caller == ISSUER else DEPARTMENT)
    answer = json.loads(client.send(httpx.Request(method, f"{world.url}/v1/anchoring")))
    assert isinstance(answer, dict)
    return answer


def test_the_operator_asks_to_anchor_now_and_sees_how_it_stands(world: World) -> None:
    chains = world.workspace.settings.chains
    rarely = {name: chain.model_copy(update={"every_seconds": 10**6}) for name, chain in chains.items()}
    world.workspace.settings = world.workspace.settings.model_copy(update={"chains": rarely})
    try:
        material = register(world)
        assert call(world, "POST") == {"requested": True}
        wait_for(lambda: bool(world.client().material(material)["anchored"]))
    finally:
        world.workspace.settings = world.workspace.settings.model_copy(update={"chains": chains})
    state = call(world, "GET")
    assert state["alarm"] is False
    (chain,) = json.loads(json.dumps(state["chains"]))
    assert (chain["name"], chain["anchored_size"]) == ("main", chain["log_size"])


def test_nobody_else_may(world: World) -> None:
    for method in ("POST", "GET"):
        with pytest.raises(ProblemError) as refused:
            call(world, method, DEPARTMENT)
        assert (refused.value.status, refused.value.code) == (403, "access.denied")
    assert world.http.get(f"{world.url}/v1/anchoring").status_code == 401


def test_metrics_for_the_addresses_of_the_settings_only(world: World) -> None:
    answer = world.http.get(f"{world.url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "ematerials_anchor_lag_entries{" in answer.text
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        assert world.http.get(f"{world.url}/metrics", headers={header: "for=192.0.2.1"}).status_code == 403
    settings = world.workspace.settings
    service = settings.service.model_copy(update={"metrics_from": ()})
    world.workspace.settings = settings.model_copy(update={"service": service})
    try:
        assert world.http.get(f"{world.url}/metrics").status_code == 403
    finally:
        world.workspace.settings = settings
