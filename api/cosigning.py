"""This home as a witness: cosigns checkpoints of the logs in the settings, section ``[witness]``.

The witness has a key of its own, made when it is first needed, and used for nothing else: what it signs does not name
the cosigner.
"""

from collections.abc import Iterator
from typing import Self

from api import clock, names
from api.workspace import Workspace
from ledger.witness import Conflict, Cosigned, Suspicion, TrustedLogs, open_request
from ledger.witness_store import Evidence, SqlWitness, WitnessedHead
from signing import MalformedError, NoteKey, UnavailableError


class Witness:
    """The witness of an open workspace; safe for use by several threads and processes."""

    def __init__(self, workspace: Workspace, name: str, logs: TrustedLogs) -> None:
        self._workspace = workspace
        self.name = name
        self.logs = logs
        self._signer = workspace.keyring.signer(names.WITNESS_KEY)

    @classmethod
    def open(cls, workspace: Workspace) -> Self:
        """The witness that the settings describe; its key is made if there is none yet.

        Raises UnavailableError (``witness.not-configured``), MalformedError (``settings.form``), and as
        ``Keyring.signer``.
        """
        settings = workspace.settings.witness
        if settings is None:
            raise UnavailableError("witness.not-configured", "this home is no witness: see the settings, [witness]")
        try:
            logs = TrustedLogs.parse(settings.logs)
        except MalformedError as error:
            raise MalformedError("settings.form", f"witness.logs: {error}") from None
        _make_key(workspace)
        return cls(workspace, settings.name or names.witness_name(workspace.settings.origin), logs)

    @property
    def key(self) -> NoteKey:
        """The key of its cosignatures (type 0x04)."""
        return NoteKey.of(self.name, self._signer.public_key).cosigner()

    def add_checkpoint(self, body: bytes) -> Cosigned | Conflict | Suspicion:
        """Answer one request of C2SP tlog-witness, committed; raises as ``open_request`` and ``SqlWitness.add``."""
        signed = open_request(body, self.logs)
        with self._workspace.database.write() as connection:
            witness = SqlWitness(connection)
            witness.lock(signed.request.head.origin)  # the clock is read after it: requests may have waited
            return witness.add(signed, name=self.name, signer=self._signer, now=clock.now())

    def head(self, origin_hash: str) -> WitnessedHead | None:
        """The checkpoint cosigned last of the log whose origin has this hex SHA-256."""
        with self._workspace.database.read() as connection:
            return SqlWitness(connection).head(origin_hash)


def witnessed_heads(workspace: Workspace) -> list[WitnessedHead]:
    """The checkpoints that this home cosigned last, one for each log."""
    with workspace.database.read() as connection:
        return list(SqlWitness(connection).heads())


def witness_evidence(workspace: Workspace) -> Iterator[Evidence]:
    """What logs signed that did not extend what they had signed."""
    with workspace.database.read() as connection:
        yield from SqlWitness(connection).evidence()


def _make_key(workspace: Workspace) -> None:
    if names.WITNESS_KEY in workspace.keyring:
        return
    try:
        workspace.keyring.create(names.WITNESS_KEY, "Ed25519", in_hsm=workspace.settings.hsm is not None)
    except MalformedError as error:
        if error.code != "keyfile.exists":  # another process made it just now
            raise
