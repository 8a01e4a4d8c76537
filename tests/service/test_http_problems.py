"""Errors over HTTP: problem documents with stable codes, without values of the request; no 2xx without a commit."""

import json
import logging
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import httpx
import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from api import clock
from api.client import LedgerClient, ProblemError, new_idempotency_key
from api.http.problems import LastResort
from api.http.signatures import sign_request
from materials.ids import EntityId, new_material_id
from signing import Signer
from tests.support.http_world import DEPARTMENT, ISSUER, PDF, World, new_fields, new_file, register

SECRET = "张三-110101199003078515"


def post(
    world: World,
    path: str,
    body: bytes,
    *,
    entity: EntityId = ISSUER,
    headers: dict[str, str] | None = None,
    signer: Signer | None = None,
) -> httpx.Response:
    """A signed POST of any bytes."""
    request = httpx.Request(
        "POST", world.url + path, content=body, headers={"content-type": "application/json", **(headers or {})}
    )
    own = signer or world.workspace.keyring.signer(f"{entity}.api")
    sign_request(request, body, entity=entity, signer=own, now=clock.now(), nonce=new_idempotency_key())
    return world.http.send(request)


def check_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:ematerials:problem:{code}"
    assert " · " in problem["title"]
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "form.json"),
        (b"{", "form.json"),
        (b"[]", "form.type"),
        (b'{"iss":"a"}', "form.member"),
        (json.dumps({"iss": "a", "jti": "b", SECRET: 1}).encode(), "form.member"),
        (json.dumps({"iss": "a", "jti": [SECRET]}).encode(), "form.member"),
        (b'{"iss":"a","iss":"b","jti":"c"}', "form.json"),
        (b'{"iss":"a","jti":1.5}', "form.json"),
        (b'{"iss":"a","jti":NaN}', "form.json"),
        (b'{"iss":"a","jti":"\\ud800"}', "form.json"),
        (b'{"iss":"a","jti":' + b"[" * 5000 + b"]" * 5000 + b"}", "form.json"),
        (b"\xff\xfe{}", "form.json"),
    ],
)
def test_a_malformed_body_is_400_and_quotes_nothing(world: World, body: bytes, code: str) -> None:
    check_problem(post(world, "/v1/grants/withdrawals", body), 400, code)


def test_paths_methods_and_parameters(world: World) -> None:
    check_problem(world.http.get(world.url + "/v1/nothing"), 404, "http.not-found")
    wrong = world.http.delete(world.url + "/v1/trust")
    check_problem(wrong, 405, "http.method")
    assert "GET" in wrong.headers["allow"]
    check_problem(world.http.get(world.url + f"/v1/materials/{SECRET}"), 400, "form.id")
    check_problem(
        world.http.get(world.url + f"/v1/materials/{new_material_id(clock.random_bytes)}"), 404, "material.unknown"
    )
    with pytest.raises(ProblemError) as error:
        world.client(ISSUER).usage(limit=1000)
    assert (error.value.status, error.value.code) == (400, "form.parameter")
    assert "1000" not in json.dumps(error.value.problem)


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/v1/grants", "application/json", 413),
        ("/v1/verify", "application/vnd.ematerials.bundle+json", 413),
        ("/v1/verify", "application/json", 413),
        ("/v1/materials", "multipart/form-data; boundary=b", 401),
    ],
)
def test_an_endless_body_is_not_read_to_the_end(world: World, path: str, media_type: str, status: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (1 << 16, b" " * (1 << 16))
    answer, sent = b"", 0
    with socket.create_connection(world.host, timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            while sent < 64 << 20 and not select.select([connection], [], [], 0)[0]:
                connection.sendall(chunk)
                sent += 1 << 16
            answer = connection.recv(1 << 16)
        except (BrokenPipeError, ConnectionResetError):
            answer = answer or b"HTTP/1.1 %d" % status  # it hung up before we read
    assert sent < 32 << 20
    assert answer.startswith(b"HTTP/1.1 %d" % status)


def test_a_body_just_over_the_limit_gets_its_answer(world: World) -> None:
    check_problem(post(world, "/v1/grants/withdrawals", b" " * (1 << 20) + b"{}"), 413, "form.size")
    bundle = {"content-type": "application/vnd.ematerials.bundle+json"}
    over = world.http.post(world.url + "/v1/verify", content=b" " * ((8 << 20) + 1), headers=bundle)
    check_problem(over, 413, "form.size")


def test_a_large_upload_is_bounded_by_the_setting(world: World) -> None:
    service = world.workspace.settings.service
    small = service.model_copy(update={"max_body_bytes": 1 << 16})
    world.workspace.settings = world.workspace.settings.model_copy(update={"service": small})
    try:
        with pytest.raises(ProblemError) as error:
            world.client(ISSUER).register({"issuer": ISSUER}, [("application/pdf", PDF + b"\0" * (1 << 16))])
    finally:
        world.workspace.settings = world.workspace.settings.model_copy(update={"service": service})
    assert (error.value.status, error.value.code) == (413, "form.size")


def test_media_types_and_content_codings_are_checked(world: World) -> None:
    check_problem(
        post(world, "/v1/grants/withdrawals", b"{}", headers={"content-type": "text/json"}), 415, "form.media-type"
    )
    check_problem(
        post(world, "/v1/grants/withdrawals", b"{}", headers={"content-encoding": "gzip"}), 415, "form.media-type"
    )
    check_problem(post(world, "/v1/materials", b"{}"), 415, "form.media-type")
    for declared, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--x"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n{}\r\n--b--\r\n',
        ),
    ):
        check_problem(post(world, "/v1/materials", body, headers={"content-type": declared}), 400, "form.multipart")


def test_unknown_members_and_wrong_fields_of_a_submission_are_refused(world: World) -> None:
    issuer = world.client(ISSUER)
    good = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
    for changes, code in (
        ({"extra": 1}, "form.member"),
        ({"version": "1"}, "form.member"),
        ({"valid_from": True}, "form.member"),
        ({"type": "no-such-type"}, "form.unknown-type"),
        ({"fields": {**new_fields(), SECRET: SECRET}}, None),
        ({"fields": new_fields(holder_code=SECRET)}, None),
        ({"supersedes": "em-x"}, "form.id"),
    ):
        with pytest.raises(ProblemError) as error:
            issuer.register({**good, **changes}, [("application/pdf", new_file())])
        assert error.value.status == 400
        assert code in (None, error.value.code)
        assert SECRET not in json.dumps(error.value.problem, ensure_ascii=False)


def test_what_the_policy_refuses_is_403_and_leaves_no_trace(world: World) -> None:
    before = world.client().get("/readyz")
    submission = {"issuer": DEPARTMENT, "type": "business-licence", "fields": new_fields()}
    with pytest.raises(ProblemError) as error:
        world.client(DEPARTMENT).register(submission, [("application/pdf", new_file())])
    assert (error.value.status, error.value.code) == (409, "registration.no-key")
    with pytest.raises(ProblemError) as error:
        world.client(ISSUER).register(
            {"issuer": ISSUER, "type": "enterprise-annual-report", "fields": {}}, [("application/json", b"{}")]
        )
    assert error.value.status in (400, 403)
    assert json.loads(before)["log_size"] == json.loads(world.client().get("/readyz"))["log_size"]


@contextmanager
def failing_commits(world: World, error: Callable[[], Exception]) -> Iterator[None]:
    """Every commit of a transaction that wrote to the log fails, as on a full disk or a lost connection."""
    writers: set[int] = set()

    def note(connection: Connection, _: object, statement: str, *rest: object) -> None:
        if statement.startswith(("INSERT INTO log_entries", "INSERT INTO grant_link", "INSERT INTO usage_record")):
            writers.add(id(connection.connection.dbapi_connection))

    def fail(connection: Connection) -> None:
        if id(connection.connection.dbapi_connection) in writers:
            writers.clear()
            raise error()

    engine = world.workspace.database.engine
    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (lambda: OperationalError("COMMIT", {}, Exception(f"disk full {SECRET}")), 503),
        (lambda: IntegrityError("COMMIT", {"value": SECRET}, Exception(SECRET)), 500),
        (lambda: RuntimeError(SECRET), 500),
    ],
    ids=["operational", "integrity", "anything"],
)
def test_no_2xx_is_sent_when_the_commit_fails_and_nothing_is_stored(
    world: World, error: Callable[[], Exception], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A registration shares its commit with others: what that met is told in the log only. A status change does not."""
    submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
    file = [("application/pdf", new_file())]
    material = register(world)
    before = json.loads(world.client().get("/readyz"))["log_size"]

    def revoke() -> dict[str, object]:
        return world.client(ISSUER).change_status(material, code="revoked", reason="issued-in-error")

    with caplog.at_level(logging.DEBUG), failing_commits(world, error):
        with pytest.raises(ProblemError) as unknown:
            world.client(ISSUER).register(submission, file)
        with pytest.raises(ProblemError) as failed:
            revoke()
    assert (unknown.value.status, unknown.value.code) == (503, "log.unknown-outcome")
    assert failed.value.status == status
    for told in (unknown.value.problem, failed.value.problem):
        assert SECRET not in json.dumps(told, ensure_ascii=False)
    if status == 500:
        assert str(failed.value.problem["incident"]) in caplog.text
        assert SECRET not in caplog.text
    assert json.loads(world.client().get("/readyz"))["log_size"] == before
    assert world.client(ISSUER).register(submission, file)["is_new"]
    assert revoke()["log_index"] == before + 1


def test_an_outage_of_the_database_is_503_with_retry_after(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Connection) -> None:
        raise OperationalError("BEGIN", {}, Exception("connection refused"))

    engine = world.workspace.database.engine
    event.listen(engine, "begin", away, insert=True)
    try:
        answer = world.http.get(world.url + f"/v1/materials/{new_material_id(clock.random_bytes)}")
        ready = world.http.get(world.url + "/readyz")
        alive = world.http.get(world.url + "/healthz")
    finally:
        event.remove(engine, "begin", away)
    check_problem(answer, 503, "database.unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert alive.status_code == 200


def test_bundles_and_events_of_unknown_materials_are_404(world: World) -> None:
    issuer: LedgerClient = world.client(ISSUER)
    unknown = new_material_id(clock.random_bytes)
    for call in (
        lambda: issuer.bundle(unknown),
        lambda: issuer.change_status(unknown, code="revoked", reason="issued-in-error"),
    ):
        with pytest.raises(ProblemError) as error:
            call()
        assert (error.value.status, error.value.code) == (404, "material.unknown")
    with pytest.raises(ProblemError) as error:
        issuer.change_status(register(world), code="burnt", reason="issued-in-error")
    assert (error.value.status, error.value.code) == (400, "form.code")


def test_a_client_that_goes_away_is_no_incident(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[Message] = []

    async def gone(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    anyio.run(LastResort(gone), {"type": "http"}, receive, send)
    assert sent == []
    assert caplog.records == []
