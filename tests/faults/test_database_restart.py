"""The database server stops and starts under load: writers come back by themselves, and nothing told is taken back."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from api.client import ProblemError
from ledger.database import open_engine
from tests.support.http_world import ISSUER, World, make_workspace, new_fields, new_file, running
from tests.support.ledger_logs import new_log
from tests.support.ledger_postgres import fresh_database
from tests.support.own_postgres import OwnPostgres, Stop, own_postgres
from tests.support.told import Told, Writer, check_told


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    """Runs at the beginning and at the end of each test."""
    with own_postgres() as server:
        yield server


def test_writers_outlive_restarts_of_the_server(server: OwnPostgres) -> None:
    """Three times: its sessions ended, crashed, and all sessions killed while it runs."""
    with fresh_database(server.url, "restarts") as url:
        engine, told = open_engine(url), Told()
        new_log(engine)
        writers = [Writer(url, name, "shared") for name in ("a", "b")]
        hows: tuple[Stop | None, ...] = ("fast", "immediate", None)
        for how in hows:
            for writer in writers:
                writer.wait_for_more(5)
            if how is None:
                kill_sessions(url)
            else:
                server.stop(how)
                server.start()
        for writer in writers:
            writer.wait_for_more(5)
            writer.kill(told)
        assert set(told.failures) == {"log.unknown-outcome"}
        check_told(engine, told)
        engine.dispose()


def kill_sessions(url: str) -> None:
    """End every other session of the database, in the middle of whatever it does."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s"
        connection.execute(query, [connection.info.dbname])


def test_the_service_says_that_the_database_is_away_and_goes_on_when_it_is_back(
    server: OwnPostgres, tmp_path: Path
) -> None:
    with (
        fresh_database(server.url, "service") as url,
        make_workspace(tmp_path / "home", database=url) as workspace,
        running(workspace) as public_url,
    ):
        world = World(workspace, public_url)
        client = world.client(ISSUER)
        submission = {"issuer": ISSUER, "type": "business-licence", "fields": new_fields()}
        first = client.register(submission, [("application/pdf", new_file())])
        server.stop("immediate")
        try:
            later = {**submission, "fields": new_fields()}, [("application/pdf", new_file())]
            with pytest.raises(ProblemError) as refused:
                client.register(*later)
            read = world.http.get(f"{public_url}/v1/materials/{first['id']}")
        finally:
            server.start()
        assert (refused.value.status, refused.value.code) == (503, "database.unavailable")
        assert (read.status_code, read.json()["code"]) == (503, "database.unavailable")
        assert int(read.headers["retry-after"]) > 0
        assert client.register(*later)["is_new"] is True
        assert client.material(first["id"])["id"] == first["id"]
        server.stop("fast")
        server.start()
        assert client.register(*later)["is_new"] is False  # at once: the sessions that are gone were noticed
        world.http.close()
