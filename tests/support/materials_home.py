"""A whole home for tests: real log, real trust list, real stores on one connection. Made-up people and companies."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine

from ledger.store import SqlLog
from ledger.tables import metadata as ledger_metadata
from materials.catalogue import Catalogue, load_catalogue
from materials.identifiers import build_licence_id
from materials.ids import EntityId, MaterialId, organisation_id
from materials.registry.home import Home
from materials.registry.policy import format_policy, make_policy
from materials.registry.ports import Appended, HomePorts
from materials.registry.publish import ListTerms
from materials.registry.submission import IssuerKeys, Submission, SubmittedFile
from materials.status import LIST_ENTRIES
from materials.store.events import SqlEventStore
from materials.store.materials import SqlMaterialStore
from materials.store.metadata import metadata
from materials.store.signatures import SqlSignatureStore
from materials.store.status import SqlStatusStore
from materials.store.status_archive import SqlStatusArchive
from materials.store.timestamps import SqlTimestampStore
from materials.store.vault_keys import SqlVaultKeys
from materials.trust.lists import issue_trust_list, verify_trust_list
from materials.trust.model import Entity, Role, TrustKey, TrustList
from materials.vault import FileVault
from signing import Ed25519Signer, KeyId, PublicKey, Signer

NOW = 1_790_000_000
DAY = 86_400
ORIGIN = "log.example/materials"
STATUS_URI = "https://home.example/status/1"
ISSUER_CODE = "11310110MB9F000199"
ISSUER = organisation_id(ISSUER_CODE)
TYPE_CODE = "business-licence"
LICENCE_TYPE = "11310110MB9F000199001"
PDF = b"%PDF-1.7 a licence of nobody " * 40


class TestLog:
    """``LogPort`` over the real log."""

    __test__ = False

    def __init__(self, log: SqlLog, signer: Signer) -> None:
        self._log, self._signer = log, signer

    def append(self, entry: bytes) -> Appended:
        return self.append_all([entry])[0]

    def append_all(self, entries: Sequence[bytes]) -> tuple[Appended, ...]:
        appended = self._log.append(entries, signer=self._signer, known_head=None)
        return tuple(map(Appended, appended.indices, appended.duplicates))

    def entry(self, index: int) -> bytes | None:
        return self._log.entry(index)


@dataclass(frozen=True)
class HomeKit:
    """Keys and rules of one home; ``ports`` binds its stores to a connection."""

    folder: Path
    issue: Signer = field(default_factory=lambda: Ed25519Signer.generate(os.urandom))
    status: Signer = field(default_factory=lambda: Ed25519Signer.generate(os.urandom))
    log_key: Signer = field(default_factory=lambda: Ed25519Signer.generate(os.urandom))
    list_key: Signer = field(default_factory=lambda: Ed25519Signer.generate(os.urandom))
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    vault_key: bytes = field(default_factory=lambda: os.urandom(32))
    catalogue: Catalogue = field(default_factory=load_catalogue)
    list_size: int = LIST_ENTRIES
    second: Signer | None = None

    @property
    def keys(self) -> IssuerKeys:
        return IssuerKeys(self.issue, self.status, self.second)

    @property
    def terms(self) -> ListTerms:
        return ListTerms(STATUS_URI, ISSUER, 7 * DAY, 3600)

    @cached_property
    def _home(self) -> Home:
        text = issue_trust_list(self.list_key, self.trust_list())
        trust = verify_trust_list(text, self.list_key.public_key, NOW)
        policy = make_policy(
            origin=ORIGIN,
            list_key=self.list_key.public_key.key_id,
            region="310000",
            catalogue=self.catalogue,
            now=NOW - DAY,
        )
        return Home(policy, trust, self.catalogue, STATUS_URI, self.secret)

    def home(self) -> Home:
        """The rules; the trust list is good for some weeks from ``NOW``."""
        return self._home

    def trust_list(self) -> TrustList:
        entity = Entity(
            id=ISSUER,
            name_zh="测试区市场监督管理局",
            name_en="Test District Market Regulation",
            level="district",
            region="310110",
            types=tuple(known.vct for known in self.catalogue.types),
            bases=("holder",),
            status_uris=(STATUS_URI,),
            purposes=(),
            keys=tuple(self._trust_keys()),
        )
        return TrustList(ISSUER, 1, None, NOW - DAY, NOW + 30 * DAY, NOW + 60 * DAY, (entity,), (), ())

    def _trust_keys(self) -> Iterator[TrustKey]:
        held: list[tuple[Signer | None, Role]] = [
            (self.issue, "issue"),
            (self.second, "issue"),
            (self.status, "status"),
        ]
        for signer, role in held:
            if signer is not None:
                yield TrustKey(signer.public_key, role, NOW - DAY, NOW + 365 * DAY)

    def find_key(self, entity: EntityId, kid: KeyId, role: Role) -> PublicKey:
        return self.home().trust.list.find_key(entity, kid, role).public_key

    def create(self, engine: Engine) -> None:
        """Tables, and the log with its entry 0."""
        with engine.begin() as conn:
            ledger_metadata.create_all(conn)
            metadata.create_all(conn)
            SqlLog(conn, ORIGIN).create(format_policy(self.home().policy), signer=self.log_key, known_head=None)

    def vault(self, conn: Connection) -> FileVault:
        return FileVault(self.folder, SqlVaultKeys(conn), key_encryption_key=self.vault_key, random_bytes=os.urandom)

    def ports(self, conn: Connection) -> HomePorts:
        vault = self.vault(conn)
        return HomePorts(
            materials=SqlMaterialStore(conn),
            statuses=SqlStatusStore(conn, entries=self.list_size),
            archive=SqlStatusArchive(conn),
            events=SqlEventStore(conn),
            signatures=SqlSignatureStore(conn),
            timestamps=SqlTimestampStore(conn),
            sealer=vault.sealer,
            vault=vault,
            log=TestLog(SqlLog(conn, ORIGIN), self.log_key),
        )

    @contextmanager
    def unit(self, engine: Engine) -> Iterator[HomePorts]:
        """One unit of work, committed at the end."""
        with engine.begin() as conn:
            yield self.ports(conn)


def fields(serial: str = "2023000001", version: int = 1, **changed: str) -> dict[str, str | int]:
    """Fields of a business licence of nobody."""
    return {
        "licence_id": build_licence_id(LICENCE_TYPE, ISSUER_CODE, serial, version).text,
        "licence_number": f"NO-{serial}",
        "holder_name": "纸飞机测试有限公司",
        "holder_code_type": "111",
        "holder_code": "440524188001010014",
        "area_code": "310110",
        "issuer_name": "测试区市场监督管理局",
        "issued_on": "2026-09-01",
        "enterprise_type": "有限责任公司",
        "legal_representative": "测试人甲乙",
        "established_on": "2020-02-02",
        "address": "测试路一号",
        **changed,
    }


def submission(
    data: bytes = PDF,
    serial: str = "2023000001",
    version: int = 1,
    supersedes: MaterialId | None = None,
    **changed: str,
) -> Submission:
    """A licence of nobody, ready to register."""
    return Submission(
        issuer=ISSUER,
        type_code=TYPE_CODE,
        fields=fields(serial, version, **changed),
        files=(SubmittedFile(io.BytesIO(data), "application/pdf"),),
        legal_basis="regulation-1",
        nbf=NOW,
        exp=NOW + 300 * DAY,
        version=version,
        supersedes=supersedes,
    )
