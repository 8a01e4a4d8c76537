"""``ematerials timestamp``: what it stamps, what the second run does, and that a bundle then proves its time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.workspace import Workspace
from signing import parse_note, sha256
from tests.support.command_line import ematerials
from tests.support.stamping_world import kept_stamps, set_services, trust_authority
from tests.support.tsa import Tsa, TsaServer, needs_openssl, serving
from tests.support.workspace_world import Story

pytestmark = needs_openssl
NO_SUCH = "em-" + "a" * 26


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaServer]:
    with serving(Tsa.new(tmp_path_factory.mktemp("tsa"), intermediate=True)) as server:
        yield server


@pytest.fixture
def home(story: Story, tmp_path: Path, server: TsaServer) -> Path:
    home = story.copy(tmp_path / "home")
    set_services(home, server.url)
    trust_authority(home, server.tsa.root)
    return home


def test_the_newest_checkpoint_and_the_newest_anchored_one_are_stamped_once(home: Path, server: TsaServer) -> None:
    first = ematerials("timestamp", "-w", home, "--json")
    assert first.code == 0, first.out
    made = first.json["timestamps"]
    assert [(each["over"], each["service"]) for each in made] == [("checkpoint", "127.0.0.1")] * 2
    assert {each["authority"] for each in made} == {sha256(server.tsa.root).hex()}
    stamps = kept_stamps(home)
    with Workspace.open(home) as workspace, workspace.database.read() as connection:
        log = workspace.log(connection)
        sizes = [int(each["subject"].split(" ")[1]) for each in made]
        notes = [log.checkpoint_at(size) for size in sizes]
        assert sizes[0] == log.size() > sizes[1]
    assert {stamp.digest for stamp in stamps} == {sha256(parse_note(note).text) for note in notes if note}
    asked = server.asked
    again = ematerials("timestamp", "-w", home)
    assert (again.code, server.asked) == (0, asked)
    assert "nothing to do" in again.out
    assert kept_stamps(home) == stamps


def test_a_statement_is_stamped_and_its_bundle_proves_the_time(home: Path, story: Story, tmp_path: Path) -> None:
    material = story.materials["business-licence"]
    ran = ematerials("timestamp", material, "-w", home)
    assert ran.code == 0
    assert material in ran.out
    assert "UTC" in ran.out
    assert ematerials("timestamp", "-w", home).code == 0
    bundle, trust = tmp_path / "bundle.json", tmp_path / "trust.json"
    assert ematerials("bundle", material, "-w", home, "-o", bundle).code == 0
    assert ematerials("trust", "export", "-w", home, "-o", trust).code == 0
    report = ematerials("verify", bundle, "--trust", trust, "--require", "timestamp", "--json")
    assert report.code == 0, report.out
    assert bundle.read_bytes().count(b'"over":"statement"') == 1


def test_wrong_uses(home: Path, story: Story) -> None:
    for argument, code, error in (("em-1", 1, "form.id"), (NO_SUCH, 1, "material.unknown")):
        ran = ematerials("timestamp", argument, "-w", home, "--json")
        assert (ran.code, ran.error_code) == (code, error)
    set_services(home)
    off = ematerials("timestamp", "-w", home, "--json")
    assert (off.code, off.error_code) == (69, "timestamp.no-service")


@pytest.mark.parametrize("url", ["ftp://tsa.example/", "https://user:secret@tsa.example/", "https:// x", "tsa.example"])
def test_urls_of_another_form_are_refused_and_not_repeated(home: Path, url: str) -> None:
    set_services(home, url)
    ran = ematerials("timestamp", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (1, "settings.form")
    assert "secret" not in ran.out


def test_an_authority_that_is_not_listed_stamps_nothing(home: Path, tmp_path: Path) -> None:
    with serving(Tsa.new(tmp_path / "other")) as other:
        set_services(home, other.url)
        ran = ematerials("timestamp", "-w", home, "--json")
    assert ran.code == 69
    assert [each["error"]["code"] for each in ran.json["timestamps"]] == ["timestamp.authority"]
    assert kept_stamps(home) == []
