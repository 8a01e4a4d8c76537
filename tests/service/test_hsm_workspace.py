"""A home whose keys live in an HSM: from ``init`` to a verified bundle, rotation, and without the token."""

import json
from pathlib import Path

import pytest
from pkcs11 import Attribute, ObjectClass

from api import names
from api.workspace import Workspace
from signing import MalformedError, VerificationError
from tests.support.command_line import Ran, ematerials
from tests.support.softhsm import PIN, SoftToken, soft_token
from tests.support.workspace_world import make_keys_cheap

__all__ = ["soft_token"]

EXAMPLES = Path(__file__).parents[2] / "examples"
PDF, FIELDS = EXAMPLES / "business-licence.pdf", EXAMPLES / "business-licence.fields.json"
OPERATOR = "uscc:11310110MB9F000199"
DEPARTMENT = "11310117MB9F000279"


@pytest.fixture
def home(soft_token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with its keys in the token; the PIN is in a file."""
    pin_file = tmp_path / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN + "\n")
    monkeypatch.chdir(tmp_path)
    token = ("--hsm-module", soft_token.module, "--hsm-token", soft_token.label, "--hsm-pin-file", "pin")
    done(ematerials("init", tmp_path / "home", *token))
    make_keys_cheap(tmp_path / "home")
    return tmp_path / "home"


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err + ran.out
    return ran


def in_home(home: Path, *arguments: str | Path) -> Ran:
    return ematerials(*arguments, "-w", home, "--json")


def where(home: Path) -> dict[str, str]:
    return {key["name"]: key["where"] for key in done(in_home(home, "key", "list")).json}


def test_the_whole_way_with_keys_in_the_hsm(home: Path) -> None:
    held = where(home)
    assert {name for name, place in held.items() if place == "file"} == {"home.secret"}
    assert set(held) > {"home.log", "home.list", "home.anchor", "home.governor", f"{OPERATOR}.issue"}
    licence = ("--type", "business-licence", "--fields", FIELDS)
    material = done(in_home(home, "register", PDF, *licence)).json["id"]
    assert done(in_home(home, "anchor")).json["anchored"]["state"] == "proven"
    rotated = done(in_home(home, "key", "rotate", f"{OPERATOR}.issue")).json
    assert where(home)[rotated["name"]] == "hsm"
    bundle, trust = home.parent / "b.json", home.parent / "t.json"
    done(in_home(home, "bundle", material, "-o", bundle))
    done(in_home(home, "trust", "export", "-o", trust))
    report = done(ematerials("verify", bundle, "--trust", trust, "--file", PDF, "--json")).json
    assert report["verdict"] == "valid"
    assert done(in_home(home, "fsck")).json["clean"]


def test_organisations_and_parties_in_the_hsm(home: Path) -> None:
    names_of = ("--name", "样例镇（虚构）", "--region", "310110", "--issues", "enterprise-annual-report")
    done(in_home(home, "org", "add", DEPARTMENT, *names_of, "--hsm"))
    assert where(home)[f"uscc:{DEPARTMENT}.issue"] == "hsm"
    fields = EXAMPLES / "enterprise-annual-report.fields.json"
    report = (EXAMPLES / "enterprise-annual-report.json", "--type", "enterprise-annual-report", "--fields", fields)
    done(in_home(home, "register", *report, "--issuer", DEPARTMENT))
    made = done(in_home(home, "key", "new", "owner", "--algorithm", "ES256", "--hsm")).json
    assert (made["algorithm"], where(home)["party.owner"]) == ("ES256", "hsm")
    assert in_home(home, "key", "new", "owner", "--no-hsm").error_code == "keyfile.exists"
    assert in_home(home, "key", "new", "gm", "--algorithm", "SM2-SM3", "--hsm").error_code == "hsm.algorithm"
    moved = done(in_home(home, "key", "rotate", f"{OPERATOR}.issue", "--no-hsm")).json
    assert where(home)[moved["name"]] == "file"


def test_a_key_of_another_token_is_not_taken_for_ours(home: Path) -> None:
    """The reference says which public key is meant, whatever key the token has under that label."""
    issue, status = (home / "keys" / f"{OPERATOR}.{role}.hsm".replace(":", "_") for role in ("status", "api"))
    kept, other = json.loads(issue.read_bytes()), json.loads(status.read_bytes())
    kept["label"] = other["label"]
    issue.write_bytes((json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n").encode())
    with Workspace.open(home) as workspace, pytest.raises(VerificationError) as refused:
        workspace.keyring.signer(f"{OPERATOR}.status")
    assert refused.value.code == "hsm.key-differs"


def test_without_the_hsm_the_public_side_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = home / "ematerials.toml"
    text = settings.read_text()
    without = text[: text.index("[hsm]")] + text[text.index("[chains.main]") :]
    settings.write_text(without)
    assert where(home)["home.log"] == "hsm"
    done(in_home(home, "trust", "export", "-o", home.parent / "t.json"))
    done(in_home(home, "log", "key"))
    ran = in_home(home, "register", PDF, "--type", "business-licence", "--fields", FIELDS)
    assert (ran.code, ran.error_code) == (69, "hsm.not-configured")
    settings.write_text(text)
    (home.parent / "pin").unlink()
    ran = in_home(home, "register", PDF, "--type", "business-licence", "--fields", FIELDS)
    assert (ran.code, ran.error_code) == (69, "hsm.pin-missing")
    monkeypatch.setenv("EMATERIALS_HSM_PIN", PIN)
    done(in_home(home, "register", PDF, "--type", "business-licence", "--fields", FIELDS))


def test_a_wrong_pin_shows_nowhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMATERIALS_HSM_PIN", "wrong-PIN-8417")
    for options in ([], ["--json"]):
        ran = ematerials("anchor", "-w", home, *options)
        assert ran.code != 0
        assert "hsm.pin" in ran.out + ran.err
        for secret in ("8417", PIN):
            assert secret not in ran.out + ran.err
    monkeypatch.delenv("EMATERIALS_HSM_PIN")
    (home.parent / "pin").chmod(0o640)
    ran = in_home(home, "anchor")
    assert (ran.code, ran.error_code) == (1, "keyfile.permissions")


def test_one_login_that_ends_with_the_workspace(home: Path, soft_token: SoftToken) -> None:
    def private_keys() -> int:
        """What any session of this process can see: private keys show after a login only."""
        with soft_token.raw().open() as session:
            return len(list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})))

    with Workspace.open(home) as workspace:
        assert private_keys() == 0
        workspace.keyring.connect()
        assert private_keys() == len(list((home / "keys").glob("*.hsm")))
        signer = workspace.keyring.signer(names.LOG_KEY)
        signer.public_key.verify(signer.sign(b"note"), b"note")
        with pytest.raises(MalformedError) as refused:
            workspace.keyring.create(names.LOG_KEY, "Ed25519", in_hsm=True)
        assert refused.value.code == "keyfile.exists"
    assert private_keys() == 0


@pytest.mark.parametrize("profile", ["GM", "dual"])
def test_keys_that_no_token_can_hold_are_refused_before_any_is_made(
    soft_token: SoftToken, tmp_path: Path, profile: str
) -> None:
    token = ("--hsm-module", soft_token.module, "--hsm-token", soft_token.label)
    ran = ematerials("init", tmp_path / "home", *token, "--profile", profile, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "hsm.algorithm")
    assert not (tmp_path / "home").exists()
