"""This home as a witness: cosigns checkpoints of the logs in the settings, section ``[witness]``.

The witness has a key of its own, made when it is first needed, and used for nothing else: what it signs does not name
the cosigner. Where the settings want it, it has an ML-DSA-44 key besides.
"""

from collections.abc import Iterator
from typing import Self

from api import clock, names
from api.clock_guard import check_clock
from api.keys.keyring import KeyKind
from api.workspace import Workspace
from ledger.witness import Conflict, Cosigned, Cosigner, Suspicion, TrustedLogs, open_request
from ledger.witness_store import Evidence, EvidenceHead, SqlWitness, WitnessedHead
from signing import MalformedError, MlDsa44Signer, NoteKey, UnavailableError


class Witness:
    """The witness of an open workspace; safe for use by several threads and processes."""

    def __init__(self, workspace: Workspace, name: str, logs: TrustedLogs) -> None:
        self._workspace = workspace
        self.logs = logs
        settings, keyring = workspace.settings.witness, workspace.keyring
        seed = keyring.secret(names.WITNESS_SEED) if settings is not None and settings.ml_dsa else None
        further = None if seed is None else MlDsa44Signer(seed)
        self._cosigner = Cosigner(name, keyring.signer(names.WITNESS_KEY), further)

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """The witness that the settings describe; its key is made if there is none yet.

        Raises UnavailableError (``witness.not-configured``), MalformedError (``settings.form``), and as
        ``Keyring.signer``.
        """
        settings = workspace.settings.witness
        if settings is None:
            raise UnavailableError("witness.not-configured", "this home is no witness: see the settings, [witness]")
        logs = trusted_logs(workspace)
        _make_key(workspace, names.WITNESS_KEY, "Ed25519", in_hsm=workspace.settings.hsm is not None)
        if settings.ml_dsa:
            _make_key(workspace, names.WITNESS_SEED, "secret", in_hsm=False)
        return cls(workspace, settings.name or names.witness_name(workspace.settings.origin), logs)

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """The keys of its cosignatures: type 0x04, and 0x06 if it has one."""
        return self._cosigner.keys

    def add_checkpoint(self, body: bytes) -> Cosigned | Conflict | Suspicion:
        """Answer one request of C2SP tlog-witness, committed.

        Raises as ``open_request`` and ``SqlWitness.add``, and UnavailableError ``clock.behind``.
        """
        signed = open_request(body, self.logs)
        with self._workspace.database.write() as connection:
            witness = SqlWitness(connection)
            witness.lock(signed.request.head.origin)  # the clock is read after it: requests may have waited
            now = clock.now()
            check_clock(self._workspace, connection, now)
            return witness.add(signed, self._cosigner, now)

    def head(self, origin_hash: str) -> WitnessedHead | None:
        """The checkpoint cosigned last of the log whose origin has this hex SHA-256."""
        with self._workspace.database.read() as connection:
            return SqlWitness(connection).head(origin_hash)

    def evidence(self, origin_hash: str) -> list[EvidenceHead]:
        """What was kept of the log whose origin has this hex SHA-256, without the bytes."""
        with self._workspace.database.read() as connection:
            return SqlWitness(connection).evidence_of(origin_hash)

    def find_evidence(self, origin_hash: str, code: str, size: int, root: bytes) -> Evidence | None:
        """One of them, with the bytes."""
        with self._workspace.database.read() as connection:
            return SqlWitness(connection).find_evidence(origin_hash, code, size, root)


def trusted_logs(workspace: Workspace) -> TrustedLogs:
    """The logs that the settings name, none if this home is no witness; raises MalformedError (``settings.form``)."""
    settings = workspace.settings.witness
    try:
        return TrustedLogs.parse(() if settings is None else settings.logs)
    except MalformedError as error:
        raise MalformedError("settings.form", f"witness.logs: {error}") from None


def witnessed_heads(workspace: Workspace) -> list[WitnessedHead]:
    """The checkpoints that this home cosigned last, one for each log."""
    with workspace.database.read() as connection:
        return list(SqlWitness(connection).heads())


def witness_evidence(workspace: Workspace) -> Iterator[Evidence]:
    """What logs signed that did not extend what they had signed."""
    with workspace.database.read() as connection:
        yield from SqlWitness(connection).evidence()


def count_evidence(workspace: Workspace) -> int:
    """How many requests were kept as evidence."""
    with workspace.database.read() as connection:
        return SqlWitness(connection).count_evidence()


def witness_public_keys(workspace: Workspace) -> list[bytes]:
    """The public keys of this home's cosignatures, Ed25519 and ML-DSA-44, as far as it has them."""
    keyring, found = workspace.keyring, []
    if names.WITNESS_KEY in keyring:
        found.append(keyring.public_key(names.WITNESS_KEY).raw)
        if names.WITNESS_SEED in keyring:
            found.append(MlDsa44Signer(keyring.secret(names.WITNESS_SEED)).raw)
    return found


def _make_key(workspace: Workspace, name: str, kind: KeyKind, *, in_hsm: bool) -> None:
    if name in workspace.keyring:
        return
    try:
        workspace.keyring.create(name, kind, in_hsm=in_hsm)
    except MalformedError as error:
        if error.code != "keyfile.exists":  # another process made it just now
            raise
