"""What readers are shown of cosignatures: the newest checkpoint that a policy accepts, of the home's log and others."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import httpx
import pytest

from api.settings import WitnessesSettings
from api.workspace import Workspace
from ledger import open_checkpoint, parse_policy
from signing import NoteKey
from tests.support.command_line import Ran, ematerials
from tests.support.hand_witness import TEXT, HandWitness, serving
from tests.support.http_world import running, wait_for
from tests.support.workspace_world import Story

OTHER = "example.gov/second"


class Home:
    """A home of two logs, each with a policy of one witness; the witness of the home's own log may be told off."""

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        self.workspace = workspace
        self.run("log", "create", OTHER)
        other = NoteKey.parse(self.run("log", "show", OTHER).json["vkey"])
        keys = {workspace.settings.origin: workspace.log_key, OTHER: other}
        self.keys = keys
        self.witnesses = {
            origin: HandWitness(f"w{number}.example", bytes([number + 60]) * 32, origin, key.public_key)
            for number, (origin, key) in enumerate(keys.items())
        }
        self.policies = {}
        for number, (origin, witness) in enumerate(self.witnesses.items()):
            stack.enter_context(serving(witness))
            self.policies[origin] = f"witness w {witness.vkey} {witness.url}\nquorum w\n"
            (workspace.path / f"policy-{number}").write_text(self.policies[origin])
        self.set("signed")

    def set(self, publish: Literal["signed", "cosigned"]) -> None:
        settings = WitnessesSettings(policy="policy-0", policies={OTHER: "policy-1"}, timeout=2, publish=publish)
        self.workspace.settings = self.workspace.settings.model_copy(update={"witnesses": settings})
        path = self.workspace.path / "ematerials.toml"
        text = path.read_text("utf-8").partition("\n[witnesses]")[0]
        section = f'\n[witnesses]\npolicy = "policy-0"\ntimeout = 2\npublish = "{publish}"\n'
        path.write_text(f'{text}{section}\n[witnesses.policies]\n"{OTHER}" = "policy-1"\n', "utf-8")

    def run(self, *arguments: str | Path) -> Ran:
        return ematerials(*arguments, "-w", self.workspace.path, "--json")

    def grow(self, entry: bytes) -> None:
        """One more entry in each log."""
        path = self.workspace.path / "entry"
        path.write_bytes(entry)
        assert self.run("log", "append", OTHER, path).code == 0
        with self.workspace.database.write() as connection:
            signer = self.workspace.keyring.signer("home.log")
            self.workspace.log(connection).append([entry], signer=signer, known_head=None)

    def sizes(self, origin: str, *notes: bytes) -> list[int]:
        """Of checkpoints, each of which the policy must accept."""
        rule = parse_policy(self.policies[origin].encode()).for_log(self.keys[origin])
        return [rule.check(note).checkpoint.size for note in notes]

    def own_size(self, origin: str) -> int:
        return int(self.run("log", "show", origin).json["size"])


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Iterator[Home]:
    with Workspace.open(story.copy(tmp_path / "workspace")) as workspace, ExitStack() as stack:
        yield Home(workspace, stack)


def test_each_log_is_cosigned_by_its_own_witnesses(home: Home) -> None:
    home.grow(b"one")
    asked = home.run("witness", "ask", "--origin", OTHER)
    assert (asked.code, asked.json["quorum_met"], asked.json["size"]) == (0, True, 2)
    assert home.witnesses[home.workspace.settings.origin].size == 0, "nobody asked it"
    assert home.run("witness", "ask").json["quorum_met"]
    assert home.run("fsck", "--processes", "1").json == {"clean": True, "findings": []}
    assert home.run("log", "create", "example.gov/third").code == 0
    refused = home.run("witness", "ask", "--origin", "example.gov/third")
    assert (refused.code, refused.error_code) == (69, "witness.not-configured")


def test_the_service_shows_the_newest_cosigned_one(home: Home) -> None:
    own = home.workspace.settings.origin
    choices: tuple[Literal["signed", "cosigned"], ...] = ("signed", "cosigned")
    for publish in choices:
        home.set(publish)
        for witness in home.witnesses.values():
            witness.misbehave = None
        with running(home.workspace) as url, httpx.Client() as client:
            prefixes = {each["origin"]: each["url"] for each in client.get(f"{url}/logs").json()["logs"]}
            wait_for(lambda: client.get(f"{url}/readyz").json()["witness_code"] == "ok")
            last = {origin: home.own_size(origin) for origin in prefixes}
            for witness in home.witnesses.values():
                witness.misbehave = lambda _: (503, TEXT, b"")
            home.grow(f"more, {publish}".encode())
            for origin, prefix in prefixes.items():
                cosigned = client.get(f"{url}{prefix}cosigned")
                assert cosigned.headers["cache-control"] == "no-cache"
                assert home.sizes(origin, cosigned.content) == [last[origin]]
                shown = client.get(f"{url}{prefix}checkpoint").content
                if publish == "cosigned":
                    assert shown == cosigned.content
                else:
                    assert open_checkpoint(shown, home.keys[origin]).size == last[origin] + 1
            assert home.own_size(own) == last[own] + 1


def test_static_files_show_it_too_and_take_nothing_back(home: Home, tmp_path: Path) -> None:
    out, origin = tmp_path / "out", OTHER
    home.set("cosigned")
    assert home.run("log", "export", out, "--origin", origin).json["size"] == 0
    assert not (out / "checkpoint").exists()
    home.run("witness", "ask", "--origin", origin)
    home.grow(b"one")
    assert home.run("log", "export", out, "--origin", origin).json["size"] == 1
    assert home.sizes(origin, (out / "checkpoint").read_bytes(), (out / "cosigned").read_bytes()) == [1, 1]
    assert (out / "checkpoints" / "2").exists()
    home.set("signed")
    assert home.run("log", "export", out, "--origin", origin).json["size"] == 2
    assert home.sizes(origin, (out / "cosigned").read_bytes()) == [1]
    home.set("cosigned")
    again = home.run("log", "export", out, "--origin", origin)
    assert (again.json["size"], again.json["files_written"]) == (2, 0)
    assert open_checkpoint((out / "checkpoint").read_bytes(), home.keys[origin]).size == 2
    home.run("witness", "ask", "--origin", origin)
    home.run("log", "export", out, "--origin", origin)
    assert home.sizes(origin, (out / "checkpoint").read_bytes(), (out / "cosigned").read_bytes()) == [2, 2]


def test_without_a_cosigned_one_there_is_nothing_to_show(home: Home) -> None:
    for witness in home.witnesses.values():
        witness.misbehave = lambda _: (503, TEXT, b"")
    home.set("cosigned")
    with running(home.workspace) as url, httpx.Client() as client:
        for path in ("/log/checkpoint", "/log/cosigned", "/logs/2/checkpoint"):
            answer = client.get(url + path)
            assert (answer.status_code, answer.json()["code"]) == (404, "log.no-cosigned"), path
        (home.workspace.path / "policy-0").write_text("not a policy\n")
        (home.workspace.path / "policy-1").unlink()
        for path in ("/log/cosigned", "/logs/2/checkpoint"):
            answer = client.get(url + path)
            assert (answer.status_code, answer.json()["code"]) == (503, "witness.no-policy")
