"""Runs the command line in this process: what a user would see, without the second it takes to start."""

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli.app import main


@dataclass(frozen=True)
class Ran:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def error_code(self) -> str:
        """The code of the error in ``--json``'s form."""
        error: Mapping[str, str] = self.json["error"]
        assert set(error) == {"code", "message", "message_zh"}
        return error["code"]


def ematerials(*arguments: str | Path) -> Ran:
    """``ematerials ARGUMENTS``; whatever is raised but the exit itself would be a traceback, and fails the test."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())
