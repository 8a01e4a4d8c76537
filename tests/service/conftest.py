"""One running service for all tests of the HTTP side: making a workspace and its chain takes seconds."""

from collections.abc import Iterator

import pytest

from tests.support.http_world import World, running_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The service, with its chain in the same process."""
    with running_world(tmp_path_factory.mktemp("home") / "workspace") as running:
        yield running
