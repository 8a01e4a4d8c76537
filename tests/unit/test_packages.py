"""What every package promises of its surface."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import allowed_reasons, is_allowed

ROOT = Path(__file__).parents[2]
LIBRARIES = ("signing", "ledger", "anchors", "materials")


@pytest.mark.parametrize("name", LIBRARIES)
def test_all_is_what_is_imported(name: str) -> None:
    tree = ast.parse((ROOT / name / "__init__.py").read_text("utf-8"))
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(importlib.import_module(name).__all__) == imported


def test_libraries_load_neither_the_service_nor_web3_nor_sql() -> None:
    heavy = ("fastapi", "web3", "sqlalchemy", "eth")
    code = f"import sys, {', '.join(LIBRARIES)}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_files_are_short() -> None:
    files = [path for package in (*LIBRARIES, "api") for path in (ROOT / package).rglob("*.py")]
    lengths = sorted(len(path.read_text("utf-8").splitlines()) for path in files if "migrations" not in path.parts)
    assert lengths[len(lengths) // 2] <= 200
    assert lengths[-1] <= 400


def test_allowed_skips_are_read_from_the_page() -> None:
    page = "x\n## Allowed skips\n\n- `no npm…`: why\n- `other`\n\n## Next\n- `not this`\n"
    assert allowed_reasons(page) == ["no npm…", "other"]
    assert is_allowed("no npm here", ["no npm…"])
    assert not is_allowed("another", ["other"])
