"""The application: all commands, and the one place where errors become messages and exit codes."""

import os
import sys

import typer

from api.cli import (
    anchoring,
    checks,
    devchain,
    grants,
    keys,
    logs,
    material,
    organisations,
    parents,
    profiles,
    serving,
    timestamps,
    trust,
    usage,
    verifying,
    witness,
    workspaces,
)
from api.cli.help_tables import fold_help_tables
from api.cli.output import EXIT_UNAVAILABLE, EXIT_USAGE, console, exit_code_of, print_error
from signing import LedgerError, UnavailableError

app = typer.Typer(
    name="ematerials",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="电子材料与电子证照：签名、上链、跨部门复用与离线核验。"
    "\n\nElectronic materials and licences: sign, anchor, reuse across departments, verify offline.",
)
_GROUPS = (
    *(workspaces, trust, organisations, keys, material, anchoring, verifying),
    *(grants, usage, timestamps, logs, witness, parents, checks, devchain, profiles, serving),
)
for group in _GROUPS:
    group.add_to(app)

EXIT_ABORTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code (``docs/cli.md``)."""
    given = sys.argv[1:] if arguments is None else arguments
    fold_help_tables()
    try:
        result = app(given, standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        sys.exit(EXIT_ABORTED)
    except typer.TyperException as error:
        message = error.format_message()
        console(to_stderr=True).print(message, markup=False)
        if not message.lstrip().startswith("Usage"):
            console(to_stderr=True).print("用法见 --help · see --help", markup=False)
        sys.exit(EXIT_USAGE)
    except LedgerError as error:
        print_error(error, as_json="--json" in given)
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        # Nobody reads on, and the interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_UNAVAILABLE)
    except OSError as error:
        named = "" if error.filename is None else f"{error.filename}: "
        unavailable = UnavailableError("file.unavailable", f"{named}{error.strerror}")
        print_error(unavailable, as_json="--json" in given)
        sys.exit(EXIT_UNAVAILABLE)
    sys.exit(result if isinstance(result, int) else 0)
