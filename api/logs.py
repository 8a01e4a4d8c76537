"""The logs of this home: its own, which takes registrations, and further ones, each of opaque entries of its operator.

All lie in one database. A further log has a key of its own, whose name in the keyring is made from the origin: so the
keys, which the database does not hold, tell ``fsck`` which logs it must find.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from api import names
from api.keys.keyring import Keyring
from api.workspace import Workspace
from ledger import ENTRY_MAX_BYTES, Checkpoint, LeafHash, Receipt
from ledger.appended import Appended
from ledger.heads import list_logs, list_origins
from ledger.reading import LogReader
from ledger.store import SqlLog
from ledger.terms import LogTerms
from ledger.tiles import check_entries
from signing import MalformedError, MemorySigner, NoteKey, PublicKey, RefusedError
from signing.notes.note_key import check_key_name

POLICY_VERSION: Final = "ematerials/log-policy/v1"


@dataclass(frozen=True, slots=True)
class NewLog:
    """A log to be created. Without ``first_entry`` its entry 0 is ``default_policy``; ``signer`` is a key that was made
    elsewhere: without it one is made, in the HSM or in a file.
    """

    origin: str
    entry_limit: int = ENTRY_MAX_BYTES
    first_entry: bytes | None = field(default=None, repr=False)
    signer: MemorySigner | None = field(default=None, repr=False)
    in_hsm: bool = False


@dataclass(frozen=True, slots=True)
class HeldLog:
    """A log in the database; ``key`` is None for a log of an old schema that has not said by whom it is signed."""

    terms: LogTerms
    size: int
    key: NoteKey | None
    is_own: bool


def default_policy(new: NewLog, operator: str) -> bytes:
    """What a log says of itself in its entry 0 if its operator wrote nothing else; depends on its arguments alone."""
    lines = (
        POLICY_VERSION,
        f"origin: {new.origin}",
        f"operator: {operator}",
        f"entry-limit: {new.entry_limit}",
        "admits: opaque entries that the operator appends, each of them once",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def create_log(workspace: Workspace, new: NewLog) -> HeldLog:
    """Create a further log; the same again changes nothing, and finishes what was cut off.

    Raises RefusedError: ``log.own`` for the home's own, ``log.key-used`` if the key is in use for anything else;
    MalformedError: ``form.entry-size``, ``note.name``, ``note.key`` (not an Ed25519 key), ``keyfile.exists`` if the log
    has another key; VerificationError (``log.exists``) if it began otherwise; and as ``Keyring.create``.
    """
    _check_further(workspace, new.origin)
    entry = new.first_entry if new.first_entry is not None else default_policy(new, workspace.operator)
    check_entries([entry], new.entry_limit)
    _hold_key(workspace.keyring, new)
    signer = workspace.keyring.signer(names.further_log_key(new.origin))
    with workspace.database.write() as connection:
        log = SqlLog(connection, new.origin)
        log.create(entry, signer=signer, known_head=None, entry_limit=new.entry_limit)
    return find_log(workspace, new.origin)


def held_logs(workspace: Workspace, connection: Connection) -> list[HeldLog]:
    """Every log in the database, by origin; raises VerificationError (``log.damaged``)."""
    return [_held(workspace, connection, terms) for terms in list_logs(connection)]


def find_log(workspace: Workspace, origin: str) -> HeldLog:
    """The log of that origin; raises RefusedError (``log.no-log``), VerificationError (``log.damaged``)."""
    with workspace.database.read() as connection:
        for terms in list_logs(connection):
            if terms.origin == origin:
                return _held(workspace, connection, terms)
    raise RefusedError("log.no-log", "this database holds no log of that origin: see 'log list'")


def append_entries(workspace: Workspace, origin: str, entries: Sequence[bytes]) -> Appended:
    """Put opaque entries into a further log, durably; those that it has already stay where they are.

    Raises RefusedError ``log.own``, and as ``SqlLog.append`` and ``Keyring.signer``.
    """
    _check_further(workspace, origin)
    find_log(workspace, origin)
    signer = workspace.keyring.signer(names.further_log_key(origin))
    with workspace.database.write() as connection:
        return SqlLog(connection, origin).append(entries, signer=signer, known_head=None)


def freeze_log(workspace: Workspace, origin: str) -> Checkpoint:
    """Let a log, the home's own included, take no more entries, for ever; gives its last head. Again is harmless.

    Raises UnavailableError (``log.unknown``), VerificationError (``log.damaged``).
    """
    with workspace.database.write() as connection:
        return SqlLog(connection, origin).freeze()


def find_entry(log: LogReader, leaf: LeafHash) -> int:
    """Where the entry with this leaf hash is; raises RefusedError (``log.no-entry``)."""
    index = log.index_of(leaf)
    if index is None:
        raise RefusedError("log.no-entry", "the log has no such entry")
    return index


def prove_entry(log: LogReader, index: int, size: int | None) -> Receipt:
    """The receipt of the entry at ``index`` under the checkpoint of ``size``, by default the latest.

    Raises RefusedError: ``log.no-checkpoint`` if none of that size was ever signed, ``log.no-entry`` if the entry is
    not within that tree; and as ``LogReader.receipt``.
    """
    if size is not None and log.own_checkpoint_at(size) is None:
        raise RefusedError("log.no-checkpoint", "no checkpoint of that size was signed")
    if not 0 <= index < (log.size() if size is None else size):
        raise RefusedError("log.no-entry", "that tree has no such entry")
    return log.receipt(index, size)


def prove_extension(log: LogReader, old_size: int, new_size: int | None) -> tuple[tuple[bytes, ...], bytes]:
    """Proof that the tree of ``old_size`` entries is the beginning of a later one, and that one's checkpoint.

    Raises RefusedError (``log.no-checkpoint``), MalformedError (``form.range``) if the older tree is the larger.
    """
    size = log.size() if new_size is None else new_size
    note = log.checkpoint_at(size)
    if note is None:
        raise RefusedError("log.no-checkpoint", "no checkpoint of that size was signed")
    return log.consistency_proof(old_size, size), note


def log_key(workspace: Workspace, origin: str) -> NoteKey:
    """The key of a log of this home, as the keyring has it; raises as ``Keyring.public_key``."""
    if origin == workspace.settings.origin:
        return workspace.log_key
    return NoteKey.of(origin, workspace.keyring.public_key(names.further_log_key(origin)))


def log_keys(workspace: Workspace, connection: Connection) -> tuple[list[NoteKey], list[str]]:
    """The keys of the logs that the database must hold, the home's own first, as the keyring has them; and the names of
    keys whose log is not there.
    """
    keyring, keys = workspace.keyring, [workspace.log_key]
    missing = {name for name in keyring.names() if name.startswith(f"{names.LOG_KEY}.")}
    for origin in sorted(list_origins(connection)):
        name = names.further_log_key(origin)
        if name in missing:
            missing.remove(name)
            keys.append(NoteKey.of(origin, keyring.public_key(name)))
    return keys, sorted(missing)


def _check_further(workspace: Workspace, origin: str) -> None:
    if origin == workspace.settings.origin:
        raise RefusedError("log.own", "this is the home's own log: its entries are registrations")


def _held(workspace: Workspace, connection: Connection, terms: LogTerms) -> HeldLog:
    is_own = terms.origin == workspace.settings.origin
    key = NoteKey.parse(terms.vkey) if terms.vkey is not None else workspace.log_key if is_own else None
    return HeldLog(terms, LogReader(connection, terms.origin).size(), key, is_own)


def _hold_key(keyring: Keyring, new: NewLog) -> None:
    """Make the log's key, or keep the one given, unless it is there."""
    name = names.further_log_key(check_key_name(new.origin))
    if new.signer is not None:
        _check_unused(keyring, name, new.signer.public_key)
    try:
        if name not in keyring and new.signer is None:
            keyring.create(name, "Ed25519", in_hsm=new.in_hsm)
        elif name not in keyring and new.signer is not None:
            keyring.store(name, "Ed25519", new.signer.secret_bytes())
    except MalformedError as error:
        if error.code != "keyfile.exists":  # another process made it just now
            raise
    if new.signer is not None and keyring.public_key(name) != new.signer.public_key:
        raise MalformedError("keyfile.exists", "the log has another key already, which can't be changed")


def _check_unused(keyring: Keyring, name: str, public: PublicKey) -> None:
    """A key of two logs could not be told apart by those who know it from one of them (C2SP tlog-policy)."""
    if public.algorithm != "Ed25519":
        raise MalformedError("note.key", "a log is signed with an Ed25519 key")
    if any(keyring.facts(held).public_key == public for held in keyring.names() if held != name):
        raise RefusedError("log.key-used", "this key is in use already: a log's key signs that log, and nothing else")
