"""A database restored to an older state: the chain knows better, nothing is signed, and the exit code says why."""

import shutil
from pathlib import Path

from tests.support.command_line import Ran, ematerials
from tests.support.workspace_world import Story

EXAMPLES = Path(__file__).parents[2] / "examples"
REPORT = EXAMPLES / "enterprise-annual-report"
ISSUER = "uscc:11310110MB9F000199"


def register(home: Path, year: int) -> Ran:
    """Register the annual report of one year."""
    what = (REPORT.with_suffix(".json"), "--type", "enterprise-annual-report", "--issuer", ISSUER)
    fields = ("--fields", REPORT.with_suffix(".fields.json"), "--field", f"report_year={year}")
    return ematerials("register", *what, *fields, "-w", home, "--json")


def restore(backup: Path, home: Path) -> None:
    for file in home.glob("ledger.db*"):
        file.unlink()
    shutil.copy(backup, home / "ledger.db")


def test_a_restored_backup_can_not_fork_the_log(story: Story, tmp_path: Path) -> None:
    home, backup, later = story.copy(tmp_path / "home"), tmp_path / "backup.db", tmp_path / "later.db"
    shutil.copy(home / "ledger.db", backup)
    assert register(home, 2031).code == 0
    assert ematerials("anchor", "-w", home).code == 0
    shutil.copy(home / "ledger.db", later)
    restore(backup, home)
    refused = register(home, 2032)
    assert (refused.code, refused.json["error"]["code"]) == (3, "log.behind-chain")
    assert "only" in refused.json["error"]["message"]
    told = ematerials("anchor", "status", "-w", home, "--json")
    assert (told.code, told.json["chains"][0]["alarms"]) == (4, ["log.behind-chain"])
    restore(later, home)
    assert ematerials("anchor", "status", "-w", home).code == 0
    assert register(home, 2032).code == 0
