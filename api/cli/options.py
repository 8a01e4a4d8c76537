"""Options that several commands share, and the readers of their values."""

import mimetypes
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from api.cli.output import LATEST_TIME
from api.settings import FILE_NAME
from api.workspace import Workspace
from signing import JsonValue, MalformedError, parse_json

DEFAULT_WORKSPACE: Final = Path("workspace")
_MAX_FIELDS_BYTES: Final = 1 << 20

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        envvar="EMATERIALS_WORKSPACE",
        help="工作区目录（默认：当前目录，否则 ./workspace） · the workspace (default: here, else ./workspace)",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="以 JSON 输出结果 · print the result as JSON")]


def open_workspace(path: Path | None) -> Workspace:
    """The workspace named, or the one here, or ``./workspace``."""
    if path is None:
        path = Path() if Path(FILE_NAME).exists() else DEFAULT_WORKSPACE
    return Workspace.open(path)


def read_at_most(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file, one more than allowed at most: whoever reads them refuses what is too long."""
    with path.open("rb") as stream:
        return stream.read(max_bytes + 1)


def usage_error(message: str) -> typer.BadParameter:
    """A wrong argument: exit code 64."""
    return typer.BadParameter(message)


def check_output(path: Path) -> Path:
    """Return ``path`` if a file can be written there; asked first, so that nothing is done whose result gets lost."""
    place = path if path.exists() and _is_special(path) else path.resolve().parent
    if path.is_dir() or not os.access(place, os.W_OK):
        raise usage_error(f"无法写入 · can't write there: {path}")
    return path


def _is_special(path: Path) -> bool:
    """A link or a device, such as /dev/stdout: written to, never replaced."""
    return path.is_symlink() or (path.exists() and not path.is_file())


def write_output(path: Path, data: bytes) -> None:
    """Write a result whole or not at all: an older file stays as it was until the new one is complete."""
    if _is_special(path):
        path.write_bytes(data)
        return
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


def read_time(text: str) -> int:
    """Unix seconds, or an ISO 8601 date or time (UTC if it names no zone)."""
    try:
        if text.isascii() and text.isdigit() and len(text) <= 12:
            seconds = int(text)
        else:
            moment = datetime.fromisoformat(text)
            seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        if seconds in range(LATEST_TIME):
            return seconds
    except ValueError:
        pass
    raise usage_error("时间须为 Unix 秒或 ISO 8601（1970 至 9999 年） · a time is Unix seconds or ISO 8601")


def read_fields(pairs: list[str], file: Path | None) -> dict[str, JsonValue]:
    """Fields from ``--fields FILE`` (a JSON object) and from ``--field name=value``, which wins.

    Values stay texts; the material type turns integers into numbers. Personal data is better given in a file, since
    a command line can be seen by others on the machine.
    """
    fields: dict[str, JsonValue] = {}
    if file is not None:
        with file.open("rb") as stream:
            data = stream.read(_MAX_FIELDS_BYTES + 1)
        value = parse_json(data, what=file.name, max_bytes=_MAX_FIELDS_BYTES)
        if not isinstance(value, dict):
            raise MalformedError("form.type", f"{file.name}: a JSON object of fields is needed")
        fields.update(value)
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise usage_error("--field 须写作 名称=值 · --field takes name=value")
        fields[name] = text
    return fields


def media_type(path: Path) -> str:
    """The media type that a file's name tells."""
    if path.suffix.lower() == ".ofd":
        return "application/ofd"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
