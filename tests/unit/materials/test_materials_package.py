"""The package's face: what it exports, and what importing it does not pull in."""

import ast
import subprocess
import sys
from pathlib import Path

import materials

_ROOT = Path(materials.__file__).parents[1]


def test_all_is_what_is_imported() -> None:
    tree = ast.parse(Path(materials.__file__).read_text(encoding="utf-8"))
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(materials.__all__)
    assert sorted(materials.__all__) == materials.__all__
    assert all(hasattr(materials, name) for name in materials.__all__)


def test_import_is_light() -> None:
    script = (
        "import sys, materials\n"
        "heavy = {'fastapi', 'web3', 'sqlalchemy', 'httpx', 'api', 'materials.store', 'materials.vault'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
