"""Secrets that open other secrets: the passphrase of the key files, the PIN of the HSM, passphrases of key files.

They come from the environment, else from a file, else from a hidden prompt where there is a terminal. They never come
from the command line, which every user of the machine can read.
"""

import os
import stat
import sys
import warnings
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Final

from signing import MalformedError, RefusedError, Secret, UnavailableError

PASSPHRASE_VARIABLE: Final = "EMATERIALS_PASSPHRASE"
PASSPHRASE_FILE_VARIABLE: Final = "EMATERIALS_PASSPHRASE_FILE"
PIN_VARIABLE: Final = "EMATERIALS_HSM_PIN"
_MAX_BYTES: Final = 4096
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_passphrase(path: Path) -> Secret:
    """The passphrase of the key files: from the environment, else from a file, else asked for.

    The file is the one that the environment names, else ``path``. Raises UnavailableError (``passphrase.missing``),
    RefusedError (``keyfile.permissions``).
    """
    given = from_environment(PASSPHRASE_VARIABLE)
    if given is not None:
        return given
    named = os.environ.get(PASSPHRASE_FILE_VARIABLE)
    file = Path(named) if named else path
    kept = read_secret_file(file, "passphrase.missing")
    if kept is None and not named:
        kept = ask("口令 · passphrase of the key files: ")
    if kept is None:
        message = f"no passphrase: set {PASSPHRASE_VARIABLE}, or make the file {file}, or run this at a terminal"
        raise UnavailableError("passphrase.missing", message)
    return kept


def read_pin(path: Path | None) -> Secret:
    """The PIN of the HSM's user: from the environment, else from the file ``path``, else asked for.

    Raises UnavailableError (``hsm.pin-missing``), RefusedError (``keyfile.permissions``).
    """
    pin = from_environment(PIN_VARIABLE)
    if pin is None and path is not None:
        pin = read_secret_file(path, "hsm.pin-missing")
    elif pin is None:
        pin = ask("HSM 口令 · PIN of the HSM: ")
    if pin is None:
        where = "name a pin_file in the settings, or use a terminal" if path is None else f"make the file {path}"
        raise UnavailableError("hsm.pin-missing", f"no PIN: set {PIN_VARIABLE}, or {where}")
    return pin


def from_environment(variable: str) -> Secret | None:
    """The bytes of an environment variable that is set and not empty."""
    value = os.environb.get(variable.encode())
    return Secret(value) if value else None


def read_secret_file(path: Path, code: str) -> Secret | None:
    """What the file holds, without blanks around it; None if there is none.

    Raises UnavailableError with ``code`` if it can't be read or holds nothing, RefusedError (``keyfile.permissions``),
    MalformedError (``form.size``).
    """
    check_private(path)
    try:
        with path.open("rb") as stream:
            data = Secret(stream.read(_MAX_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(code, f"{path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise MalformedError("form.size", f"{path}: more than {_MAX_BYTES} bytes")
    value = Secret(data.strip())
    if not value:
        raise UnavailableError(code, f"{path}: the file is empty")
    return value


def check_private(path: Path) -> None:
    """Refuse, as ssh does, a secret in a file of ours that others may read: RefusedError (``keyfile.permissions``).

    Only files of this user are judged: who gave us a file of another owner chose its mode. Says nothing of a file that
    is not there.
    """
    try:
        status = path.stat()
    except OSError:
        return
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_mode & _OTHERS:
        message = f"{path}: others may read or change it (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
        raise RefusedError("keyfile.permissions", message)


def ask(question: str) -> Secret | None:
    """What a person types, unseen, in answer to ``question``; None without a terminal, or if nothing is typed."""
    if not sys.stdin.isatty():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            typed = getpass(question)
    except GetPassWarning:
        return None  # a terminal that would show what is typed
    return Secret(typed.encode("utf-8", "surrogateescape")) if typed else None


def ask_twice(question: str) -> Secret:
    """A new secret, typed twice. Raises UnavailableError (``passphrase.missing``), MalformedError (``.differs``)."""
    first = ask(question)
    if first is None:
        raise UnavailableError("passphrase.missing", "no passphrase was typed: a terminal is needed for that")
    if ask("再次输入 · again: ") != first:
        raise MalformedError("passphrase.differs", "the two passphrases differ")
    return first
