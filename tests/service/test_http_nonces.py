"""Nonces of signed requests: each passes once, whoever asks at the same time and whatever becomes of the commit."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.exc import OperationalError

from api import clock, names
from api.db import Database
from api.http.nonces import Nonce, Nonces, metadata, request_nonces, take_nonces
from api.http.signatures import sign_request
from api.workspace import Workspace
from materials.times import SKEW_SECONDS
from signing import UnavailableError
from tests.support.http_world import ISSUER, World, running, running_world
from tests.support.ledger_postgres import fresh_database

PATIENCE = 60
NOW = 1_800_000_000


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service on each kind of database."""
    folder = tmp_path_factory.mktemp("nonces") / "workspace"
    if request.param == "sqlite":
        with running_world(folder) as world:
            yield world
        return
    server = request.getfixturevalue("postgres_server")
    with fresh_database(server, "nonces") as url, running_world(folder, database=url) as world:
        yield world


def signed(world: World, url: str | None = None) -> httpx.Request:
    """GET /v1/usage, signed by ISSUER with a nonce of its own."""
    request = httpx.Request("GET", (url or world.url) + "/v1/usage")
    nonce = clock.random_bytes(16).hex()
    signer = world.workspace.keyring.signer(names.entity_key(ISSUER, "api"))
    sign_request(request, b"", entity=ISSUER, signer=signer, now=clock.now(), nonce=nonce)
    return request


def statuses(world: World, requests: list[httpx.Request]) -> list[int]:
    """Of the answers to all of them, sent at once."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(answer.status_code for answer in pool.map(world.http.send, requests))


def nonces_kept(world: World) -> int:
    with world.workspace.database.read() as connection:
        return connection.execute(select(func.count()).select_from(request_nonces)).scalar_one()


@contextmanager
def commits(engine: Engine, what: Callable[[Connection], None]) -> Iterator[None]:
    """``what`` happens at each commit of nonces."""

    def listen(connection: Connection) -> None:
        if threading.current_thread().name == "nonces":
            what(connection)

    event.listen(engine, "commit", listen)
    try:
        yield
    finally:
        event.remove(engine, "commit", listen)


def test_of_eight_replays_at_once_one_passes(served: World) -> None:
    for _ in range(3):
        request = signed(served)
        assert statuses(served, [request] * 8) == [200] + [401] * 7


def test_of_replays_at_two_processes_one_passes(served: World) -> None:
    """The second has a workspace and a group of its own on the same database."""
    with Workspace.open(served.workspace.path) as other, running(other) as url:
        service = other.settings.service.model_copy(update={"public_url": served.url})
        other.settings = other.settings.model_copy(update={"service": service})
        for _ in range(3):
            request = signed(served)
            moved = httpx.Request("GET", url + "/v1/usage", headers=request.headers)
            assert statuses(served, [request, moved] * 4) == [200] + [401] * 7


def test_requests_at_once_share_commits(served: World) -> None:
    requests, count, kept = [signed(served) for _ in range(32)], [0], nonces_kept(served)

    def held(_: Connection) -> None:
        count[0] += 1
        gate.wait(0.3 if count[0] == 1 else 0)

    gate = threading.Event()
    with commits(served.workspace.database.engine, held):
        assert statuses(served, requests) == [200] * 32
    assert count[0] <= 16
    assert nonces_kept(served) == kept + 32


@pytest.mark.parametrize("done", [False, True])
def test_a_commit_that_fails_is_503_and_nothing_is_done(served: World, done: bool) -> None:
    """Not done: the same request may come again. Done, but reported failed: it must be signed anew."""

    def fail(connection: Connection) -> None:
        if done:
            connection.connection.commit()
        raise OperationalError("COMMIT", {}, Exception("connection lost"))

    request = signed(served)
    with commits(served.workspace.database.engine, fail):
        answer = served.http.send(request)
    assert (answer.status_code, answer.json()["code"]) == (503, "database.unavailable")
    assert "retry-after" in answer.headers
    assert served.http.send(request).status_code == (401 if done else 200)
    assert served.http.send(signed(served)).status_code == 200


@pytest.fixture
def table(engine: Engine) -> Engine:
    """A database with the table alone."""
    metadata.create_all(engine)
    return engine


def take(engine: Engine, *nonces: Nonce, now: int = NOW) -> list[bool]:
    with engine.begin() as connection:
        return take_nonces(connection, nonces, now)


def test_each_nonce_of_each_key_is_new_once(table: Engine) -> None:
    first, second, foreign = Nonce("a", "1", NOW), Nonce("a", "2", NOW), Nonce("b", "1", NOW)
    assert take(table, first) == [True]
    assert take(table, second, first, second, foreign) == [True, False, False, True]
    assert take(table, first, second, foreign) == [False] * 3


def test_a_nonce_is_kept_while_its_signature_could_pass_and_then_dropped(table: Engine) -> None:
    nonce, last = Nonce("a", "1", NOW), NOW + SKEW_SECONDS
    assert take(table, nonce) == [True]
    assert [take(table, nonce, now=at) for at in (last - 1, last, last + 1000)] == [[False]] * 3
    with table.connect() as connection:
        assert connection.execute(select(request_nonces)).all() == []


def test_a_request_that_waited_until_its_signature_expired_is_refused(table: Engine) -> None:
    nonce = Nonce("a", "1", NOW)
    assert take(table, nonce, now=NOW + SKEW_SECONDS) == [False]
    assert take(table, nonce, now=NOW + SKEW_SECONDS - 1) == [True]


def test_before_the_start_and_after_the_end_nothing_is_taken(database_url: str) -> None:
    database = Database(database_url)
    nonces = Nonces(database)
    metadata.create_all(database.engine)
    nonce = Nonce("a", "1", clock.now() + 60)
    with pytest.raises(UnavailableError, match="takes no signed requests yet"):
        nonces.take(nonce)
    nonces.start()
    assert nonces.take(nonce)
    nonces.stop()
    with pytest.raises(UnavailableError, match="closed"):
        nonces.take(nonce)
    database.close()
