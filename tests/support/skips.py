"""In CI a skipped test fails the run, unless its reason is on the short list in ``tests/README.md``."""

import os
import re
from pathlib import Path

import pytest

_README = Path(__file__).parents[1] / "README.md"
_reasons: dict[str, str] = {}


def allowed_reasons(readme: str) -> list[str]:
    """The reasons in backticks under the heading ``## Allowed skips``; ``…`` stands for anything."""
    section = readme.partition("## Allowed skips")[2].partition("\n## ")[0]
    return re.findall(r"^- `([^`]+)`", section, re.MULTILINE)


def is_allowed(reason: str, allowed: list[str]) -> bool:
    """Whether ``reason`` matches one of the allowed ones."""
    return any(re.fullmatch(".*".join(map(re.escape, each.split("…"))), reason) for each in allowed)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember why a test was skipped."""
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        _reasons[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session for skips that are not allowed; only where ``CI`` is set."""
    if not os.environ.get("CI") or hasattr(session.config, "workerinput"):
        return
    allowed = allowed_reasons(_README.read_text("utf-8"))
    for node, reason in _reasons.items():
        if not is_allowed(reason, allowed):
            print(f"\nskipped, and the reason is not in tests/README.md: {node}: {reason}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
