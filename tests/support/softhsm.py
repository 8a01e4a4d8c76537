"""A real PKCS#11 token for one test: SoftHSM2, with a folder and a configuration of its own.

Take the fixture by ``from tests.support.softhsm import soft_token``. ``install_softhsm.sh`` puts SoftHSM2 on a machine.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import TokenFlag

from signing import Secret
from signing.hsm import HsmToken, open_token

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",  # Debian, Ubuntu
    "/usr/lib64/pkcs11/libsofthsm2.so",  # Fedora, RHEL
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",  # Arch
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",  # macOS
)
PIN = "PIN-of-7391-tests"
_FLAGS_MARK = bytes.fromhex("000000008000534b0000000000000002")  # CKA_OS_TOKENFLAGS, of type CK_ULONG
_numbers = count(1)


@dataclass(frozen=True)
class SoftToken:
    """A token. ``folder`` is where SoftHSM2 keeps all tokens of this test."""

    module: Path
    label: str
    pin: Secret
    folder: Path

    def open(self, pin: str = PIN) -> HsmToken:
        """The token as the service opens it."""
        return open_token(self.module, self.label, Secret(pin.encode()))

    def elsewhere(self, activity: str, *arguments: str, pin: str = PIN) -> list[str]:
        """What another process prints that opens the token and does something with it (``hsm_worker``)."""
        command = [sys.executable, "-m", "tests.support.hsm_worker", str(self.module), self.label, activity, *arguments]
        done = subprocess.run(command, input=pin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def initialise(self) -> None:
        """Make the token, with no key in it."""
        names = ("--label", self.label, "--pin", PIN, "--so-pin", f"SO-{PIN}")
        subprocess.run(["softhsm2-util", "--init-token", "--free", *names], check=True, capture_output=True)
        self.forget()

    def beside(self) -> "SoftToken":
        """Another token of the same module, initialised."""
        other = replace(self, label=_new_label())
        other.initialise()
        return other

    def raw(self) -> Any:
        """The token as python-pkcs11 has it, read anew."""
        return self._library().get_token(token_label=self.label)

    def flags(self) -> TokenFlag:
        """What the token says of its PIN."""
        return self.raw().flags

    def place(self) -> Path:
        """The folder of this token alone."""
        label = self.label.ljust(32).encode()
        return next(path.parent for path in self.folder.glob("*/token.object") if label in path.read_bytes())

    def set_flag(self, flag: TokenFlag) -> None:
        """Write a flag into the token's file, as SoftHSM2 has no count of attempts; seen after ``finalise``."""
        path = self.place() / "token.object"
        data = path.read_bytes()
        at = data.index(_FLAGS_MARK) + len(_FLAGS_MARK)
        path.write_bytes(data[:at] + (int.from_bytes(data[at : at + 8]) | flag).to_bytes(8) + data[at + 8 :])

    def close_all_sessions(self) -> None:
        """End the sessions of this process behind the back of whoever holds them (C_CloseAllSessions)."""
        assert ctypes.CDLL(str(self.module)).C_CloseAllSessions(ctypes.c_ulong(self.raw().slot.slot_id)) == 0

    def finalise(self) -> None:
        """End the whole library, as another part of the process may (C_Finalize)."""
        assert ctypes.CDLL(str(self.module)).C_Finalize(None) == 0

    def forget(self) -> None:
        """End the library by way of python-pkcs11, so that the next use reads configuration and tokens anew."""
        self._library().finalize()

    def _library(self) -> Any:
        return pkcs11.lib(os.path.realpath(self.module))


def _new_label() -> str:
    return f"token-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def soft_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftToken]:
    """A fresh token, in a folder of its own; skips where SoftHSM2 is not installed."""
    module = next((Path(path) for path in MODULES if Path(path).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed: run tests/support/install_softhsm.sh as root")
    folder = tmp_path / "softhsm"
    folder.mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    token = SoftToken(module, _new_label(), Secret(PIN.encode()), folder)
    token.initialise()
    yield token
    token.forget()
