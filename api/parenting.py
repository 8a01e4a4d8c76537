"""This home as a child: its checkpoints go into its parent's log, section ``[parent]`` of the settings.

What the parent answers is checked before it is kept: the entry is our checkpoint, and the parent's log holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.capture import check_stored_proof
from anchors.profile import TrustProfile
from anchors.proof import read_anchor_proof
from api.settings import ParentSettings
from api.witness_http import TellsSize, Told, ask_witness, fetch
from api.workspace import Workspace
from ledger import (
    Checkpoint,
    leaf_hash,
    open_checkpoint,
    open_child_entry,
    parse_receipt,
    read_checkpoint,
    verify_receipt,
    verify_receipt_inclusion,
)
from ledger.reading import LogReader
from ledger.witness_messages import format_add_checkpoint
from materials.parent_evidence import PARENT_EVIDENCE_MAX_BYTES, parse_parent_evidence
from materials.store.parents import SqlParentEvidence
from signing import LedgerError, MalformedError, NoteKey, UnavailableError, VerificationError, dump_json

_MAX_ROUNDS: Final = 4
"""Requests for one checkpoint: another process of ours may submit at the same time."""
_REFRESHED: Final = 4
_CODES: Final = {
    "witness.unreachable": "parent.unreachable",
    "witness.refused": "parent.refused",
    "witness.conflict": "parent.conflict",
}


@dataclass(frozen=True, slots=True)
class Submitted:
    """How far the parent's log holds ours, and up to which size with an anchor; 0 for not at all."""

    size: int
    anchored_size: int


def parent_settings(workspace: Workspace) -> tuple[ParentSettings, NoteKey]:
    """The section ``[parent]``, and its key; UnavailableError ``parent.none``, MalformedError ``settings.form``."""
    settings = workspace.settings.parent
    if settings is None:
        raise UnavailableError("parent.none", "this home has no parent: see the settings, [parent]")
    try:
        return settings, NoteKey.parse(settings.vkey)
    except MalformedError as error:
        raise MalformedError("settings.form", f"parent.vkey: {error}") from None


def submit_checkpoint(workspace: Workspace) -> Submitted:
    """Bring the newest checkpoint into the parent's log, and fetch the anchors that are there by now; repeatable.

    Raises UnavailableError (``parent.unreachable``: again later), VerificationError (``parent.refused``;
    ``parent.conflict``: the parent holds another tree of this log than we do; ``parent.evidence``: a false answer).
    """
    settings, key = parent_settings(workspace)
    with workspace.database.read() as connection:
        log = workspace.log(connection)
        newest = open_checkpoint(log.checkpoint(), workspace.log_key)
        known = SqlParentEvidence(connection).last_size()
    if newest.size > known:
        _send(workspace, settings, newest, known)
        _fetch(workspace, settings, key, newest.size)
    with workspace.database.read() as connection:
        waiting = SqlParentEvidence(connection).waiting(_REFRESHED)
    for size in waiting:
        if _fetch(workspace, settings, key, size):
            break  # it covers all smaller ones
    return parent_state(workspace)


def parent_state(workspace: Workspace) -> Submitted:
    """What is known without asking."""
    with workspace.database.read() as connection:
        store = SqlParentEvidence(connection)
        return Submitted(store.last_size(), store.last_size(anchored=True))


def _send(workspace: Workspace, settings: ParentSettings, newest: Checkpoint, known: int) -> None:
    url = f"{settings.url.rstrip('/')}/children/add-checkpoint"
    old = known
    for _ in range(_MAX_ROUNDS):
        with workspace.database.read() as connection:
            log = workspace.log(connection)
            proof = log.consistency_proof(old, newest.size) if 0 < old < newest.size else ()
            note = log.own_checkpoint_at(newest.size) or b""
        try:
            answer = ask_witness(url, format_add_checkpoint(old, proof, note), settings.timeout)
        except LedgerError as error:
            raise _as_parent(error) from error
        if isinstance(answer, Told):
            return
        old = _next_old(answer, newest)
    raise UnavailableError("parent.unreachable", "other submissions of this log came first; try again")


def _next_old(answer: TellsSize, newest: Checkpoint) -> int:
    if answer.size > newest.size:
        raise VerificationError(
            "parent.conflict", f"the parent holds {answer.size} entries of this log, the database only {newest.size}"
        )
    return answer.size


def _as_parent(error: LedgerError) -> LedgerError:
    """The error of an exchange, under the name of what was asked."""
    return type(error)(_CODES[error.code], str(error).replace("witness", "parent"))


def _fetch(workspace: Workspace, settings: ParentSettings, key: NoteKey, size: int) -> bool:
    """Fetch the evidence for our checkpoint of ``size`` and keep it once it is checked; whether it is anchored."""
    origin = workspace.settings.origin
    url = f"{settings.url.rstrip('/')}/children/evidence"
    try:
        data = fetch(url, {"origin": origin, "size": str(size)}, settings.timeout, PARENT_EVIDENCE_MAX_BYTES)
    except LedgerError as error:
        raise _as_parent(error) from error
    with workspace.database.read() as connection:
        try:
            evidence = parse_parent_evidence(data)
            verify_receipt(parse_receipt(evidence.parents[0].receipt), evidence.parents[0].entry, key)
            held = check_parent_evidence(data, workspace.log(connection), workspace.log_key, size)
        except (MalformedError, VerificationError) as error:
            raise VerificationError("parent.evidence", f"what the parent handed out is false: {error}") from error
    with workspace.database.write() as connection:
        SqlParentEvidence(connection).put(held, data, anchored=bool(evidence.anchors))
    return bool(evidence.anchors)


def check_parents_word(workspace: Workspace, data: bytes, profiles: Sequence[TrustProfile]) -> None:
    """Verify what the parent of the settings signed, and its anchors on chains of ``profiles``; of others nothing is
    known here. Raises MalformedError, VerificationError.
    """
    if workspace.settings.parent is None:
        return
    key, evidence = parent_settings(workspace)[1], parse_parent_evidence(data)
    receipt = parse_receipt(evidence.parents[0].receipt)
    if read_checkpoint(receipt.checkpoint_note).origin == key.name:
        verify_receipt(receipt, evidence.parents[0].entry, key)
    for anchor in evidence.anchors:
        try:
            proof = read_anchor_proof(dump_json(anchor))
        except UnavailableError:
            continue  # of a kind that this version does not know
        if proof.origin == key.name and any(profile.profile_id == proof.profile_id for profile in profiles):
            check_stored_proof(dump_json(anchor), profiles, log_key=key)


def check_parent_evidence(data: bytes, log: LogReader, log_key: NoteKey, size: int) -> int:
    """The size of the checkpoint in the parent's entry, which this log signed and which holds ``size`` entries.

    Who the parent is, is not asked: its settings may have changed since. Raises MalformedError, VerificationError.
    """
    first = parse_parent_evidence(data).parents[0]
    child = open_child_entry(first.entry, log_key)
    own = log.own_checkpoint_at(child.size)
    if child.size < size or own is None or read_checkpoint(own) != child:
        raise VerificationError("parent.evidence", "the entry is not a checkpoint of this log that covers the size")
    receipt = parse_receipt(first.receipt)
    verify_receipt_inclusion(receipt, leaf_hash(first.entry), read_checkpoint(receipt.checkpoint_note))
    return child.size
