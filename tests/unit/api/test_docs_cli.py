"""``docs/cli.md`` and the program say the same: every command with exactly its options, every exit code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from api.cli import app, output

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
_SECTION = re.compile(r"^### `ematerials ([a-z -]+)`$", re.MULTILINE)
_OPTION = re.compile(r"`(--?[a-z-]+)`")


def _commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    """Every command that does something, by its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(path), command
        return
    if getattr(command, "invoke_without_command", False):
        yield " ".join(path), command
    for name, each in inner.items():
        yield from _commands(each, (*path, name))


def _documented() -> dict[str, str]:
    parts = _SECTION.split(_PAGE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


_PROGRAM = dict(_commands(typer.main.get_command(app.app)))
_DOCUMENTED = _documented()


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert sorted(_DOCUMENTED) == sorted(_PROGRAM)
    assert len(_SECTION.findall(_PAGE)) == len(_DOCUMENTED)


@pytest.mark.parametrize("command", sorted(_PROGRAM))
def test_options_are_those_of_the_program(command: str) -> None:
    parameters = getattr(_PROGRAM[command], "params", [])
    options = [option for each in parameters if each.param_type_name == "option" for option in each.opts]
    rows = [line.split("|")[1] for line in _DOCUMENTED[command].splitlines() if line.startswith("| `-")]
    described = [option for row in rows for option in _OPTION.findall(row)]
    assert sorted(described) == sorted(options)


@pytest.mark.parametrize("command", sorted(_PROGRAM))
def test_commands_with_arguments_show_how_to_call_them(command: str) -> None:
    parameters = getattr(_PROGRAM[command], "params", [])
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    assert (f"\n    ematerials {command} " in _DOCUMENTED[command]) or not arguments


def test_exit_codes_are_those_of_the_program() -> None:
    table = _PAGE.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    codes = {int(code) for code in re.findall(r"^\| ([0-9]+) \|", table, re.MULTILINE)}
    named = {value for name, value in vars(output).items() if name.startswith("EXIT_")}
    assert codes == named | {app.EXIT_ABORTED}
