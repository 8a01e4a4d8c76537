"""``--help`` of every command: Chinese and English beside each other, and nothing cut off on a narrow terminal."""

import re
import unicodedata
from collections.abc import Iterator

import pytest
import typer

from api.cli import app
from tests.support.command_line import ematerials

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ENGLISH = re.compile(r"[A-Za-z]{3}")


def _pages(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from _pages(each, (*path, name))


_PAGES = dict(_pages(typer.main.get_command(app.app)))


def _texts(command: object) -> list[str]:
    """What the page of a command says of the command and its options, and of the commands below it."""
    own = [getattr(command, "help", None), *(getattr(each, "help", None) for each in getattr(command, "params", []))]
    below = [getattr(each, "help", None) for each in getattr(command, "commands", {}).values()]
    return [text for text in (*own, *below) if text and text != "Show this message and exit."]


def _bare(text: str) -> str:
    """Letters and digits only: no blanks, borders or line ends."""
    return "".join(letter for letter in text if unicodedata.category(letter)[0] in "LN")


@pytest.mark.parametrize("path", _PAGES, ids=" ".join)
def test_every_text_is_there_in_both_languages(path: tuple[str, ...]) -> None:
    command = _PAGES[path]
    assert getattr(command, "help", None)
    for text in _texts(command):
        assert _CHINESE.search(text), text
        assert _ENGLISH.search(text), text


@pytest.mark.parametrize("path", [(), ("verify",), ("log",), ("key",), ("chain", "profile")], ids=" ".join)
def test_a_narrow_page_loses_nothing(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = ematerials(*path, "--help")
    assert ran.code == 0
    assert "…" not in ran.out
    if path and path != ("verify",):  # one column of text: it can be read off in one piece
        page = _bare(ran.out)
        assert all(_bare(text) in page for text in _texts(_PAGES[path]))
