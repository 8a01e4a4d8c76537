"""What registration, life cycle, retrieval and checks ask of storage and of the log.

Obligations of every port: it works inside the transaction of its caller and never commits. Nothing it did is durable
or visible to others before that commit, and all of it is gone after a rollback. When a method raises, the caller rolls
back and may run the whole unit of work again. "Not found" is None, never an error. A database that can't be reached
raises what its driver raises: that is no answer about a material.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from materials.claims import StatusRef
from materials.ids import EntityId, MaterialId, RandomBytes
from materials.registry.records import (
    EventRecord,
    KeptTimestamp,
    MaterialClaim,
    MaterialRecord,
    PublishedList,
    SealedFile,
    StatusEntry,
    VaultObject,
)
from materials.status import StatusValue


class MaterialStore(Protocol):
    """Registered materials, one row each, never deleted."""

    def claim(self, claim: MaterialClaim) -> MaterialRecord | None:
        """Reserve identity, licence and succession; None if the claim is now ours, else the record that came first.

        Of concurrent claims of one identity exactly one gets None; the others wait for its transaction to end and get
        its record. Raises RefusedError: ``registration.identifier-taken`` (the licence has another holder),
        ``registration.supersedes`` (the named predecessor is not one that this claim may succeed),
        ``registration.id-taken`` (the jti was used before).
        """

    def complete(self, jti: MaterialId, *, status: StatusRef | None, log_index: int, jwt: str) -> MaterialRecord:
        """Turn the claim made in this same transaction into a held record; RefusedError ``registration.unclaimed``."""

    def find(self, jti: MaterialId) -> MaterialRecord | None:
        """The record of ``jti``, erased ones included."""

    def find_owned(self, owner: EntityId, *, vct: str | None = None) -> tuple[MaterialRecord, ...]:
        """Held materials of one owner, in the order of registration; of one type if ``vct`` is given."""

    def erase(self, jti: MaterialId) -> None:
        """Set the state to erased and forget the keyed hashes. Repeatable; the identity may be registered anew."""


class StatusStore(Protocol):
    """The table behind the status lists: which place belongs to whom, and what it says."""

    def draw(self, uri: str, random_bytes: RandomBytes) -> StatusRef:
        """A random free place of list ``uri``, still free afterwards.

        Its number tells nothing about when or how often places are given. Raises UnavailableError ``status.full`` if
        none was found.
        """

    def take(self, ref: StatusRef, subject: str) -> bool:
        """Give ``subject`` (a jti) this place, with status VALID; False if it is not free any more.

        No place is ever given twice, also not by concurrent transactions. Raises RefusedError ``status.allocated`` if
        the subject has a place in the list already.
        """

    def find(self, uri: str, subject: str) -> StatusEntry | None:
        """The place of ``subject`` and its present status."""

    def set_status(self, ref: StatusRef, status: StatusValue) -> None:
        """Change a place. Repeatable. Raises RefusedError ``status.final`` if it is INVALID and ``status`` is not."""

    def changed_entries(self, uri: str) -> Iterator[StatusEntry]:
        """All places of the list that are not VALID, by index."""


class StatusArchive(Protocol):
    """Every status list that was ever published; none is changed or removed."""

    def keep(self, published: PublishedList) -> None:
        """Add the next list of its URI. Raises UnavailableError ``status.conflict`` if another writer took the number.

        A conflict is repeated from the start: read the table again, sign again.
        """

    def latest(self, uri: str) -> PublishedList | None:
        """The list published last."""

    def at(self, uri: str, time: int) -> PublishedList | None:
        """The newest list with ``iat <= time < exp``."""


class EventStore(Protocol):
    """Life-cycle events, in the order in which the home recorded them."""

    def add(self, event: EventRecord) -> None:
        """Record one event. Raises UnavailableError ``event.conflict`` if its number or id is taken: run again."""

    def of(self, jti: MaterialId) -> tuple[EventRecord, ...]:
        """All events of one material, oldest first."""


class SignatureStore(Protocol):
    """Further signatures over a statement, in the order in which they came; none is changed or removed."""

    def add(self, jti: MaterialId, text: str) -> None:
        """Add one detached signature to the statement of ``jti``; a text that is there already is not added again.

        Raises UnavailableError ``signature.conflict`` if another writer added one just now: run again.
        """

    def of(self, jti: MaterialId) -> tuple[str, ...]:
        """All further signatures of one statement, oldest first."""


class TimestampStore(Protocol):
    """Time stamps over statements and checkpoints, one of each service for each message; none is changed or removed."""

    def add(self, stamp: KeptTimestamp) -> bool:
        """Keep one; False if the service's token for this message was there before, which then stays."""

    def of(self, digest: bytes) -> tuple[KeptTimestamp, ...]:
        """All time stamps over the message with this SHA-256 digest, earliest first."""

    def all(self) -> Iterator[KeptTimestamp]:
        """Every time stamp, in a fixed order. Values are as stored: an altered row may hold any."""


class VaultKeys(Protocol):
    """The data keys of encrypted objects. Without its row an object is noise: destroying the key erases it."""

    def add(self, vault_object: VaultObject) -> None:
        """Keep one object. Its part of its material must be new."""

    def find(self, jti: MaterialId, part: str) -> VaultObject | None:
        """One object, erased ones included."""

    def destroy(self, jti: MaterialId) -> None:
        """Overwrite keys and sealed values of all objects of the material. Repeatable, can't be undone."""

    def is_live(self, object_id: str) -> bool:
        """Whether the object is known and still has its key."""


class FileSealer(Protocol):
    """Encrypts files, each under a data key of its own, outside any transaction and before the one that keeps the key.

    What it sealed and no transaction keeps is noise, and is swept up later if nobody discards it.
    """

    def seal_file(self, jti: MaterialId, number: int, source: BinaryIO) -> SealedFile:
        """Encrypt ``source`` from where it stands to its end, in bounded memory; durable when it returns."""

    def discard(self, sealed: Sequence[SealedFile]) -> None:
        """Remove files whose keys were not kept and never will be. Repeatable."""


class Vault(Protocol):
    """Files and disclosures, encrypted at rest. They can be read once the caller's transaction has committed."""

    def keep_file(self, sealed: SealedFile) -> None:
        """Keep the key of a file that ``FileSealer`` made durable."""

    def put_disclosures(self, jti: MaterialId, disclosures: Sequence[str]) -> None:
        """Encrypt the disclosures of a statement, under a data key of their own."""

    def read_file(self, jti: MaterialId, number: int) -> Iterator[bytes]:
        """The plain chunks of a file, each authenticated; only a read to the end proves that nothing was cut off.

        Raises VerificationError: ``vault.altered`` (before or between chunks), ``vault.missing``, ``vault.erased``.
        """

    def read_disclosures(self, jti: MaterialId) -> tuple[str, ...]:
        """The disclosures of a statement; raises as ``read_file`` does."""

    def erase(self, jti: MaterialId) -> None:
        """Destroy the keys of all objects of the material. Repeatable."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the log keeps an entry; ``duplicate`` if it was there before."""

    index: int
    duplicate: bool


class LogPort(Protocol):
    """The ledger's log as materials see it: opaque entries of at most 65 535 bytes in a fixed order."""

    def append(self, entry: bytes) -> Appended:
        """Add one entry, or find the same one; durable with the caller's commit.

        Raises VerificationError ``log.*`` if the log may not be extended (the chain holds another or a later head).
        """

    def append_all(self, entries: Sequence[bytes]) -> tuple[Appended, ...]:
        """As ``append``, of several at once: one new tree head for all of them."""

    def entry(self, index: int) -> bytes | None:
        """The bytes at ``index``."""


class MaterialScan(Protocol):
    """Whole tables, for the check of everything. Values are as stored: an altered row may hold any, or fail to read."""

    def records(self) -> Iterator[MaterialRecord]:
        """All completed registrations."""

    def unfinished(self) -> Iterator[MaterialId]:
        """Claims that were committed without being completed; there should be none."""

    def events(self) -> Iterator[EventRecord]:
        """All events, material by material, oldest first."""

    def entries(self, uri: str) -> Iterator[StatusEntry]:
        """All places of one status list, by index."""

    def lists(self, uri: str) -> Iterator[PublishedList]:
        """All published lists of one URI, oldest first."""


@dataclass(frozen=True, slots=True)
class HomePorts:
    """The ports of one unit of work, all bound to the same transaction but the sealer, which knows none."""

    materials: MaterialStore
    statuses: StatusStore
    archive: StatusArchive
    events: EventStore
    signatures: SignatureStore
    timestamps: TimestampStore
    sealer: FileSealer
    vault: Vault
    log: LogPort
