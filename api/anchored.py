"""Receipts of the home's log with what dates them: the anchors of its chains, and its parent's evidence."""

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from anchors import LogProof, anchor_proof_to_json, read_anchor_proof
from anchors.store import SqlAnchorProofs
from api.anchoring import trusted_scopes
from api.log_reading import accepted_size
from api.workspace import Workspace
from ledger import format_receipt, read_checkpoint
from materials.bundle import BundledParent
from materials.parent_evidence import parse_parent_evidence
from materials.store.parents import SqlParentEvidence
from signing import JsonValue


@dataclass(frozen=True, slots=True)
class Above:
    """What stands above a checkpoint of the home's log: levels of parents, and anchors of their logs."""

    parents: tuple[BundledParent, ...] = ()
    anchors: tuple[JsonValue, ...] = field(default=(), repr=False)


def receipt_of(workspace: Workspace, connection: Connection, index: int, size: int | None = None) -> bytes:
    """The tlog-proof of an entry, in the tree of ``size`` or the latest."""
    return format_receipt(workspace.log(connection).receipt(index, size))


def anchored_receipt(
    workspace: Workspace, connection: Connection, index: int, now: int
) -> tuple[bytes, int, tuple[JsonValue, ...]]:
    """The receipt in the first anchored tree that holds the entry, the tree's size, and a proof of each chain.

    While none is anchored: in the first tree that the parent holds; else in the latest. Where the log has a witness
    policy: in the newest tree up to that one which the policy accepts, if any holds the entry. A larger anchored tree
    than the receipt's comes with the consistency proof from that.
    """
    scopes = trusted_scopes(workspace, connection, now)
    found = (SqlAnchorProofs(connection, scope).covering(index + 1) for scope in scopes)
    covering = sorted(each for each in found if each is not None)
    log = workspace.log(connection)
    first = covering[0] if covering else SqlParentEvidence(connection).covering(index + 1)
    size = log.size() if first is None else first[0]
    size = accepted_size(workspace, connection, index + 1, size, now) or size
    receipt = log.receipt(index, size)
    anchors = []
    for _, data in covering:
        proof = read_anchor_proof(data)
        if proof.size > size:
            root = read_checkpoint(receipt.checkpoint_note).root
            proof = replace(proof, log_proof=LogProof(size, root, tuple(log.consistency_proof(size, proof.size))))
        anchors.append(anchor_proof_to_json(proof))
    return format_receipt(receipt), size, tuple(anchors)


def parents_of(workspace: Workspace, connection: Connection, size: int) -> Above:
    """What the parent handed out about a tree of at least ``size`` entries, joined to the tree of that size."""
    kept = SqlParentEvidence(connection).covering(size)
    if kept is None:
        return Above()
    above_size, data = kept
    growth = workspace.log(connection).consistency_proof(size, above_size) if above_size > size else ()
    evidence = parse_parent_evidence(data).grown_from(tuple(growth))
    return Above(evidence.parents, evidence.anchors)
