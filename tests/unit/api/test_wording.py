"""One word for one thing: the page says what the command line says, and every facet and verdict has its words."""

import re
from pathlib import Path

import pytest

import api.http
from api.wording import FACETS, VERDICTS, chinese
from materials.report import Facet, Verdict

PAGE = (Path(api.http.__file__).parent / "pages" / "verify.js").read_text("utf-8")


def test_every_facet_and_verdict_has_words() -> None:
    assert set(FACETS) == set(Facet)
    assert set(VERDICTS) == set(Verdict)


@pytest.mark.parametrize("words", [FACETS, VERDICTS])
def test_the_page_has_the_same_words(words: dict[str, tuple[str, str]]) -> None:
    on_page = dict(re.findall(r'"?\b([a-z][a-z ]*)"?: "([^"]+)"', PAGE))
    assert {name: on_page[name] for name in words} == {name: word for name, (word, _) in words.items()}


def test_an_unknown_code_falls_back_to_its_family() -> None:
    assert chinese("signature.something-new") == chinese("signature.anything")
    assert chinese("nothing-known") == "未能完成"
