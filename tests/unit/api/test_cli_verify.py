"""``ematerials verify``: exit code, report, time of the decision, and whatever else may be given to it."""

import os
import subprocess
from pathlib import Path

import pytest

from materials.report import Facet
from tests.support.command_line import Ran, ematerials
from tests.support.workspace_world import EMATERIALS, Story, run_cli

DAY = 86400
PDF = Path(__file__).parents[3] / "examples" / "business-licence.pdf"


@pytest.fixture
def folder(story: Story, tmp_path: Path) -> Path:
    for name, data in story.bundles.items():
        (tmp_path / f"{name}.json").write_bytes(data)
    (tmp_path / "trust.json").write_bytes(story.trust)
    (tmp_path / "grant.json").write_bytes(story.grant)
    return tmp_path


def verify(folder: Path, name: str, *options: str | Path) -> Ran:
    return ematerials("verify", folder / f"{name}.json", "--trust", folder / "trust.json", *options)


@pytest.mark.parametrize(
    ("name", "code", "verdict"),
    [
        ("licence", 0, "valid"),
        ("used", 0, "valid"),
        ("suspended-and-back", 0, "valid"),
        ("revoked", 1, "invalid"),
        ("unanchored", 2, "undetermined"),
        ("grant", 1, "invalid"),
    ],
)
def test_the_exit_code_is_the_verdict(folder: Path, name: str, code: int, verdict: str) -> None:
    told, machine = verify(folder, name), verify(folder, name, "--json")
    assert (told.code, told.err) == (code, "")
    assert verdict in told.out
    assert (machine.code, machine.err, machine.json["verdict"]) == (code, "", verdict)
    assert list(machine.json["facets"]) == list(Facet)


def test_a_reader_that_is_gone_is_no_verdict(folder: Path) -> None:
    """As in ``ematerials verify … | head -1``; 1 would say "invalid"."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        command = [*EMATERIALS, "verify", folder / "licence.json", "--trust", folder / "trust.json"]
        ran = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False)
    assert (ran.returncode, ran.stderr) == (69, b"")


def test_with_a_file(folder: Path) -> None:
    right, wrong = folder / "right.pdf", folder / "wrong.pdf"
    right.write_bytes(PDF.read_bytes())
    wrong.write_bytes(PDF.read_bytes() + b"\n")
    assert verify(folder, "licence", "--file", right, "--json").json["facets"]["file"]["code"] == "ok"
    ran = verify(folder, "licence", "--file", wrong, "--json")
    assert (ran.code, ran.json["facets"]["file"]["code"]) == (1, "file.digest")
    ran = verify(folder, "used", "--file", right, "--json")  # its digests were not disclosed
    assert (ran.code, ran.json["facets"]["file"]["code"]) == (2, "file.not-disclosed")


def test_with_a_policy_on_witnesses(folder: Path) -> None:
    """None cosigned this checkpoint; who asks for none gets a yes, who asks for one no answer."""
    policy = folder / "policy"
    vkey = "witness.example/w1+e42b2f2c+BDtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    for text, code, word in (
        ("quorum none\n", 0, "ok"),
        (f"witness w {vkey}\nquorum w\n", 2, "witness.quorum"),
        (f"log {vkey.replace('+BD', '+AT')}\nquorum none\n", 1, "note.vkey"),
        ("", 1, "policy.form"),
    ):
        policy.write_text(text)
        ran = verify(folder, "licence", "--witness-policy", policy, "--json")
        assert ran.code == code, text
        assert word == (ran.json["facets"]["witness"]["code"] if "facets" in ran.json else ran.error_code)
    assert verify(folder, "licence", "--json").json["facets"]["witness"]["verdict"] == "not checked"


def test_at_another_time(story: Story, folder: Path) -> None:
    def at(time: str) -> tuple[int, set[str]]:
        ran = verify(folder, "licence", "--at", time, "--json")
        assert ran.err == ""
        fine = ("valid", "not checked")
        return ran.code, {name for name, facet in ran.json["facets"].items() if facet["verdict"] not in fine}

    assert at(str(story.now)) == (0, set())
    assert at(str(story.now - DAY)) == (1, {"validity", "status"})
    assert at("1970-01-01")[0] == 1
    code, facets = at(str(story.now + 8 * DAY))
    assert code == 2
    assert facets >= {"signature", "issuer", "checkpoint", "anchor", "status"}, "by then the trust file is out of date"
    code, _ = at("9999-12-31T23:59:59")
    assert code == 2
    assert verify(folder, "licence", "--at", "9999-12-31").code == 2


@pytest.mark.parametrize(
    "time", ["-5", "yesterday", "9" * 20, "１２", "1e9", "", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_a_time_that_is_none(folder: Path, time: str) -> None:
    ran = verify(folder, "licence", f"--at={time}")
    assert ran.code == 64
    assert ran.err != ""


def test_wrong_files(folder: Path) -> None:
    licence = folder / "licence.json"
    assert ematerials("verify", licence, "--trust", folder / "none.json").code == 64
    assert ematerials("verify", folder / "none.json", "--trust", folder / "trust.json").code == 64
    assert ematerials("verify", folder, "--trust", folder / "trust.json").code == 64
    assert ematerials("verify", licence).code == 64
    for wrong in ("licence", "grant"):
        ran = ematerials("verify", licence, "--trust", folder / f"{wrong}.json", "--json")
        assert (ran.code, ran.error_code) == (1, "form.member")
    (folder / "empty").touch()
    ran = ematerials("verify", licence, "--trust", folder / "empty", "--json")
    assert (ran.code, ran.error_code) == (1, "form.json")
    ran = ematerials("verify", folder / "empty", "--trust", folder / "trust.json", "--json")
    assert (ran.code, ran.json["facets"]["integrity"]["code"]) == (1, "form.json")


def test_a_forged_trust_list(story: Story, folder: Path) -> None:
    forged = story.trust.replace(b'"trust_list":"', b'"trust_list":"x', 1)
    (folder / "forged.json").write_bytes(forged)
    ran = ematerials("verify", folder / "licence.json", "--trust", folder / "forged.json", "--json")
    assert ran.code == 1
    assert "error" in ran.json
    cut = story.trust[:-10] + bytes([story.trust[-10] ^ 1]) + story.trust[-9:]
    (folder / "cut.json").write_bytes(cut)
    assert ematerials("verify", folder / "licence.json", "--trust", folder / "cut.json").code == 1


def test_as_a_process_of_its_own(folder: Path) -> None:
    """Elsewhere, with no workspace, no passphrase and no network."""
    ran = run_cli("verify", folder / "used.json", "--trust", folder / "trust.json", "--json", PATH="", HOME="/nowhere")
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = run_cli("verify", folder / "used.json")
    assert ran.returncode == 64
    assert "Traceback" not in ran.stderr
