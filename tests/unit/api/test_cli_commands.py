"""Every other command: what it answers to wrong input, the second time, and when something it needs is away."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Ran, ematerials
from tests.support.workspace_world import EMATERIALS, Story, run_cli

EXAMPLES = Path(__file__).parents[3] / "examples"
PDF, FIELDS = EXAMPLES / "business-licence.pdf", EXAMPLES / "business-licence.fields.json"
REPORT = EXAMPLES / "enterprise-annual-report.json"
NO_SUCH = "em-" + "a" * 26
OTHER_PROVINCE = "11330106MB9F000439"


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Path:
    return story.copy(tmp_path / "home")


def licence(home: Path, *options: str | Path) -> Ran:
    return ematerials("register", PDF, "--type", "business-licence", "--fields", FIELDS, "-w", home, "--json", *options)


def report(home: Path, year: int, *options: str | Path) -> Ran:
    fields = EXAMPLES / "enterprise-annual-report.fields.json"
    kind = ("--type", "enterprise-annual-report", "--fields", fields, "--field", f"report_year={year}")
    return ematerials("register", REPORT, *kind, "-w", home, "--json", *options)


def test_registering_again_gives_the_same_answer(story: Story, home: Path) -> None:
    again = licence(home)
    assert (again.code, again.json["id"], again.json["new"]) == (0, story.materials["business-licence"], False)
    first, second = report(home, 2001), report(home, 2001)
    assert (first.json["new"], second.json["new"]) == (True, False)
    assert first.json["id"] == second.json["id"]
    plain = ematerials("register", PDF, "--type", "business-licence", "--fields", FIELDS, "-w", home)
    assert plain.out == again.json["id"] + "\n"  # for scripts: the id and nothing else


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--type", "passport"], 1, "form.unknown-type"),
        (["--field", "holder_code=91310110MA9F000319"], 1, "form.check-character"),
        (["--field", "no_such_field=x"], 1, "form.unknown-field"),
        (["--field", "registered_capital_fen=" + "9" * 17], 1, "form.range"),
        (["--field", "registered_capital_fen=" + "9" * 5000], 1, "form."),
        (["--field", "registered_capital_fen=²"], 1, "form.type"),
        (["--field", "holder_name=\u202eevil"], 1, "form.text"),
        (["--field", "holder_name=\udcff"], 1, "form."),
        (["--field", "holder_name=" + "x" * 100_000], 1, "form."),
        (["--issuer", OTHER_PROVINCE], 1, "registration.no-key"),
        (["--issuer", "../../keys/home"], 1, "form."),
        (["--supersedes", "x"], 1, "form.id"),
        (["--supersedes", NO_SUCH], 1, "registration.supersedes"),
    ],
)
def test_registering_what_is_wrong(home: Path, options: list[str], code: int, error: str) -> None:
    ran = licence(home, *options)
    assert ran.code == code
    assert ran.error_code.startswith(error)
    assert ran.err == ""


def test_registering_with_a_field_missing_or_a_time_in_the_past(home: Path) -> None:
    ran = ematerials("register", PDF, "--type", "business-licence", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (1, "form.missing-field")
    ran = report(home, 2002, "--valid-to", "2002-01-01")
    assert (ran.code, ran.error_code) == (1, "time.order")
    ran = report(home, 2002, "--legal-basis", "张三的依据")
    assert (ran.code, ran.error_code) == (1, "form.code")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["register"],
        ["register", "no-such-file", "--type", "business-licence"],
        ["register", PDF],
        ["register", PDF, "--type", "business-licence", "--field", "name"],
        ["register", PDF, "--type", "business-licence", "--field", "=value"],
        ["register", PDF, "--type", "business-licence", "--version", "0"],
        ["register", PDF, "--type", "business-licence", "--valid-to", "soon"],
        ["revoke", NO_SUCH],
        ["revoke", NO_SUCH, "--reason", "x", "--code", "burnt"],
        ["bundle", NO_SUCH],
        ["init"],
        ["init", "x", "--level", "moon"],
        ["grant"],
        ["grant", "open", NO_SUCH],
        ["grant", "show", "no-such-file"],
        ["org", "add", OTHER_PROVINCE, "--name", "x", "--region", "330106", "--purpose", "only-a-code"],
        ["serve", "--port", "65536"],
        ["fsck", "--no-such-option"],
    ],
)
def test_wrong_usage(home: Path, arguments: list[str | Path]) -> None:
    takes_workspace = arguments[:1] in (["register"], ["org"])
    ran = ematerials(*arguments, *(["-w", home] if takes_workspace else []))
    assert ran.code == 64
    assert "Usage" in ran.err + ran.out or "用法" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["anchor"],
        ["fsck"],
        ["bundle", NO_SUCH, "-o", "x"],
        ["trust", "export"],
        ["org", "list"],
        ["log", "key"],
        ["usage", NO_SUCH],
        ["key", "new", "x"],
    ],
)
def test_where_there_is_no_workspace(tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = ematerials(*arguments, "-w", tmp_path / "none")
    assert (ran.code, ran.out) == (64, "")
    assert "workspace.missing" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["revoke", "x", "--reason", "issued-in-error"], "form.id"),
        (["revoke", NO_SUCH, "--reason", "issued-in-error"], "material.unknown"),
        (["usage", "x"], "form.id"),
        (["usage", NO_SUCH], "material.unknown"),
        (["org", "add", "123", "--name", "x", "--region", "330106"], "form.uscc"),
        (["org", "add", OTHER_PROVINCE, "--name", "x", "--region", "33"], "form.region"),
        (["org", "add", OTHER_PROVINCE, "--name", "x", "--region", "330106", "--issues", "x"], "form.unknown-type"),
        (["key", "new", "../owner"], "keyfile.name"),
        (["key", "new", ""], "keyfile.name"),
        (["key", "new", "x" * 300], "keyfile.name"),
        (["key", "new", "a b"], "keyfile.name"),
        (["grant", "show", PDF], "form."),
        (["grant", "show", FIELDS], "form."),
    ],
)
def test_wrong_input(home: Path, arguments: list[str | Path], error: str) -> None:
    where: list[str | Path] = [] if arguments[1] == "show" else ["-w", home]
    before = sorted(path.name for path in (home / "keys").iterdir())
    ran = ematerials(*arguments, *where, "--json")
    assert ran.code == 1
    assert ran.error_code.startswith(error)
    assert sorted(path.name for path in (home / "keys").iterdir()) == before


def test_revoking_and_revoking_again(story: Story, home: Path) -> None:
    material = report(home, 2003).json["id"]
    first, again = (ematerials("revoke", material, "--reason", "issued-in-error", "-w", home, "--json") for _ in "12")
    assert (first.code, again.code) == (0, 0)
    assert first.json == again.json
    ran = ematerials("revoke", material, "--reason", "x", "--code", "reinstated", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (1, "status.final")
    other = report(home, 2006).json["id"]
    free_text = ematerials("revoke", other, "--reason", "张三办理", "-w", home, "--json")
    assert (free_text.code, free_text.error_code) == (1, "form.code")


def test_grants_and_refusals(story: Story, home: Path) -> None:
    grant, out = home.parent / "grant.json", home.parent / "used.json"
    grant.write_bytes(story.grant)
    asking = ["retrieve", story.materials["business-licence"], "--grant", grant, "-o", out, "-w", home, "--json"]
    key = ["--idempotency-key", "k" * 20]
    first, again = ematerials(*asking, *key), ematerials(*asking, *key)
    assert (first.json["replayed"], again.json["replayed"]) == (False, True)
    assert first.json["usage"] == again.json["usage"]
    for option, code in (("--field", "grant.claims"), ("--case", "grant.purpose"), ("--purpose", "grant.purpose")):
        ran = ematerials(*asking, option, "business_scope" if option == "--field" else "other")
        assert (ran.code, ran.error_code) == (1, code)
        assert "link" in ran.json["error"]["message"]
    shown = ematerials("usage", story.materials["business-licence"], "-w", home, "--json")
    assert [use["result"]["outcome"] for use in shown.json][-4:] == ["released", "refused", "refused", "refused"]
    assert ematerials("grant", "withdraw", grant, "--link", "7", "-w", home).code == 64
    first, again = (ematerials("grant", "withdraw", grant, "--link", "1", "-w", home, "--json") for _ in "12")
    assert first.json == again.json
    ran = ematerials(*asking)
    assert (ran.code, ran.error_code) == (1, "grant.revoked")


def test_with_the_chain_away(story: Story, home: Path) -> None:
    (home / "chain.db").rename(home.parent / "chain.db")
    material = report(home, 2004)
    assert material.code == 0
    ran = ematerials("anchor", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (69, "chain.unreachable")
    assert not (home / "chain.db").exists(), "no other chain is begun in its place"
    bundle, trust = home.parent / "b.json", home.parent / "t.json"
    assert ematerials("bundle", material.json["id"], "-o", bundle, "-w", home).code == 0
    trust.write_bytes(story.trust)
    ran = ematerials("verify", bundle, "--trust", trust, "--json")
    assert (ran.code, ran.json["facets"]["anchor"]["verdict"]) == (2, "undetermined")
    ran = ematerials("fsck", "-w", home, "--json")
    assert (ran.code, ran.json["findings"][0]["code"]) == (2, "chain.unreachable")
    (home.parent / "chain.db").rename(home / "chain.db")
    assert ematerials("anchor", "-w", home, "--json").json["anchored"]["state"] == "proven"
    assert ematerials("anchor", "-w", home, "--json").json["anchored"] is None
    assert ematerials("fsck", "-w", home).code == 0


def test_wrong_and_missing_passphrase(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMATERIALS_PASSPHRASE", "another")
    ran = ematerials("trust", "export", "-w", home)
    assert (ran.code, ran.out) == (1, "")
    assert "keyfile.passphrase" in ran.err
    monkeypatch.delenv("EMATERIALS_PASSPHRASE")
    (home / "keys" / "passphrase").write_text("\n")
    assert "passphrase.missing" in ematerials("log", "key", "-w", home).err
    (home / "keys" / "passphrase").unlink()
    ran = ematerials("fsck", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (69, "passphrase.missing")


def test_what_could_not_be_checked_is_not_called_wrong(home: Path) -> None:
    for path in home.glob("chain.db*"):
        path.unlink()
    ran = ematerials("fsck", "-w", home)
    assert ran.code == 2
    assert "? 区块链暂时无法访问" in ran.out
    assert "✘" not in ran.out


@pytest.mark.parametrize("text", ["no_such_key = 1\n", "[chain]\nkind = 'paper'\n", "{{{", "\udcff", ""])
def test_settings_that_are_none(home: Path, text: str) -> None:
    settings = home / "ematerials.toml"
    kept = settings.read_bytes() if text.startswith("no_such") else b""
    settings.write_bytes(text.encode("utf-8", "surrogateescape") + kept)
    ran = ematerials("fsck", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (1, "settings.form")


@pytest.mark.parametrize("content", [b"garbage", b"", b"SQLite format 3\0" + bytes(5000)])
def test_a_database_that_is_none(home: Path, content: bytes) -> None:
    for path in home.glob("ledger.db*"):
        path.unlink()
    (home / "ledger.db").write_bytes(content)
    for command in (["trust", "export"], ["anchor"], ["usage", NO_SUCH]):
        ran = ematerials(*command, "-w", home)
        assert (ran.code, ran.out) == (69, "")
        assert "database." in ran.err
    ran = ematerials("fsck", "-w", home, "--json")
    assert ran.code == 1
    assert ran.json["findings"]


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--origin", "two words"], 1, "settings.form"),
        (["--operator", "123"], 1, "form.uscc"),
        (["--region", "99"], 1, "form.region"),
        (["--database", "foo://bar"], 1, "form.database-url"),
        (["--database", "postgresql://127.0.0.1:1/x"], 69, "database.unavailable"),
        (["--rpc", "http://127.0.0.1:1"], 69, "chain.unreachable"),
    ],
)
def test_a_workspace_that_cannot_be_made(tmp_path: Path, options: list[str], code: int, error: str) -> None:
    folder = tmp_path / "home"
    ran = ematerials("init", folder, *options, "--json")
    assert (ran.code, ran.error_code) == (code, error)
    assert not (folder / "ematerials.toml").exists()


def test_a_workspace_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        ran = ematerials("init", place, "--json")
        assert (ran.code, ran.error_code) == (69, "file.unavailable")


def test_two_make_the_same_workspace_at_once(tmp_path: Path) -> None:
    command = [*EMATERIALS, "init", str(tmp_path / "home"), "--json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "12"]
    answers = [process.communicate(timeout=120) for process in both]
    assert [(process.returncode, err) for process, (_, err) in zip(both, answers, strict=True)] == [(0, b""), (0, b"")]
    assert sorted(json.loads(out)["created"] for out, _ in answers) == [False, True]
    assert ematerials("fsck", "-w", tmp_path / "home").code == 0


def test_a_workspace_whose_making_was_killed(tmp_path: Path) -> None:
    """Killed at several moments, and finished by the run after."""
    folder = tmp_path / "home"
    for seconds in (1.2, 1.7, 2.2):
        process = subprocess.Popen([*EMATERIALS, "init", str(folder)], stdout=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    ran = ematerials("init", folder, "--json")
    assert ran.code == 0
    assert ematerials("fsck", "-w", folder).code == 0
    assert report(folder, 2005).code == 0


def test_nobody_reads_the_output(story: Story, home: Path) -> None:
    """As in ``ematerials … | head -1``."""
    pipe = f"{shutil.which('head')} -c 1"
    script = f'{sys.executable} -c "from api.cli.app import main; main()" org list --json -w {home} | {pipe}'
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stdout, ran.stderr) == ("[", "")


def test_a_refusal_as_a_process_of_its_own(home: Path) -> None:
    ran = run_cli("bundle", NO_SUCH, "-o", home.parent / "b.json", "-w", home)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "[material.unknown]" in ran.stderr
    assert "Traceback" not in ran.stderr
