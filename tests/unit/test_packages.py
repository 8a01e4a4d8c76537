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


def by_kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, each by name."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", LIBRARIES)
def test_all_is_what_is_imported(name: str) -> None:
    package = importlib.import_module(name)
    tree = ast.parse((ROOT / name / "__init__.py").read_text("utf-8"))
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(package.__all__)
    assert sorted(package.__all__, key=by_kind) == package.__all__
    assert all(hasattr(package, each) for each in package.__all__)


def loaded(packages: str, watched: tuple[str, ...]) -> list[str]:
    """Which of ``watched`` a fresh interpreter has loaded after importing ``packages``."""
    code = f"import sys, {packages}; print(*(name for name in {watched} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_libraries_load_no_service_no_chain_client_no_sql_and_no_shell() -> None:
    heavy = ("fastapi", "web3", "sqlalchemy", "httpx", "eth", "api")
    shell = ("signing.keyfile", "materials.store", "materials.vault")
    assert loaded(", ".join(LIBRARIES), heavy + shell) == []


def test_signing_loads_nothing_to_its_right() -> None:
    heavy = ("fastapi", "web3", "sqlalchemy", "pydantic", "httpx", "ledger", "anchors", "materials", "api")
    assert loaded("signing, signing.keyfile", heavy) == []


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
