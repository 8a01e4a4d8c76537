"""Commands that write files: whole or not at all, never over an older result unless the new one is there."""

import os
from pathlib import Path

import pytest

from tests.support.command_line import ematerials
from tests.support.workspace_world import Story

NO_SUCH = "em-" + "a" * 26


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Path:
    (tmp_path / "grant.json").write_bytes(story.grant)
    return story.copy(tmp_path / "home")


def commands(story: Story, home: Path, output: Path) -> dict[str, list[str | Path]]:
    """Each command that writes a file, as it works."""
    licence = story.materials["business-licence"]
    opening = ["--holder-key", "owner", "--purpose", "supplier-registration", "--item", "I-1"]
    return {
        "bundle": ["bundle", licence, "-o", output, "-w", home],
        "trust": ["trust", "export", "-o", output, "-w", home],
        "open": [
            *("grant", "open", licence, *opening, "--for", "11330106MB9F000439", "--field", "address"),
            *("-o", output, "-w", home),
        ],
        "delegate": [
            *("grant", "delegate", home.parent / "open.json", "--to", "agent", "--redelegate"),
            *("-o", output, "-w", home),
        ],
        "retrieve": ["retrieve", licence, "--grant", home.parent / "grant.json", "-o", output, "-w", home],
    }


def test_every_command_writes_and_writes_over(story: Story, home: Path) -> None:
    for name in commands(story, home, Path()):
        output = home.parent / f"{name}.json"
        for _ in range(2):
            ran = ematerials(*commands(story, home, output)[name])
            assert (ran.code, ran.err) == (0, ""), name
            assert output.read_bytes().startswith(b"{")
    assert not [path.name for path in home.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["bundle", "trust", "open", "retrieve"])
def test_where_nothing_can_be_written(story: Story, home: Path, name: str) -> None:
    for place in (home.parent / "none" / "x.json", home):
        ran = ematerials(*commands(story, home, place)[name])
        assert ran.code == 64
        assert str(place) in ran.err.replace("\n", "")


@pytest.mark.parametrize("name", ["bundle", "trust", "open", "retrieve"])
def test_a_link_or_a_device_is_written_to_not_replaced(story: Story, home: Path, name: str) -> None:
    target, link = home.parent / "target.json", home.parent / "link.json"
    link.symlink_to(target)
    assert ematerials(*commands(story, home, link)[name]).code == 0
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"{")
    target.unlink()
    os.mkfifo(target)
    reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    assert ematerials(*commands(story, home, target)[name]).code == 0
    assert os.read(reader, 1) == b"{"
    assert target.is_fifo()
    os.close(reader)


def test_a_full_disk_is_no_traceback(story: Story, home: Path) -> None:
    full = home.parent / "full"
    full.symlink_to("/dev/full")
    ran = ematerials("bundle", story.materials["business-licence"], "-o", full, "-w", home, "--json")
    assert (ran.code, ran.error_code) == (69, "file.unavailable")


def test_a_command_that_fails_leaves_the_older_result(story: Story, home: Path) -> None:
    output = home.parent / "kept.json"
    licence = story.materials["business-licence"]
    asking = ["retrieve", licence, "--grant", home.parent / "grant.json", "-o", output, "-w", home]
    wrong: list[list[str | Path]] = [
        ["bundle", NO_SUCH, "-o", output, "-w", home],
        ["bundle", "no-id", "-o", output, "-w", home],
        ["bundle", licence, "-o", output, "-w", home.parent],
        ["trust", "export", "-o", output, "-w", home.parent],
        [*asking, "--field", "business_scope"],
        [*asking, "--case", "ZJ-2026-999999"],
        [*asking, "--idempotency-key", "short"],
    ]
    for command in wrong:
        output.write_bytes(b"the older result")
        ran = ematerials(*command)
        assert ran.code in (1, 64)
        assert ran.err
        assert output.read_bytes() == b"the older result"
    (home / "keys" / "passphrase").write_text("another\n")
    assert ematerials("bundle", licence, "-o", output, "-w", home).code == 1
    assert output.read_bytes() == b"the older result"


def test_the_log_goes_to_a_folder(story: Story, home: Path) -> None:
    folder, file = home.parent / "log", home.parent / "file"
    file.touch()
    first = ematerials("log", "export", folder, "-w", home, "--json")
    again = ematerials("log", "export", folder, "-w", home, "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.json["files_written"] > again.json["files_written"] == 0
    ran = ematerials("log", "export", file, "-w", home, "--json")
    assert (ran.code, ran.error_code) == (69, "file.unavailable")
    key = ematerials("log", "key", "-w", home)
    assert key.out.startswith(first.json["origin"] + "+")
