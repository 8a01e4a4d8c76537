"""``key …``, ``trust history`` and ``trust update``: what they print, write and refuse."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from api import clock
from api.keys.passphrases import PASSPHRASE_VARIABLE
from signing import NoteKey, PublicKey, Secret, generate_signer, parse_json
from signing.forms.key_forms import export_encrypted_key, export_private_key, parse_public_key
from tests.support.command_line import Ran, ematerials
from tests.support.workspace_world import Story

OPERATOR = "uscc:11310110MB9F000199"
ISSUE = f"{OPERATOR}.issue"
CHOSEN = "a-chosen-passphrase-9931"


@pytest.fixture
def home(story: Story, tmp_path: Path) -> Path:
    return story.copy(tmp_path / "home")


def key(home: Path, command: str, *arguments: str | Path) -> Ran:
    """A key id may begin with a hyphen: it comes last, after ``--``."""
    return ematerials("key", command, "-w", home, "--json", *arguments)


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.out + ran.err
    return ran


def listed(home: Path) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in done(key(home, "list")).json}


def test_list_says_where_each_key_is_and_what_it_is_for(home: Path) -> None:
    keys = listed(home)
    assert set(keys) >= {"home.log", "home.list", "home.secret", "home.anchor", "party.owner", ISSUE}
    assert {each["where"] for each in keys.values()} == {"file"}
    (entry,) = keys[ISSUE]["listed"]
    assert (entry["entity"], entry["role"], entry["state"], entry["revoked"]) == (OPERATOR, "issue", "current", None)
    assert [each["role"] for each in keys["home.log"]["listed"]] == ["log"]
    assert [each["role"] for each in keys["home.list"]["listed"]] == ["list"]
    assert keys["home.secret"]["key_id"] is None
    assert str(keys["home.anchor"]["address"]).startswith("0x")
    plain = done(ematerials("key", "list", "-w", home)).out
    assert all(name in plain for name in keys)


def test_rotate_and_revoke_show_in_the_list(home: Path) -> None:
    old = listed(home)[ISSUE]["key_id"]
    rotated = done(key(home, "rotate", ISSUE)).json
    assert rotated["ended"] == [old]
    assert rotated["name"] == f"{ISSUE}.{rotated['key_id']}"
    assert [each["state"] for each in listed(home)[rotated["name"]]["listed"]] == ["current"]
    revoked = done(key(home, "revoke", "--reason", "compromised", "--yes", "--", str(old))).json
    assert (revoked["changed"], revoked["revoked"]["reason"]) == (True, "compromised")
    again = done(key(home, "revoke", "--reason", "compromised", "--yes", "--", str(old))).json
    assert (again["changed"], again["revoked"]) == (False, revoked["revoked"])
    assert [each["state"] for each in listed(home)[ISSUE]["listed"]] == ["compromised"]
    plain = done(ematerials("key", "revoke", "--reason", "compromised", "--yes", "-w", home, "--", str(old)))
    assert "time stamp" in plain.err


def test_revoke_asks_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = ematerials("key", "revoke", ISSUE, "--reason", "compromised", "-w", home)
    assert ran.code == 130
    assert [each["state"] for each in listed(home)[ISSUE]["listed"]] == ["current"]


@pytest.mark.parametrize("name", ["home.log", "home.governor", "home.anchor", "home.secret", "owner", "party.agent"])
def test_keys_that_stay_as_they_are(home: Path, name: str) -> None:
    before = (home / "keys").stat().st_mtime_ns
    for command in (["rotate", name], ["revoke", name, "--reason", "compromised", "--yes"]):
        ran = key(home, *command)
        assert (ran.code, ran.error_code) == (1, "key.fixed")
        assert ": " in ran.json["error"]["message"], "the reason is said"
    assert (home / "keys").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["show", "nobody"], "key.not-held"),
        (["show", "A" * 43], "key.not-held"),
        (["show", "../home.log"], "keyfile.name"),
        (["rotate", "uscc:11330106MB9F000439.issue"], "key.not-held"),
        (["rotate", "uscc:11330106MB9F000439.nothing"], "key.not-held"),
        (["revoke", "A" * 43, "--reason", "compromised", "--yes"], "key.not-held"),
        (["revoke", "uscc:11330106MB9F000439.issue", "--reason", "compromised", "--yes"], "key.unknown"),
        (["revoke", "uscc:x.issue", "--reason", "compromised", "--yes"], "key.unknown"),
        (["revoke", "home.list", "--reason", "compromised", "--yes"], "key.unknown"),
        (["export-public", "home.secret"], "keyfile.kind"),
        (["export-public", "home.anchor"], "keyfile.kind"),
        (["new", "home.more"], "key.fixed"),
        (["new", "uscc:11330106MB9F000439"], "keyfile.name"),
        (["new", "uscc:11330106MB9F000439.list"], "keyfile.name"),
        (["new", "uscc:123.issue"], "form.uscc"),
        (["new", "owner", "--algorithm", "ES256"], "keyfile.algorithm"),
        (["new", "owner", "--hsm"], "keyfile.exists"),
    ],
)
def test_what_is_refused(home: Path, arguments: list[str], error: str) -> None:
    ran = key(home, *arguments)
    assert (ran.code, ran.error_code) == (1, error)


@pytest.mark.parametrize(
    "arguments",
    [
        ["rotate", ISSUE, "--at", "2001-01-01"],
        ["rotate", ISSUE, "--algorithm", "RS256"],
        ["revoke", ISSUE, "--yes"],
        ["revoke", ISSUE, "--reason", "lost", "--yes"],
        ["revoke", ISSUE, "--reason", "compromised", "--at", "9000-01-01", "--yes"],
        ["export-public", ISSUE, "--format", "vkey"],
        ["export-public", ISSUE, "--format", "der"],
        ["import", "mine", "no-such-file"],
    ],
)
def test_wrong_usage_of_key(home: Path, arguments: list[str]) -> None:
    assert ematerials("key", *arguments, "-w", home).code == 64


def test_there_is_no_hsm_to_put_it_in(home: Path) -> None:
    ran = key(home, "new", "other", "--hsm")
    assert (ran.code, ran.error_code) == (69, "hsm.not-configured")


def test_new_keys_of_every_algorithm(home: Path) -> None:
    for algorithm in ("Ed25519", "ES256", "ES384", "SM2-SM3"):
        first, again = (key(home, "new", f"a-{algorithm}", "--algorithm", algorithm) for _ in "12")
        assert (first.json["new"], again.json["new"]) == (True, False)
        assert first.json["algorithm"] == algorithm
        assert first.json["jwk"] == again.json["jwk"]
        assert PublicKey.from_jwk(first.json["jwk"]).key_id == first.json["key_id"]
    department = "uscc:11330106MB9F000439.issue"
    assert done(key(home, "new", department)).json["algorithm"] == "ES256"
    assert "沿用" in done(ematerials("key", "new", "owner", "-w", home)).out


def test_show_tells_all_public_facts(home: Path) -> None:
    shown = done(key(home, "show", "home.log")).json
    log, witness = map(NoteKey.parse, shown["vkeys"])
    assert (log.type, witness.type) == (0x01, 0x04)
    assert log.public_key == witness.public_key == PublicKey.from_jwk(shown["jwk"]).raw
    assert done(ematerials("log", "key", "-w", home)).out.strip() == shown["vkeys"][0]
    by_id = done(key(home, "show", "--", shown["key_id"])).json
    assert by_id == shown
    plain = done(ematerials("key", "show", ISSUE, "-w", home)).out
    assert done(key(home, "show", ISSUE)).json["key_id"] in plain
    account = done(key(home, "show", "home.anchor")).json
    assert (account["jwk"], account["vkeys"], len(account["address"])) == (None, [], 42)
    secret = done(ematerials("key", "show", "home.secret", "-w", home)).out
    assert "secret" in secret


def test_public_keys_in_all_forms(home: Path, tmp_path: Path) -> None:
    jwk = done(key(home, "show", ISSUE)).json["jwk"]
    pem = done(ematerials("key", "export-public", ISSUE, "-w", home)).out
    assert parse_public_key(pem.encode()).to_jwk() == jwk
    printed = done(ematerials("key", "export-public", ISSUE, "--format", "jwk", "-w", home)).out
    assert parse_json(printed.encode(), what="jwk", max_bytes=4096) == jwk
    vkey = done(ematerials("key", "export-public", "home.log", "--format", "vkey", "-w", home)).out
    assert vkey == done(ematerials("log", "key", "-w", home)).out
    out = tmp_path / "public.pem"
    written = done(key(home, "export-public", ISSUE, "--out", out)).json
    assert (written["file"], out.read_text()) == (str(out), pem)
    assert "PRIVATE" not in pem
    if shutil.which("openssl"):
        told = subprocess.run(
            ["openssl", "pkey", "-pubin", "-in", out, "-noout", "-text"], capture_output=True, check=True
        )
        assert b"prime256v1" in told.stdout


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256", "ES384", "SM2-SM3"])
def test_import_in_every_form(home: Path, tmp_path: Path, algorithm: str) -> None:
    signer = generate_signer(algorithm, clock.random_bytes)
    for form in ("pem", "der", "jwk"):
        file = tmp_path / f"key.{form}"
        file.write_bytes(export_private_key(signer, form=form))
        ran = done(key(home, "import", "mine", file))
        assert (ran.json["new"], ran.json["key_id"]) == (form == "pem", signer.public_key.key_id)
    other = tmp_path / "other"
    other.write_bytes(export_private_key(generate_signer("ES256", clock.random_bytes), form="pem"))
    ran = key(home, "import", "mine", other)
    assert (ran.code, ran.error_code) == (1, "keyfile.exists")


def test_import_of_an_encrypted_key(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = generate_signer("ES256", clock.random_bytes)
    file, phrase = tmp_path / "key.pem", tmp_path / "phrase"
    sealed = export_encrypted_key(signer, Secret(CHOSEN.encode()), random_bytes=clock.random_bytes, iterations=10_000)
    file.write_bytes(sealed)
    phrase.touch(mode=0o600)
    phrase.write_text(CHOSEN + "\n")
    ran = key(home, "import", "mine", file)
    assert (ran.code, ran.error_code) == (69, "passphrase.missing")
    phrase.chmod(0o644)
    ran = key(home, "import", "mine", file, "--passphrase-file", phrase)
    assert (ran.code, ran.error_code) == (1, "keyfile.permissions")
    phrase.chmod(0o600)
    phrase.write_text("wrong-" + CHOSEN)
    ran = key(home, "import", "mine", file, "--passphrase-file", phrase)
    assert (ran.code, ran.error_code) == (1, "keyfile.passphrase")
    assert CHOSEN not in ran.out + ran.err
    phrase.write_text(CHOSEN)
    assert (
        done(key(home, "import", "mine", file, "--passphrase-file", phrase)).json["key_id"] == signer.public_key.key_id
    )
    for kept in (home / "keys").iterdir():
        assert CHOSEN.encode() not in kept.read_bytes()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x30\x03\x02\x01\x00", b"{}", b"-----BEGIN PRIVATE KEY-----\n"])
def test_import_of_what_is_no_key(home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    ran = key(home, "import", "mine", tmp_path / "x")
    assert ran.code == 1
    assert not list((home / "keys").glob("party.mine*"))


def test_a_key_brought_along_becomes_an_organisations(home: Path, tmp_path: Path) -> None:
    signer = generate_signer("ES384", clock.random_bytes)
    (tmp_path / "key.pem").write_bytes(export_private_key(signer, form="pem"))
    department = "11310117MB9F000279"
    done(key(home, "import", f"uscc:{department}.issue", tmp_path / "key.pem"))
    names = ("--name", "样例镇（虚构）", "--region", "310110", "--issues", "enterprise-annual-report")
    done(ematerials("org", "add", department, *names, "-w", home, "--json"))
    (entry,) = listed(home)[f"uscc:{department}.issue"]["listed"]
    assert (entry["role"], entry["state"]) == ("issue", "current")


def test_a_verifier_follows_the_list_key(story: Story, home: Path, tmp_path: Path) -> None:
    held, lists, new, bundle = (tmp_path / name for name in ("held", "lists", "new", "bundle"))
    held.write_bytes(story.trust)
    bundle.write_bytes(story.bundles["licence"])
    rotated = done(key(home, "rotate", "home.list")).json
    assert done(ematerials("trust", "history", "-o", lists, "-w", home, "--json")).json["lists"] > 2
    updated = done(ematerials("trust", "update", held, lists, "-o", new, "--json")).json
    assert updated["list_key"] == rotated["key_id"] != updated["list_key_before"]
    exported = tmp_path / "exported"
    assert (
        done(ematerials("trust", "export", "-o", exported, "-w", home, "--json")).json["list_key"] == rotated["key_id"]
    )
    assert new.read_bytes() == exported.read_bytes()
    for trust in (held, new):
        assert ematerials("verify", bundle, "--trust", trust, "--json").json["verdict"] == "valid"
    again = ematerials("trust", "update", new, lists, "-o", tmp_path / "third")
    assert (again.code, (tmp_path / "third").read_bytes()) == (0, new.read_bytes())
    done(ematerials("trust", "history", "--since", "9999", "-o", lists, "-w", home))
    ran = ematerials("trust", "update", held, lists, "-o", tmp_path / "fourth", "--json")
    assert (ran.code, ran.error_code) == (1, "trust.list-key")
    assert not (tmp_path / "fourth").exists()


def test_lists_of_a_stranger_are_not_followed(story: Story, home: Path, tmp_path: Path) -> None:
    """Whoever makes a home of the same name has another list key, and no list of the true one announces it."""
    held, lists, other = tmp_path / "held", tmp_path / "lists", tmp_path / "other"
    held.write_bytes(story.trust)
    assert ematerials("init", other).code == 0
    done(ematerials("trust", "history", "-o", lists, "-w", other))
    text = lists.read_text().splitlines()
    padded = [text[0], *[text[1]] * json.loads(key(home, "list").out).__len__()]
    lists.write_text("\n".join([*padded, ""]))
    ran = ematerials("trust", "update", held, lists, "-o", tmp_path / "new", "--json")
    assert (ran.code, ran.error_code) == (1, "trust.rollback")


def test_no_secret_in_any_output(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passphrase = (home / "keys" / "passphrase").read_text().strip()
    monkeypatch.setenv(PASSPHRASE_VARIABLE, passphrase)
    for command in (["list"], ["show", "home.secret"], ["show", ISSUE], ["new", "owner"], ["rotate", ISSUE]):
        for options in ([], ["--json"]):
            ran = ematerials("key", *command, "-w", home, *options)
            assert passphrase not in ran.out + ran.err
            assert '"d"' not in ran.out
