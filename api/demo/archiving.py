"""Chapter 4: the archivist checks everything, and finds a flipped bit in a copy of the database."""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

from api import clock
from api.checking import fsck
from api.demo.narrator import Narrator
from api.demo.verifying import copy_workspace
from api.wording import chinese
from api.workspace import Workspace


def check_everything(workspace: Workspace, narrator: Narrator) -> None:
    """A clean run."""
    narrator.chapter("四、档案员检查", "4. The archivist checks")
    with narrator.working("从存储的字节重新推算一切", "re-deriving everything from stored bytes"):
        findings = list(fsck(workspace, clock.now()))
    for finding in findings:
        narrator.show(f"✘ {finding.where}", f"{finding.message}   [{finding.code}]")
        narrator.surprise()
    narrator.say("全部一致。" if not findings else "发现问题。", "All is consistent." if not findings else "Findings.")


def find_flipped_bit(workspace: Workspace, narrator: Narrator) -> None:
    """One bit of one entry, in a copy."""
    narrator.say("在副本的数据库中翻转一个比特：", "One bit flipped in a copy of the database:")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        copy_workspace(workspace, copy)
        _flip(copy / "ledger.db")
        with Workspace.open(copy) as damaged:
            first = next(fsck(damaged, clock.now()), None)
    if first is None:
        narrator.surprise()
        return
    narrator.show(f"✘ {first.where}", f"{chinese(first.code)} · {first.message}   [{first.code}]")


def _flip(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        ((entries,),) = connection.execute("SELECT entries FROM log_entries WHERE entry_index = 1").fetchall()
        changed = entries[:-1] + bytes([entries[-1] ^ 1])
        connection.execute("UPDATE log_entries SET entries = ? WHERE entry_index = 1", (changed,))
    connection.close()
