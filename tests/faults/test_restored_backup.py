"""An older backup is put back while the chain holds more: nothing is said to be anchored until that is mended."""

import sqlite3
from pathlib import Path

import pytest

from api import names
from api.anchoring import anchor
from api.workspace import Workspace
from signing import VerificationError
from tests.support.workspace_world import Story


def test_anchoring_says_that_the_chain_holds_more(story: Story, tmp_path: Path) -> None:
    home = story.copy(tmp_path / "home")
    with Workspace.open(home) as workspace:
        anchor(workspace)
        assert anchor(workspace) is None  # all is anchored
    copy(home / "ledger.db", tmp_path / "backup.db")
    with Workspace.open(home) as workspace:
        with workspace.database.write() as connection:
            signer = workspace.keyring.signer(names.LOG_KEY)
            workspace.log(connection).append([b"lost later"], signer=signer, known_head=None)
        assert anchor(workspace) is not None
    for old in home.glob("ledger.db*"):
        old.unlink()
    copy(tmp_path / "backup.db", home / "ledger.db")
    with Workspace.open(home) as workspace, pytest.raises(VerificationError) as refused:
        anchor(workspace)
    assert refused.value.code == "log.behind-chain"


def copy(source: Path, target: Path) -> None:
    """With what is still in the write-ahead log."""
    old, new = sqlite3.connect(source), sqlite3.connect(target)
    old.backup(new)
    old.close()
    new.close()
