"""A witness: it cosigns a log's checkpoint only if that extends all it cosigned before (C2SP tlog-witness).

This is the part that decides; ``ledger.witness_store`` remembers. What it answers, in the order of its checks:

| step | check | else |
|---|---|---|
| 1 | the request is of the form | 400, MalformedError |
| 2 | the origin is known | 404, ``witness.unknown-log`` |
| 3 | a trusted key of that origin signed, and none of them falsely | 403, ``witness.signature`` |
| 4 | old size ≤ size of the checkpoint | 400, MalformedError |
| 5 | old size = size cosigned last, 0 if none | 409, ``Conflict`` |
| 6 | a checkpoint of size 0 has the root of the empty tree | 422, ``Suspicion`` |
| 7 | the proof leads from the root cosigned last to the checkpoint's | 422, ``Suspicion`` |

A ``Suspicion`` comes with the log's good signature: it may prove that the log lies, and is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.checkpoint import Checkpoint, known_lines, verify_extension
from ledger.hashing import EMPTY_ROOT
from ledger.policy import check_distinct, check_log_key
from ledger.witness_messages import AddCheckpoint, parse_add_checkpoint
from signing import (
    LedgerError,
    MalformedError,
    MlDsa44Signer,
    NoteKey,
    RefusedError,
    Signer,
    UnavailableError,
    VerificationError,
    VerifiedNote,
    add_signature,
    cosign,
    open_note,
)
from signing.notes.note_key import ML_DSA_44


@dataclass(frozen=True, slots=True)
class TrustedLogs:
    """The logs that a witness cosigns, by the keys of their checkpoints; a key's name is the origin."""

    keys: tuple[NoteKey, ...]

    @classmethod
    def parse(cls, vkeys: Iterable[str]) -> "TrustedLogs":
        """Read vkeys; raises MalformedError (``note.vkey``, ``note.name``, ``policy.key``, ``policy.duplicate``)."""
        keys = tuple(check_log_key(NoteKey.parse(vkey)) for vkey in vkeys)
        check_distinct(keys)
        return cls(keys)

    def of(self, origin: str) -> tuple[NoteKey, ...]:
        """The keys trusted for ``origin``; none for an unknown log."""
        return tuple(key for key in self.keys if key.name == origin)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose checkpoint a trusted log signed; only ``open_request`` makes one.

    ``note`` is the checkpoint with the lines of the log's trusted keys, without any other.
    """

    request: AddCheckpoint
    opened: VerifiedNote
    note: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The answer 200: the witness's signature ``lines``. They may leave the process after the commit, not before."""

    lines: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The answer 409: ``size`` is what this witness cosigned last."""

    size: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The answer 422: signed by the log, and not shown to extend what it signed before.

    ``code``: ``witness.fork`` if two checkpoints of one size have different roots, ``witness.empty-root`` if the
    root of an empty tree is false (both signed by the log, and so proof by themselves), ``witness.proof`` if the
    consistency proof does not hold, which may be the asker's fault.
    """

    code: str
    message: str


def open_request(data: bytes, logs: TrustedLogs) -> SignedRequest:
    """Steps 1 to 4.

    Raises MalformedError, RefusedError (``witness.unknown-log``, ``witness.signature``), UnavailableError if the log's
    kind of signature can't be checked here.
    """
    request = parse_add_checkpoint(data)
    keys = logs.of(request.head.origin)
    if not keys:
        raise RefusedError("witness.unknown-log", "witness: not a log that this witness cosigns")
    try:
        opened = open_note(request.note, keys)
    except VerificationError as error:
        raise RefusedError("witness.signature", f"witness: not signed by a key trusted for this log: {error}") from None
    if request.old_size > request.head.size:
        raise MalformedError("witness.request", "request: the old size is larger than the checkpoint's")
    return SignedRequest(request, opened, known_lines(opened))


def judge(request: AddCheckpoint, last: Checkpoint | None) -> Conflict | Suspicion | None:
    """Steps 5 to 7 against the checkpoint cosigned ``last``; None if this one may be cosigned."""
    known = last or Checkpoint(request.head.origin, 0, EMPTY_ROOT)
    if request.old_size != known.size:
        return Conflict(known.size)
    if request.root != request.head.root:
        return Suspicion("witness.empty-root", "witness: the root of an empty tree is false")
    if (fork := find_fork(request, last)) is not None:
        return fork
    try:
        verify_extension(known, request.head, request.proof)
    except VerificationError:
        return Suspicion("witness.proof", "witness: not shown to extend the checkpoint cosigned last")
    return None


def find_fork(request: AddCheckpoint, last: Checkpoint | None) -> Suspicion | None:
    """Whether the log signed both heads, of one size: proof that it lies, whatever ``old`` the asker gave."""
    if last is None or request.head.size != last.size or request.root == last.root:
        return None
    return Suspicion("witness.fork", "witness: the log signed another root for the same size")


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Who cosigns: the key name, the Ed25519 key of lines 0x04, and the ML-DSA-44 key of lines 0x06, if it has one."""

    name: str
    signer: Signer
    further: MlDsa44Signer | None = None

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        """The keys of its lines, in their order."""
        first = NoteKey.of(self.name, self.signer.public_key).cosigner()
        return (first,) if self.further is None else (first, NoteKey(self.name, ML_DSA_44, self.further.raw))


def cosign_request(signed: SignedRequest, cosigner: Cosigner, now: int) -> bytes:
    """The cosignature lines of a checkpoint that ``judge`` let pass, each verified as any client will.

    Raises UnavailableError (``witness.signer``) if a key gives no valid one.
    """
    further = () if cosigner.further is None else (cosigner.further,)
    signers: tuple[Signer | MlDsa44Signer, ...] = (cosigner.signer, *further)
    lines = []
    try:
        for signer, key in zip(signers, cosigner.keys, strict=True):
            line = cosign(signed.opened, name=cosigner.name, signer=signer, time=now)
            open_note(add_signature(signed.note, line), [key])
            lines.append(line)
    except LedgerError:
        raise UnavailableError("witness.signer", "the witness's key gave no valid cosignature") from None
    return b"".join(lines)
