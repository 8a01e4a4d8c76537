"""The application: all commands, and the one place where errors become messages and exit codes."""

import sys

import typer

from api.cli import checks, grants, logs, material, organisations, serving, usage, verifying, workspaces
from api.cli.output import EXIT_USAGE, console, exit_code_of, print_error
from signing import LedgerError

app = typer.Typer(
    name="ematerials",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="电子材料与电子证照：签名、上链、跨部门复用与离线核验。"
    "\n\nElectronic materials and licences: sign, anchor, reuse across departments, verify offline.",
)
for group in (workspaces, organisations, material, verifying, grants, usage, logs, checks, serving):
    group.add_to(app)

EXIT_ABORTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code (``docs/cli.md``)."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(given, standalone_mode=False)
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
    sys.exit(result if isinstance(result, int) else 0)
