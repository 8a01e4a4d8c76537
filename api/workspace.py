"""A workspace: one home's settings, keys, database, files and chain, opened together.

Everything that the command line, the service and an application do goes through one of these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from sqlalchemy import Connection

from api import clock, names
from api.crls import CrlFolder
from api.db import Database, database_url
from api.keys.hsm import Hsm
from api.keys.keyring import Keyring, derived_secret
from api.keys.passphrases import read_passphrase
from api.settings import Settings, load_settings
from ledger import Checkpoint
from ledger.store import SqlLog
from materials.catalogue import Catalogue, load_catalogue
from materials.ids import EntityId
from materials.vault import FileSealer
from signing import NoteKey, Secret


@dataclass
class Workspace:
    """An open workspace; ``close`` it, or use it as a context manager.

    ``anchored_head``, set by the service, tells the newest head on the chain without asking the chain each time.
    ``clock_checked`` is the second that ``clock_guard`` looked at last.
    """

    path: Path
    settings: Settings
    database: Database
    keyring: Keyring
    anchored_head: Callable[[], Checkpoint | None] | None = None
    clock_checked: int | None = None

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open the workspace in folder ``path``.

        Raises UnavailableError (``workspace.missing``, ``passphrase.missing``), MalformedError (``settings.form``),
        RefusedError (``keyfile.permissions``).
        """
        folder = Path(path)
        settings = load_settings(folder)
        passphrase = read_passphrase(folder / settings.passphrase_file)
        database = Database(database_url(settings.database, folder))
        return cls(folder, settings, database, open_keyring(folder, settings, passphrase))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database connections back, and log out of the HSM."""
        self.database.close()
        self.keyring.close()

    @property
    def operator(self) -> EntityId:
        """The organisation that runs this home."""
        return EntityId(self.settings.operator)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The material types."""
        return load_catalogue()

    @cached_property
    def crls(self) -> CrlFolder:
        """The certificate revocation lists at hand."""
        return CrlFolder(self.path / self.settings.crls)

    @cached_property
    def log_key(self) -> NoteKey:
        """The key that verifies this log's checkpoints."""
        return NoteKey.of(self.settings.origin, self.keyring.public_key(names.LOG_KEY))

    @cached_property
    def home_secret(self) -> bytes:
        """Keys pseudonyms and identities; never changed."""
        return derived_secret(self.keyring.secret(names.HOME_SECRET), "identity")

    @cached_property
    def key_encryption_key(self) -> bytes:
        """Wraps the data keys of the vault."""
        return derived_secret(self.keyring.secret(names.HOME_SECRET), "vault")

    @cached_property
    def sealer(self) -> FileSealer:
        """Encrypts files before their registration."""
        return FileSealer(
            self.path / self.settings.files,
            key_encryption_key=self.key_encryption_key,
            random_bytes=clock.random_bytes,
        )

    def log(self, connection: Connection) -> SqlLog:
        """This home's log, in the caller's transaction."""
        return SqlLog(connection, self.settings.origin)


def open_keyring(folder: Path, settings: Settings, passphrase: Secret) -> Keyring:
    """The keys of the workspace in ``folder``, in its files and in its HSM."""
    hsm = None if settings.hsm is None else Hsm(settings.hsm, folder)
    return Keyring(folder / settings.keys, passphrase, hsm)
