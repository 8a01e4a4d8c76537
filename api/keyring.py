"""The keys that this workspace holds: one encrypted file each, opened when first needed.

Names say owner and role, as in ``uscc:11310110MB9F000199.issue``; ``home.*`` are the service's own secrets.
"""

import hmac
import os
import re
from pathlib import Path
from typing import Final, Literal

from api import clock
from signing import Algorithm, MalformedError, Secret, Signer, UnavailableError, generate_signer
from signing.keyfile import open_secret, read_key_file, seal_secret, signer_of, write_key_file

PASSPHRASE_VARIABLE: Final = "EMATERIALS_PASSPHRASE"
_NAME: Final = re.compile(r"\w[\w.:-]{0,68}\w")  # with owner and role
KeyKind = Algorithm | Literal["secp256k1", "secret"]


class Keyring:
    """Key files of one folder under one passphrase. Safe for use by several threads: files are only ever added."""

    def __init__(self, folder: Path, passphrase: Secret) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._open: dict[str, tuple[str, Secret]] = {}

    def __contains__(self, name: str) -> bool:
        return self._path(name).exists()

    def names(self) -> list[str]:
        """The names of all keys held, sorted."""
        return sorted(path.name.removesuffix(".key").replace("_", ":", 1) for path in self._folder.glob("*.key"))

    def create(self, name: str, kind: KeyKind) -> None:
        """Make a new key or 32-byte secret under ``name``; raises MalformedError (``keyfile.exists``)."""
        if kind == "secp256k1" or kind == "secret":
            secret = Secret(clock.random_bytes(32))
        else:
            secret = generate_signer(kind, clock.random_bytes).secret_bytes()
        self.store(name, kind, secret)

    def store(self, name: str, kind: KeyKind, secret: Secret) -> None:
        """Keep a secret that was made elsewhere."""
        data = seal_secret(secret, self._passphrase, kind=kind, random_bytes=clock.random_bytes)
        write_key_file(self._path(name), data)

    def signer(self, name: str) -> Signer:
        """The signer called ``name``; raises UnavailableError (``keyfile.missing``)."""
        kind, secret = self._secret(name)
        return signer_of(kind, secret)

    def secret(self, name: str) -> Secret:
        """The 32 bytes called ``name``, for the parts that need them (chain accounts, the vault)."""
        return self._secret(name)[1]

    def _secret(self, name: str) -> tuple[str, Secret]:
        if name not in self._open:
            self._open[name] = open_secret(read_key_file(self._path(name)), self._passphrase)
        return self._open[name]

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise MalformedError("keyfile.name", "key name: not 1 to 60 letters, digits, hyphens, dots or underscores")
        return self._folder / f"{name.replace(':', '_', 1)}.key"


def read_passphrase(path: Path) -> Secret:
    """The passphrase from the environment, else from ``path``; raises UnavailableError (``passphrase.missing``)."""
    value = os.environ.get(PASSPHRASE_VARIABLE)
    if value:
        return Secret(value.encode())
    try:
        kept = Secret(path.read_bytes().strip())
    except OSError:
        kept = Secret()
    if not kept:
        message = f"no passphrase: set {PASSPHRASE_VARIABLE}, or make the file that passphrase_file names"
        raise UnavailableError("passphrase.missing", message)
    return kept


def derived_secret(secret: Secret, purpose: str) -> Secret:
    """A 32-byte secret of its own for each purpose, from one stored secret (HMAC-SHA-256)."""
    return Secret(hmac.digest(secret, f"ematerials/{purpose}/v1".encode(), "sha256"))
