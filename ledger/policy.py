"""Trust policies: which logs are believed, and whose cosignatures a checkpoint needs (C2SP tlog-policy).

    # comment
    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member> …
    quorum <name>|none

Octets, not text: fields are divided by spaces and tabs only, and names are compared octet by octet. A policy must say
what it asks for: without a ``quorum`` line it is none, and ``quorum none`` must be meant to be written.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ledger.checkpoint import Checkpoint, parse_checkpoint
from signing import (
    MalformedError,
    NoteKey,
    UnverifiedNote,
    VerificationError,
    VerifiedLine,
    open_note,
    parse_note,
)
from signing.notes.note_key import COSIGNATURE


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log that is believed; its key's name is the origin. ``url`` is as written, its use is the reader's."""

    key: NoteKey
    url: bytes | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness: its name in the policy file, its key (0x04 or 0x06), and where it may be asked."""

    name: bytes
    key: NoteKey
    url: bytes | None = None


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """Counts as a witness if at least ``threshold`` of its ``members`` do."""

    name: bytes
    threshold: int
    members: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness that cosigned, and the time it gave (Unix seconds)."""

    witness: PolicyWitness
    time: int


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that a policy accepts; only ``Policy.check`` makes one.

    ``log`` is the key that signed it, ``cosigned`` are all witnesses of the policy whose lines are on the ``note``.
    """

    checkpoint: Checkpoint
    note: bytes = field(repr=False)
    log: NoteKey
    cosigned: tuple[Cosigned, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What ``parse_policy`` read. ``quorum`` names a witness or a group; None asks for no cosignature."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: bytes | None

    def for_log(self, key: NoteKey) -> "Policy":
        """The same quorum for the one log of ``key``, which is known from elsewhere."""
        return replace(self, logs=(PolicyLog(check_log_key(key)),))

    def check(self, note: bytes, *, latest_time: int | None = None) -> VerifiedCheckpoint:
        """The checkpoint in ``note``, if a listed log signed it and the quorum is met.

        Cosignatures of a time after ``latest_time`` (Unix seconds) don't count; without it any time does. Raises
        VerificationError: ``policy.log`` if no listed log has its origin or signed it, ``policy.quorum`` that names
        what is missing, ``note.signature`` if a line of a known key is false; MalformedError for what is no checkpoint;
        UnavailableError if a line can't be checked here.
        """
        opened = self._open(note, latest_time)
        missing = self.missing({each.witness.name for each in opened.cosigned})
        if missing is not None:
            raise VerificationError("policy.quorum", f"policy: {missing}")
        return opened

    def cosigned(self, note: bytes, *, latest_time: int | None = None) -> tuple[Cosigned, ...]:
        """Which witnesses cosigned a listed log's ``note``, whether or not that is a quorum; raises as ``check``."""
        return self._open(note, latest_time).cosigned

    def _open(self, note: bytes, latest_time: int | None) -> VerifiedCheckpoint:
        """All of ``check`` but the quorum."""
        unverified = parse_note(note)
        checkpoint = parse_checkpoint(unverified.text)
        logs = [log.key for log in self.logs if log.key.name == checkpoint.origin]
        if not logs:
            raise VerificationError("policy.log", "policy: it lists no log of this origin")
        verified = _known_lines(unverified, [*logs, *(witness.key for witness in self.witnesses)])
        signed = [line.key for line in verified if line.key in logs]
        if not signed:
            raise VerificationError("policy.log", "policy: no log that it lists signed this checkpoint")
        times = {line.key: line.time for line in verified if line.time is not None}
        cosigned = tuple(
            Cosigned(witness, time)
            for witness in self.witnesses
            if (time := times.get(witness.key)) is not None and (latest_time is None or time <= latest_time)
        )
        return VerifiedCheckpoint(checkpoint, unverified.raw, signed[0], cosigned)

    def missing(self, cosigned: Collection[bytes]) -> str | None:
        """What the quorum lacks if just the witnesses ``cosigned`` did so, in words; None if it is met."""
        if self.quorum is None:
            return None
        good = {witness.name for witness in self.witnesses if witness.name in cosigned}
        for group in self.groups:  # members are defined before their group
            if sum(member in good for member in group.members) >= group.threshold:
                good.add(group.name)
        if self.quorum in good:
            return None
        return f"the quorum is not met: {'; '.join(self._lacking(self.quorum, good))}"

    def _lacking(self, wanted: bytes, good: Collection[bytes]) -> Iterable[str]:
        """One sentence for the quorum and each group below it that is not met."""
        groups = {group.name: group for group in self.groups}
        open_names = [wanted]
        while open_names:
            name = open_names.pop(0)
            if (group := groups.get(name)) is None:
                yield f"{show_name(name)} has not cosigned"
                continue
            lacking = [member for member in group.members if member not in good]
            have = len(group.members) - len(lacking)
            yield f"{show_name(name)} has {have} of {group.threshold}, without {', '.join(map(show_name, lacking))}"
            open_names += [member for member in lacking if member in groups]


def _known_lines(note: UnverifiedNote, keys: Sequence[NoteKey]) -> tuple[VerifiedLine, ...]:
    try:
        return open_note(note, keys).verified
    except VerificationError as error:
        if error.code != "note.unknown-key":
            raise
        return ()


def check_log_key(key: NoteKey) -> NoteKey:
    """Return ``key`` if checkpoints signed with it can be verified here; MalformedError (``policy.key``) else."""
    if key.type == COSIGNATURE or not key.is_verifiable:
        raise MalformedError("policy.key", "policy: a log's key must be one that signs checkpoints and is known here")
    return key


def check_distinct(keys: Iterable[NoteKey]) -> None:
    """Refuse a public key that occurs twice, under whatever name (``policy.duplicate``)."""
    raw = [key.public_key for key in keys]
    if len(set(raw)) != len(raw):
        raise MalformedError("policy.duplicate", "policy: two keys are one and the same public key")


def show_name(name: bytes) -> str:
    """A name for people, with nothing in it that a terminal would act on."""
    return "".join(char if char.isprintable() else "�" for char in name.decode("utf-8", "replace"))
