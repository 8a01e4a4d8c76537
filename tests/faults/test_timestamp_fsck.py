"""Whatever is altered in the table of time stamps is found."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from api import clock
from api.checking import fsck
from api.workspace import Workspace
from materials.store.tables import timestamp
from tests.support.command_line import ematerials
from tests.support.stamping_world import kept_stamps, set_services, trust_authority
from tests.support.tsa import Tsa, needs_openssl, serving
from tests.support.workspace_world import Story

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def original(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a stamped statement and two stamped checkpoints."""
    folder = tmp_path_factory.mktemp("stamped")
    home = story.copy(folder / "home")
    with serving(Tsa.new(folder / "tsa")) as server:
        set_services(home, server.url)
        trust_authority(home, server.tsa.root)
        for arguments in ((), (story.materials["business-licence"],)):
            assert ematerials("timestamp", *arguments, "-w", home).code == 0
    return home


@pytest.fixture
def stamped(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "home", ignore=shutil.ignore_patterns("*.lock")))


def alter(home: Path, **values: Any) -> None:
    """Change the time stamp of the statement."""
    with Workspace.open(home) as workspace, workspace.database.write() as connection:
        connection.execute(update(timestamp).where(timestamp.c.over == "statement").values(**values))


def found(home: Path, *, at: int | None = None) -> list[tuple[str, str]]:
    with Workspace.open(home) as workspace:
        return [(finding.code, finding.where) for finding in fsck(workspace, at or clock.now())]


def test_all_is_well(stamped: Path) -> None:
    assert found(stamped) == []


def test_the_list_may_be_older_than_the_check(stamped: Path) -> None:
    later = [code for code, _ in found(stamped, at=int(time.time()) + 400 * 86400)]
    assert not [code for code in later if code.startswith(("timestamp", "fsck", "certificate"))]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"gen_time": 1}, "fsck.row-differs"),
        ({"over": "checkpoint"}, "fsck.row-differs"),
        ({"digest": b"\x00" * 32}, "fsck.timestamp-subject"),
        ({"token": b"\x30\x00"}, "timestamp.form"),
        ({"token": b""}, "form.der"),
    ],
)
def test_an_altered_row_is_found(stamped: Path, change: dict[str, Any], code: str) -> None:
    alter(stamped, **change)
    assert [each for each, where in found(stamped) if where.startswith("timestamp ")] == [code]


def test_the_token_of_another_message_is_found(stamped: Path) -> None:
    other = next(stamp for stamp in kept_stamps(stamped) if stamp.over == "checkpoint")
    alter(stamped, token=other.token, gen_time=other.gen_time)
    assert [code for code, _ in found(stamped)] == ["timestamp.imprint"]


def test_an_unreadable_row_is_a_finding_and_no_crash(stamped: Path) -> None:
    alter(stamped, gen_time=text("'x'"))
    assert [code for code, _ in found(stamped)] == ["fsck.row-differs"]
    alter(stamped, token=text("7"))
    assert [code for code, _ in found(stamped)] == ["store.unreadable"]
