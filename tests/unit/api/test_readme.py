"""The READMEs: their example runs as it stands and is the same in both languages. Links of all pages lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_READMES = ("README.md", "README.zh-CN.md")
_BLOCK = re.compile(r"<!-- ten lines -->\n```python\n(.*?)```\n<!-- /ten lines -->", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PAGES = sorted(str(page.relative_to(_ROOT)) for page in (*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")))


def _example(name: str) -> str:
    blocks = _BLOCK.findall((_ROOT / name).read_text(encoding="utf-8"))
    assert len(blocks) == 1, f"{name}: exactly one example between the markers"
    return blocks[0]


def _headings(page: Path) -> set[str]:
    """The names by which headings are linked to: lower case, blanks as hyphens, no punctuation."""
    texts = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def test_the_example_is_the_same_in_both_languages() -> None:
    english, chinese = map(_example, _READMES)
    assert english == chinese


def test_the_example_runs_in_an_empty_folder(tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(_example("README.md"), encoding="utf-8")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    facets = dict(re.findall(r"'(\w+)': '([\w ]+)'", done.stdout))
    assert done.stdout.startswith("valid ")
    assert {"integrity", "signature", "issuer", "inclusion", "checkpoint", "anchor", "validity", "status"} == {
        facet for facet, verdict in facets.items() if verdict == "valid"
    }
    assert {facet for facet, verdict in facets.items() if verdict == "not checked"} == {
        "witness",
        "timestamp",
        "grant",
        "file",
    }


@pytest.mark.parametrize("name", _PAGES)
def test_links_of_every_page_lead_somewhere(name: str) -> None:
    page = _ROOT / name
    dead = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in _headings(target)):
            dead.append(link)
    assert dead == []
