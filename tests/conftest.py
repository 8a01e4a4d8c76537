"""Fixtures for every test of a store: ``database_url`` and ``engine``, on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.database import open_engine
from signing import Secret
from tests.support.evidenced_story import Evidenced, add_evidence
from tests.support.ledger_postgres import fresh_database, running_postgres
from tests.support.skips import pytest_runtest_logreport, pytest_sessionfinish
from tests.support.workspace_world import Story, tell_story

__all__ = ["pytest_runtest_logreport", "pytest_sessionfinish"]

_database_numbers = count(1)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A secret as a parameter: pytest would spell its bytes in the test's name."""
    return "secret" if isinstance(val, Secret) else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server for this session (with xdist: one for each worker); skips where it can't start."""
    server = running_postgres()
    try:
        url = server.__enter__()
    except Exception as error:
        pytest.skip(f"PostgreSQL could not be started here: {type(error).__name__}: {error}")
    yield url
    server.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    with fresh_database(server, f"test_{next(_database_numbers)}") as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on an empty database."""
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A home with a whole story behind it; change only a copy of its workspace."""
    return tell_story(tmp_path_factory.mktemp("story") / "workspace")


@pytest.fixture(scope="session")
def evidenced(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Evidenced:
    """A bundle of the story with every kind of evidence."""
    return add_evidence(story, tmp_path_factory.mktemp("evidenced") / "tsa")
