"""Asks the witnesses in the settings, section ``[witnesses]``, to cosign a log's newest checkpoint.

The checkpoint is committed and readable before any witness sees it. All are asked at once, each within the time limit;
nothing is held meanwhile. A line is verified before it is kept, and kept as soon as it is there. Whether the policy's
quorum is met is part of the result: it is never taken as met because a witness was away.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from api import clock
from api.logs import log_key
from api.settings import WitnessesSettings
from api.witness_http import Told, ask_witness
from api.workspace import Workspace
from ledger import Checkpoint, open_checkpoint
from ledger.cosignatures import SqlCosignatures
from ledger.policy import Cosigned, Policy, PolicyWitness
from ledger.policy_file import POLICY_MAX_BYTES, parse_policy
from ledger.reading import LogReader
from ledger.witness_messages import CosignatureLine, format_add_checkpoint, read_cosignatures
from signing import LedgerError, NoteKey, UnavailableError, VerificationError, parse_note

MAX_TRIES: Final = 4
"""Requests to one witness for one checkpoint: others may feed it at the same time."""

CLOCK_TOLERANCE_SECONDS: Final = 60
"""How far the clock of a witness may be ahead of ours."""

_MAX_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of asking one witness: its line, or why there is none."""

    witness: str
    outcome: CosignatureLine | LedgerError


@dataclass(frozen=True, slots=True)
class Witnessing:
    """What the newest checkpoint has now.

    ``cosigned`` are all witnesses of the policy whose lines are on it. ``missing`` says why the policy does not accept
    it (``policy.quorum`` names who is missing); None if it does.
    """

    checkpoint: Checkpoint
    attempts: tuple[Attempt, ...]
    missing: LedgerError | None
    cosigned: tuple[Cosigned, ...]


def ask_witnesses(workspace: Workspace, origin: str | None = None) -> Witnessing:
    """Have the newest checkpoint of a log, by default the home's own, cosigned by each witness of its policy that has
    not done so.

    Raises UnavailableError (``witness.not-configured``, ``witness.no-policy``), MalformedError if the policy is none,
    and those of a log that can't be read. What fails with one witness is its attempt's outcome.
    """
    settings = _settings(workspace)
    key = log_key(workspace, origin or workspace.settings.origin)
    policy = read_policy(workspace, key)
    with workspace.database.read() as connection:
        log = LogReader(connection, key.name)
        note = log.checkpoint()
        checkpoint = open_checkpoint(note, key)
        own = log.own_checkpoint_at(checkpoint.size) or b""
    have = {(line.name, line.key_id) for line in parse_note(note).signatures}
    asked = [each for each in policy.witnesses if (each.key.name, each.key.key_id) not in have]
    attempts: tuple[Attempt, ...] = ()
    if asked:
        asking = _Asking(workspace, settings, checkpoint, own)
        with ThreadPoolExecutor(min(len(asked), _MAX_AT_ONCE), "witness") as pool:
            attempts = tuple(pool.map(asking.attempt, asked))
    return _judge(workspace, policy, checkpoint, attempts)


def is_witnessed(workspace: Workspace, origin: str) -> bool:
    """Whether the settings name a policy for this log."""
    settings = workspace.settings.witnesses
    return settings is not None and (origin == workspace.settings.origin or origin in settings.policies)


def witnessed_logs(workspace: Workspace) -> tuple[str, ...]:
    """The logs for which the settings name a policy, the home's own first."""
    settings, own = workspace.settings.witnesses, workspace.settings.origin
    return () if settings is None else tuple(dict.fromkeys((own, *settings.policies)))


def read_policy(workspace: Workspace, key: NoteKey) -> Policy:
    """The policy of the settings for the log of ``key``; raises as ``ask_witnesses``."""
    settings = _settings(workspace)
    if not is_witnessed(workspace, key.name):
        message = "no witnesses are set for this log: see the settings, [witnesses] policies"
        raise UnavailableError("witness.not-configured", message)
    name = settings.policies.get(key.name, settings.policy)
    try:
        with (workspace.path / name).open("rb") as stream:
            data = stream.read(POLICY_MAX_BYTES + 1)
    except OSError as error:
        raise UnavailableError("witness.no-policy", f"{name}: can't be read: {error.strerror}") from None
    return parse_policy(data).for_log(key)


def _settings(workspace: Workspace) -> WitnessesSettings:
    if workspace.settings.witnesses is None:
        message = "no witnesses are set for this log: see the settings, [witnesses]"
        raise UnavailableError("witness.not-configured", message)
    return workspace.settings.witnesses


def _judge(workspace: Workspace, policy: Policy, checkpoint: Checkpoint, attempts: tuple[Attempt, ...]) -> Witnessing:
    with workspace.database.read() as connection:
        note = LogReader(connection, checkpoint.origin).checkpoint_at(checkpoint.size) or b""
    try:
        cosigned = policy.cosigned(note, latest_time=clock.now() + CLOCK_TOLERANCE_SECONDS)
    except LedgerError as error:
        return Witnessing(checkpoint, attempts, error, ())
    missing = policy.missing({each.witness.name for each in cosigned})
    lacking = None if missing is None else VerificationError("policy.quorum", f"policy: {missing}")
    return Witnessing(checkpoint, attempts, lacking, cosigned)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One checkpoint on its way to the witnesses; ``note`` has the log's own line only."""

    workspace: Workspace
    settings: WitnessesSettings
    checkpoint: Checkpoint
    note: bytes

    def attempt(self, witness: PolicyWitness) -> Attempt:
        """Ask one witness, and keep its line."""
        try:
            line = self._obtain(witness)
            with self.workspace.database.write() as connection:
                SqlCosignatures(connection, self.checkpoint.origin).add(self.checkpoint.size, line)
        except LedgerError as error:
            return Attempt(_name(witness), error)
        return Attempt(_name(witness), line)

    def _obtain(self, witness: PolicyWitness) -> CosignatureLine:
        """A verified line (C2SP tlog-witness, ``add-checkpoint``).

        Raises VerificationError ``log.behind-witness`` (an alarm) and those of ``ask_witness`` and
        ``read_cosignatures``; UnavailableError ``witness.unreachable``, ``witness.busy``, ``witness.moved-on``.
        """
        url, end = self._url(witness), clock.now() + self.settings.timeout
        with self.workspace.database.read() as connection:
            old = min(SqlCosignatures(connection, self.checkpoint.origin).last_size(witness.key), self.checkpoint.size)
        for _ in range(MAX_TRIES):
            answer = ask_witness(url, self._request(old), end - clock.now())
            if isinstance(answer, Told):
                latest = clock.now() + CLOCK_TOLERANCE_SECONDS
                return read_cosignatures(answer.lines, parse_note(self.note), [witness.key], latest_time=latest)[0]
            if answer.size > self.checkpoint.size:
                raise self._ahead(answer.size)
            old = answer.size
        raise UnavailableError("witness.busy", f"the witness moved on {MAX_TRIES} times while it was asked")

    def _request(self, old: int) -> bytes:
        with self.workspace.database.read() as connection:
            proof = LogReader(connection, self.checkpoint.origin).consistency_proof(old, self.checkpoint.size)
        return format_add_checkpoint(old, proof, self.note)

    def _ahead(self, size: int) -> LedgerError:
        """The witness knows a larger tree: another process of ours may have shown it one, or we were rolled back."""
        with self.workspace.database.read() as connection:
            ours = LogReader(connection, self.checkpoint.origin).size()
        if size <= ours:
            return UnavailableError("witness.moved-on", "the witness has cosigned a newer checkpoint meanwhile")
        message = f"the witness has cosigned {size} entries of this log, the database has only {ours}"
        return VerificationError("log.behind-witness", f"{message}: an old backup, a second copy, or the witness errs")

    def _url(self, witness: PolicyWitness) -> str:
        url = self.settings.urls.get(_name(witness)) or (witness.url or b"").decode("ascii", "replace")
        if not url.startswith(("http://", "https://")):
            raise UnavailableError("witness.no-url", "neither settings nor policy say where this witness is asked")
        return url.rstrip("/") + "/add-checkpoint"


def _name(witness: PolicyWitness) -> str:
    return witness.name.decode("utf-8", "replace")
