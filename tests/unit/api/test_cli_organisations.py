"""``org add``: which keys an organisation gets, its own keys in every form, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from api import clock
from api.cli.output import EXIT_INVALID, EXIT_UNAVAILABLE, EXIT_USAGE
from signing import ALGORITHM_NAMES, Algorithm, export_private_key, export_public_key, generate_signer
from tests.support.command_line import Ran, ematerials
from tests.support.grants_world import _uscc as uscc
from tests.support.workspace_world import Story, make_keys_cheap

ISSUING = ("--issues", "business-licence")


@pytest.fixture(scope="module")
def home(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return story.copy(tmp_path_factory.mktemp("organisations") / "home")


def add(home: Path, number: int, *options: str | Path) -> Ran:
    names = ("--name", "样例机构（虚构）", "--region", "310110")
    ran = ematerials("org", "add", uscc(f"11310110MB9F000{number}"), *names, *options, "-w", home, "--json")
    make_keys_cheap(home)
    return ran


def keys(ran: Ran) -> list[tuple[str, str]]:
    assert ran.code == 0, ran.out
    return sorted((key["role"], key["algorithm"]) for key in ran.json["keys"])


def others(algorithm: str) -> list[tuple[str, str]]:
    return [("api", algorithm), ("grant", algorithm), ("status", algorithm)]


@pytest.mark.parametrize(
    ("number", "options", "issuing", "other"),
    [
        (10, (), ["ES256"], "Ed25519"),
        (11, ("--profile", "INTL"), ["ES256"], "Ed25519"),
        (12, ("--profile", "GM"), ["SM2-SM3"], "SM2-SM3"),
        (13, ("--profile", "dual"), ["ES256", "SM2-SM3"], "Ed25519"),
        (14, ("--algorithm", "issue=ES384"), ["ES384"], "Ed25519"),
        (15, ("--algorithm", "issue=SM2-SM3", "--algorithm", "issue=ES384"), ["ES384", "SM2-SM3"], "Ed25519"),
    ],
)
def test_keys_of_each_profile(
    home: Path, number: int, options: tuple[str, ...], issuing: list[str], other: str
) -> None:
    made = add(home, number, *ISSUING, *options)
    assert keys(made) == sorted([*(("issue", algorithm) for algorithm in issuing), *others(other)])
    again = add(home, number, *ISSUING, *options)
    assert again.json == made.json
    assert add(home, number, *ISSUING).json == made.json, "without a profile it stays as it is"


def test_one_that_issues_nothing_has_two_keys(home: Path) -> None:
    assert keys(add(home, 20, "--profile", "GM")) == [("api", "SM2-SM3"), ("grant", "SM2-SM3")]


@pytest.mark.parametrize("algorithm", ALGORITHM_NAMES)
@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_an_own_key_in_every_form(home: Path, tmp_path: Path, algorithm: Algorithm, form: Any) -> None:
    signer = generate_signer(algorithm, clock.random_bytes)
    file = tmp_path / "key"
    file.write_bytes(export_public_key(signer.public_key, form=form))
    ran = add(home, 21, *ISSUING, "--own-key", f"issue={file}")
    listed = {key["id"]: key for key in ran.json["keys"]}[signer.public_key.key_id]
    assert listed == {"role": "issue", "id": signer.public_key.key_id, "algorithm": algorithm, "certificate": False}


def test_a_private_key_is_not_taken_and_not_shown(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "private.pem"
    file.write_bytes(export_private_key(generate_signer("ES256", clock.random_bytes), form="pem"))
    for option in ("--own-key", "--certificate"):
        ran = add(home, 22, *ISSUING, option, f"issue={file}")
        assert ran.code == EXIT_INVALID
        assert ran.error_code in ("key.kind", "certificate.private-key")
        assert file.read_text().splitlines()[1] not in ran.out + ran.err


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--algorithm", "api=ES256", "--algorithm", "api=SM2-SM3"), EXIT_INVALID, "key.algorithms"),
        (("--algorithm", "issue=ES256", "--algorithm", "issue=ES384"), EXIT_INVALID, "key.algorithms"),
        (("--hsm",), EXIT_UNAVAILABLE, "hsm.not-configured"),
    ],
)
def test_what_is_refused(home: Path, options: tuple[str, ...], code: int, error: str) -> None:
    before = sorted(home.glob("keys/*"))
    ran = add(home, 23, *ISSUING, *options)
    assert (ran.code, ran.error_code) == (code, error)
    assert sorted(home.glob("keys/*")) == before


@pytest.mark.parametrize(
    "options",
    [
        ("--profile", "ROT13"),
        ("--algorithm", "issue=RS256"),
        ("--algorithm", "ES256"),
        ("--algorithm", "list=ES256"),
        ("--own-key", "issue"),
        ("--own-key", "issue=no-such-file"),
        ("--certificate", "issue=no-such-file"),
        ("--crl", "no-such-file"),
    ],
)
def test_wrong_usage_of_key_options(home: Path, options: tuple[str, ...]) -> None:
    assert add(home, 24, *ISSUING, *options).code == EXIT_USAGE


def test_another_algorithm_is_no_silent_change(home: Path) -> None:
    before = add(home, 25, *ISSUING)
    ran = add(home, 25, *ISSUING, "--profile", "GM")
    assert (ran.code, ran.error_code) == (EXIT_INVALID, "key.other-algorithm")
    assert add(home, 25, *ISSUING).json == before.json
