"""``fsck`` on a log that is long enough to be scanned by several processes."""

from pathlib import Path

import pytest
from sqlalchemy import update

from api.workspace import Workspace
from ledger.fsck_position import Position, format_position
from ledger.tables import tiles
from tests.support.command_line import Ran, ematerials
from tests.support.workspace_world import Story


@pytest.fixture(scope="module")
def long(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose log has more than 256 · 256 entries."""
    home = story.copy(tmp_path_factory.mktemp("long") / "home")
    with Workspace.open(home) as workspace:
        signer = workspace.keyring.signer("home.log")
        for start in range(0, 67_000, 5000):
            with workspace.database.write() as connection:
                batch = [b"filler %d" % number for number in range(start, start + 5000)]
                workspace.log(connection).append(batch, signer=signer, known_head=None)
    return home


def fsck(home: Path, *options: str | Path) -> Ran:
    return ematerials("fsck", "-w", home, "--json", *options)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_long_log_is_clean_and_the_state_file_goes(long: Path, tmp_path: Path, processes: str) -> None:
    state = tmp_path / "state.json"
    ran = fsck(long, "--processes", processes, "--state", state)
    assert (ran.code, ran.json) == (0, {"clean": True, "findings": []})
    assert not state.exists()
    assert fsck(long).code == 0


def test_damage_is_named(long: Path) -> None:
    def set_root(root: bytes) -> None:
        with Workspace.open(long) as workspace, workspace.database.write() as connection:
            row = (tiles.c.level == 0) & (tiles.c.tile_index == 200)
            connection.execute(update(tiles).where(row).values(root=root))

    with Workspace.open(long) as workspace, workspace.database.read() as connection:
        good = connection.execute(tiles.select().where(tiles.c.level == 0, tiles.c.tile_index == 200)).one().root
    set_root(b"r" * 32)
    try:
        ran = fsck(long)
    finally:
        set_root(good)
    assert ran.code == 1
    assert ran.json["findings"][0]["where"] == "log_tiles level=0 tile_index=200"


def test_a_state_file_of_another_log_or_form_is_refused_and_stays(long: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for content in (format_position("another", Position()), b"rubbish", b""):
        state.write_bytes(content)
        assert fsck(long, "--state", state).code == 1
        assert state.read_bytes() == content


def test_what_a_state_file_claims_must_fit_the_log(long: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with Workspace.open(long) as workspace:
        vkey = workspace.log_key.format()
    state.write_bytes(format_position(vkey, Position((b"r" * 32,), 65_536)))
    ran = fsck(long, "--state", state)
    assert ran.code == 1  # the root after it is not the signed one
    assert {finding["code"] for finding in ran.json["findings"]} >= {"fsck.checkpoint"}
