"""Verification and pages for everyone, and what must not be found out through them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from api import clock
from api.client import ProblemError
from api.http import guesses
from api.http.guesses import MAX_MISSES, PERIOD_SECONDS, GuessLimit
from materials.ids import MaterialId, new_material_id
from signing import FileDigests, RefusedError, digest_bytes
from tests.support.http_world import ISSUER, World, new_fields, new_file, register

PAGES = Path(guesses.__file__).parent / "pages"
_WITHOUT_BODY = ("/v1/anchoring", "/v1/materials/places")


@pytest.fixture(scope="module")
def registered(world: World) -> tuple[MaterialId, bytes]:
    """A material and its file."""
    file = new_file()
    submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
    answer = world.client(ISSUER).register(submission, [("application/pdf", file)])
    return MaterialId(str(answer["id"])), file


def test_a_pending_anchor_is_undetermined_and_a_tampered_bundle_invalid(
    world: World, registered: tuple[MaterialId, bytes]
) -> None:
    bundle = world.client(ISSUER).bundle(registered[0])
    report = world.client().verify(bundle, digest_bytes(registered[1]))
    assert report["verdict"] in ("valid", "undetermined")
    facets = report["facets"]
    assert isinstance(facets, dict)
    assert facets["file"] == {"verdict": "valid", "code": "ok", "detail": ""}
    tampered = bundle.replace(b'"receipt":"c', b'"receipt":"C', 1)
    assert tampered != bundle
    assert world.client().verify(tampered)["verdict"] == "invalid"
    other_file = world.client().verify(bundle, digest_bytes(b"another file"))["facets"]
    assert isinstance(other_file, dict)
    assert other_file["file"]["code"] == "file.digest"


def test_a_policy_on_witnesses_may_come_along(world: World, registered: tuple[MaterialId, bytes]) -> None:
    vkey = "witness.example/w1+e42b2f2c+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    bundle = world.client(ISSUER).bundle(registered[0]).decode()
    for policy, code in (("quorum none\n", "ok"), (f"witness w {vkey}\nquorum w\n", "witness.quorum")):
        answer = world.http.post(f"{world.url}/v1/verify", json={"bundle": bundle, "witness_policy": policy})
        assert answer.json()["facets"]["witness"]["code"] == code
    answer = world.http.post(f"{world.url}/v1/verify", json={"bundle": bundle, "witness_policy": "quorum w\n"})
    assert (answer.status_code, answer.json()["code"]) == (400, "policy.name")
    answer = world.http.post(f"{world.url}/v1/verify", json={"bundle": bundle})
    assert answer.json()["facets"]["witness"]["verdict"] == "not checked"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"version":"ematerials/bundle/v1"}', b'{"a":1,"a":2}', b"NaN"]
)
def test_anything_gets_a_report_and_nothing_crashes(world: World, data: bytes) -> None:
    assert world.client().verify(data)["verdict"] == "invalid"


@pytest.mark.parametrize(
    "body",
    [
        {"bundle": 1},
        {"bundle": "{}", "file": {"sha256": "0" * 64}},
        {"bundle": "{}", "more": 1},
        {"material": "em-x", "file": None},
        {"file": {"sha256": "0" * 64, "sm3": "0" * 64, "size": 1}},
        {"sha256": "0" * 64},
        {"material": "em-x", "file": {"sha256": "0" * 64, "sm3": "0" * 64, "size": 1}},
        {"material": "em-x", "file": {"sha256": "F" * 64, "sm3": "0" * 64, "size": 1}},
        {"material": "em-x", "file": {"sha256": "0" * 64, "sm3": "0" * 64, "size": -1}},
        [],
    ],
    ids=str,
)
def test_a_question_of_another_form_is_400(world: World, body: object) -> None:
    answer = world.http.post(world.url + "/v1/verify", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"].startswith("form.")


def test_a_file_matches_its_material_only(world: World, registered: tuple[MaterialId, bytes]) -> None:
    anyone, (material, file) = world.client(), registered
    right = digest_bytes(file)
    assert anyone.match_file(material, right) == {"matches": True, "status": "valid"}
    no = {"matches": False, "status": None}
    assert anyone.match_file(material, FileDigests(right.sha256, right.sm3, right.size + 1)) == no
    assert anyone.match_file(material, FileDigests(right.sha256, bytes(32), right.size)) == no
    assert anyone.match_file(new_material_id(clock.random_bytes), right) == no
    assert anyone.match_file(register(world), right) == no


def test_guessing_is_stopped_for_one_material_and_for_no_other(world: World) -> None:
    material, anyone = register(world), world.client()
    for number in range(MAX_MISSES):
        anyone.match_file(material, digest_bytes(str(number).encode()))
    with pytest.raises(ProblemError) as stopped:
        anyone.match_file(material, digest_bytes(b"the next guess"))
    assert (stopped.value.status, stopped.value.code) == (429, "verify.too-many-guesses")
    assert anyone.match_file(register(world), digest_bytes(b"x"))["matches"] is False


def test_guesses_are_forgotten_after_the_period() -> None:
    limit, now = GuessLimit(), 1_790_000_000
    for _ in range(MAX_MISSES):
        limit.check("a", now)
        limit.miss("a", now)
    with pytest.raises(RefusedError):
        limit.check("a", now + PERIOD_SECONDS - 1)
    limit.check("a", now + PERIOD_SECONDS)
    limit.miss("a", now + PERIOD_SECONDS)
    limit.check("a", now + PERIOD_SECONDS + 1)


@pytest.mark.parametrize("path", ["/", "/verify", "/docs"])
def test_pages_are_chinese_first_and_load_nothing_from_elsewhere(world: World, path: str) -> None:
    answer = world.http.get(world.url + path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<html lang="zh-CN">' in answer.text
    references = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert references
    for reference in references:
        assert reference.startswith("/")
        assert world.http.get(world.url + reference).status_code == 200
    assert "http://" not in answer.text
    assert "https://" not in answer.text


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_page_computes_the_digests_that_the_library_computes() -> None:
    script = (PAGES / "digests.js").read_text("utf-8")
    sizes = [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]
    ask = "console.log(JSON.stringify([%s].map((n) => fileDigests(new Uint8Array(n).map((_, i) => i * 7)))))"
    run = subprocess.run(
        ["node", "-e", script + ask % ",".join(map(str, sizes))], capture_output=True, check=True, timeout=60
    )
    for size, shown in zip(sizes, json.loads(run.stdout), strict=True):
        own = digest_bytes(bytes(i * 7 % 256 for i in range(size)))
        assert shown == {"sha256": own.sha256.hex(), "sm3": own.sm3.hex(), "size": size}


def test_the_openapi_document_describes_every_call_with_examples(world: World) -> None:
    document = world.http.get(world.url + "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for reference in set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))):
        assert reference in schemas
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "·" in operation["description"], (method, path)
            if method == "post":
                assert bool(operation.get("requestBody", {}).get("content")) is (path not in _WITHOUT_BODY), path
    assert "examples" in json.dumps(schemas["SubmitFields"])
    assert document["paths"]["/v1/usage"]["get"]["security"] == [{"signedRequest": []}]
    assert "security" not in document["paths"]["/v1/verify"]["post"]


def test_no_page_of_the_framework_with_foreign_scripts_is_served(world: World) -> None:
    assert world.http.get(world.url + "/redoc").status_code == 404
    assert "cdn" not in world.http.get(world.url + "/docs").text


def test_every_answer_is_to_be_taken_as_its_media_type(world: World) -> None:
    for path in ("/", "/v1/trust", "/log/checkpoint", "/v1/nothing"):
        answer: httpx.Response = world.http.get(world.url + path)
        assert answer.headers["x-content-type-options"] == "nosniff"
