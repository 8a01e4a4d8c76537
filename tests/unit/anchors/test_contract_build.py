"""The shipped artifact is what the pinned compiler makes of the source."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import anchors.contract

FOLDER = Path(anchors.contract.__file__).parent
SECONDS = 120


def test_rebuilding_gives_the_same_bytes(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "solc").is_dir():
        pytest.skip("the contract can't be compiled here: install node, then run 'npm ci' in anchors/contract")
    rebuilt = tmp_path / "rebuilt.json"
    subprocess.run([node, "build.mjs", str(rebuilt)], cwd=FOLDER, timeout=SECONDS, check=True)
    assert rebuilt.read_bytes() == (FOLDER / "CheckpointAnchor.json").read_bytes()


def test_the_compiler_is_pinned_and_the_lock_names_no_host() -> None:
    package = json.loads((FOLDER / "package.json").read_text())
    lock = (FOLDER / "package-lock.json").read_text()
    assert package["devDependencies"]["solc"] == "0.8.30"
    assert json.loads(lock)["packages"]["node_modules/solc"]["version"] == "0.8.30"
    assert '"resolved"' not in lock
