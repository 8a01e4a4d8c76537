"""Passphrase and PIN: where they come from, in which order, what is refused, and that nothing shows them."""

import os
import pty
import re
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli.app import app
from api.keys.passphrases import PASSPHRASE_VARIABLE, PIN_VARIABLE, ask, check_private, read_passphrase, read_pin
from signing import LedgerError, MalformedError, RefusedError, Secret, UnavailableError
from tests.support.command_line import ematerials
from tests.support.workspace_world import EMATERIALS, Story, run_cli

TYPED = "打字的口令-5521"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_bytes(b" from a file \n")
    return path


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (PASSPHRASE_VARIABLE, f"{PASSPHRASE_VARIABLE}_FILE", PIN_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


def code_of(kind: type[LedgerError], read: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(kind) as raised:
        read(*arguments)
    return raised.value.code, str(raised.value)


def test_the_environment_comes_first_then_its_file_then_the_settings(
    secret_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.touch(mode=0o600)
    other.write_text("named by the environment")
    assert read_passphrase(secret_file) == b"from a file"
    monkeypatch.setenv(f"{PASSPHRASE_VARIABLE}_FILE", str(other))
    assert read_passphrase(secret_file) == b"named by the environment"
    monkeypatch.setenv(PASSPHRASE_VARIABLE, " 环境 ")
    assert read_passphrase(secret_file) == " 环境 ".encode()
    assert isinstance(read_passphrase(secret_file), Secret)


def test_bytes_that_are_no_text(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, os.fsdecode(b"\xff\xfe"))
    assert read_passphrase(secret_file) == b"\xff\xfe"
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    secret_file.write_bytes(b"\xff\x00\xfe\n")
    assert read_passphrase(secret_file) == b"\xff\x00\xfe"


def test_a_file_that_the_environment_names_must_be_there(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PASSPHRASE_VARIABLE}_FILE", str(secret_file.with_name("none")))
    code, message = code_of(UnavailableError, read_passphrase, secret_file)
    assert code == "passphrase.missing"
    assert str(secret_file.with_name("none")) in message


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_no_passphrase(secret_file: Path, content: bytes) -> None:
    secret_file.write_bytes(content)
    assert code_of(UnavailableError, read_passphrase, secret_file)[0] == "passphrase.missing"
    assert code_of(UnavailableError, read_pin, secret_file)[0] == "hsm.pin-missing"


def test_what_is_no_secret_file(secret_file: Path, tmp_path: Path) -> None:
    assert code_of(UnavailableError, read_passphrase, tmp_path)[0] == "passphrase.missing"
    assert code_of(UnavailableError, read_passphrase, tmp_path / "none")[0] == "passphrase.missing"
    assert code_of(UnavailableError, read_pin, None)[0] == "hsm.pin-missing"
    secret_file.write_bytes(b"x" * 5000)
    assert code_of(MalformedError, read_passphrase, secret_file)[0] == "form.size"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_file_that_others_may_read_is_refused_as_ssh_does(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    for read in (read_passphrase, read_pin, check_private):
        code, message = code_of(RefusedError, read, secret_file)
        assert code == "keyfile.permissions"
        assert f"chmod 600 {secret_file}" in message
        assert "from a file" not in message


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_files_of_ones_own_are_taken(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    assert read_pin(secret_file) == b"from a file"


def test_a_pipe_is_nobody_elses_business() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe\n")
    os.close(writing)
    assert read_passphrase(Path(f"/dev/fd/{reading}")) == b"through a pipe"
    os.close(reading)


def test_nobody_is_asked_without_a_terminal() -> None:
    assert ask("never shown: ") is None


def in_terminal(*arguments: str | Path, answers: tuple[str, ...]) -> tuple[int, str]:
    """Run the command at a terminal of its own and type ``answers``; its exit code, and all that it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*EMATERIALS, *map(str, arguments)])
    shown, left = b"", list(answers)
    try:
        while select.select([terminal], [], [], 60)[0]:
            data = os.read(terminal, 4096)
            shown += data
            if left and data.rstrip(b" ").endswith(b":"):
                os.write(terminal, left.pop(0).encode() + b"\n")
    except OSError:  # the terminal is gone: the command has ended
        pass
    else:
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def test_a_terminal_is_asked_and_shows_nothing(story: Story, tmp_path: Path) -> None:
    home = story.copy(tmp_path / "home")
    passphrase = (home / "keys" / "passphrase").read_text().strip()
    (home / "keys" / "passphrase").unlink()
    code, shown = in_terminal("log", "key", "-w", home, answers=(passphrase,))
    assert code == 0
    assert "passphrase" in shown
    assert passphrase not in shown
    code, shown = in_terminal("log", "key", "-w", home, answers=(TYPED,))
    assert (code, TYPED in shown, "keyfile.passphrase" in shown) == (1, False, True)
    code, shown = in_terminal("log", "key", "-w", home, answers=("",))
    assert (code, "passphrase.missing" in shown) == (69, True)
    code, shown = in_terminal("log", "key", "-w", home, answers=("\x03",))
    assert code == 130
    assert "Traceback" not in shown


def test_init_asks_for_a_new_one_only_if_told_to(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, shown = in_terminal("init", home, "--ask-passphrase", answers=(TYPED, "another"))
    assert (code, "passphrase.differs" in shown, home.exists()) == (1, True, False)
    code, shown = in_terminal("init", home, "--ask-passphrase", answers=(TYPED, TYPED))
    assert (code, TYPED in shown) == (0, False)
    assert not (home / "keys" / "passphrase").exists()
    ran = run_cli("key", "list", "-w", home, EMATERIALS_PASSPHRASE=TYPED)
    assert (ran.returncode, ran.stderr) == (0, "")
    code, shown = in_terminal("init", home, "--ask-passphrase", answers=())
    assert (code, "已存在" in shown) == (0, True)


def test_a_wrong_passphrase_shows_nowhere(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = story.copy(tmp_path / "home")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, TYPED)
    for command in (
        ["trust", "export"],
        ["key", "list"],
        ["key", "rotate", "home.list"],
        ["anchor"],
        ["key", "new", "x"],
    ):
        for options in ([], ["--json"]):
            ran = ematerials(*command, "-w", home, *options)
            assert ran.code == 1, command
            assert "keyfile.passphrase" in ran.out + ran.err
            assert TYPED not in ran.out + ran.err
            assert ".key" in ran.out + ran.err, "the file is named"
    assert not (home / "keys" / "party.x.key").exists(), "no key is sealed under a mistyped passphrase"


def test_a_key_file_that_others_may_read_is_refused(story: Story, tmp_path: Path) -> None:
    home = story.copy(tmp_path / "home")
    (home / "keys" / "home.list.key").chmod(0o644)
    ran = ematerials("trust", "export", "-w", home, "--json")
    assert (ran.code, ran.error_code) == (1, "keyfile.permissions")


def _options(command: object) -> Iterator[tuple[str, bool]]:
    """Every option of every command, and whether it is a flag."""
    for inner in getattr(command, "commands", {}).values():
        yield from _options(inner)
    for each in getattr(command, "params", []):
        if each.param_type_name == "option":
            yield from ((name, each.is_flag) for name in each.opts)


def test_no_command_takes_a_secret_as_an_argument() -> None:
    secrets = {option for option in _options(get_command(app)) if re.search("pin|phrase|password|secret", option[0])}
    assert secrets >= {("--hsm-pin-file", False), ("--ask-passphrase", True)}
    assert all(is_flag or name.endswith("-file") for name, is_flag in secrets)
