"""The package's face: what it exports, and what importing it does not pull in."""

import ast
import subprocess
import sys
from pathlib import Path

import signing
from signing import LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError

_ROOT = Path(signing.__file__).parents[1]


def test_all_is_what_is_imported() -> None:
    tree = ast.parse(Path(signing.__file__).read_text(encoding="utf-8"))
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(signing.__all__)
    assert sorted(signing.__all__) == signing.__all__
    assert all(hasattr(signing, name) for name in signing.__all__)


def test_import_is_light() -> None:
    script = (
        "import sys, signing, signing.keyfile\n"
        "heavy = {'fastapi', 'web3', 'sqlalchemy', 'pydantic', 'httpx', 'ledger', 'anchors', 'materials', 'api'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_of_the_core_leaves_the_shell_out() -> None:
    script = "import sys, signing\nprint('signing.keyfile' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_error_families() -> None:
    error = RefusedError("grant.scope", "out of scope")
    assert (error.code, str(error)) == ("grant.scope", "out of scope")
    assert isinstance(error, VerificationError)
    for family in (MalformedError, VerificationError, UnavailableError):
        assert family.__bases__ == (LedgerError,)
