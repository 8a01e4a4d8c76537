"""Puts the ports of one unit of work together, all on one database transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from api import clock, names
from api.clock_guard import GuardedArchive
from api.trust_lists import current_trust
from api.workspace import Workspace
from ledger import Checkpoint
from ledger.store import SqlLog
from materials.registry.home import Home
from materials.registry.policy import parse_policy
from materials.registry.ports import Appended, HomePorts
from materials.store.events import SqlEventStore
from materials.store.materials import SqlMaterialStore
from materials.store.signatures import SqlSignatureStore
from materials.store.status import SqlStatusStore
from materials.store.timestamps import SqlTimestampStore
from materials.store.vault_keys import SqlVaultKeys
from materials.vault import FileVault
from signing import Signer, UnavailableError


@dataclass(frozen=True, slots=True)
class LogAppender:
    """The log as materials see it, guarded by the largest head known from the chain."""

    log: SqlLog
    signer: Signer
    known_head: Checkpoint | None

    def append(self, entry: bytes) -> Appended:
        """Add one entry or find it; see ``LogPort``."""
        return self.append_all([entry])[0]

    def append_all(self, entries: Sequence[bytes]) -> tuple[Appended, ...]:
        """Add entries or find them; see ``LogPort``."""
        appended = self.log.append(entries, signer=self.signer, known_head=self.known_head)
        return tuple(map(Appended, appended.indices, appended.duplicates))

    def entry(self, index: int) -> bytes | None:
        """The bytes at ``index``."""
        return self.log.entry(index)


def file_vault(workspace: Workspace, connection: Connection) -> FileVault:
    """The encrypted files and disclosures."""
    return FileVault(
        workspace.path / workspace.settings.files,
        SqlVaultKeys(connection),
        key_encryption_key=workspace.key_encryption_key,
        random_bytes=clock.random_bytes,
    )


def home_ports(workspace: Workspace, connection: Connection, *, known_head: Checkpoint | None) -> HomePorts:
    """The ports of registration, life cycle and checks."""
    vault = file_vault(workspace, connection)
    return HomePorts(
        materials=SqlMaterialStore(connection),
        statuses=SqlStatusStore(connection),
        archive=GuardedArchive(workspace, connection),
        events=SqlEventStore(connection),
        signatures=SqlSignatureStore(connection),
        timestamps=SqlTimestampStore(connection),
        sealer=vault.sealer,
        vault=vault,
        log=LogAppender(workspace.log(connection), workspace.keyring.signer(names.LOG_KEY), known_head),
    )


def open_home(workspace: Workspace, connection: Connection, now: int) -> Home:
    """The rules of this home: its policy is entry 0 of the log."""
    entry = workspace.log(connection).entry(0)
    if entry is None:
        raise UnavailableError("log.unknown", "the log has no entry 0: this workspace was not initialised to the end")
    return Home(
        policy=parse_policy(entry),
        trust=current_trust(workspace, connection, now),
        catalogue=workspace.catalogue,
        status_uri=names.status_uri(workspace.settings.origin),
        secret=workspace.home_secret,
    )
