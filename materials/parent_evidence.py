"""What a parent ledger hands to a child: that a checkpoint of the child stands in its log, and on its chains.

JSON, canonical, with the members ``anchors``, ``parents`` and ``version``. ``parents`` begins with the parent's own
level (its ``growth`` is empty: only the child knows from where); further levels are above it. ``anchors`` are
``anchor-proof/v1`` objects of any of these logs. A child puts all of it into its bundles.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from materials.bundle import (
    MAX_FURTHER_ANCHORS,
    MAX_PARENTS,
    BundledParent,
    parent_to_json,
    parse_parent,
)
from signing import JsonValue, MalformedError, dump_json, json_list, json_object, parse_json

PARENT_EVIDENCE_VERSION: Final = "ematerials/parent-evidence/v1"
PARENT_EVIDENCE_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class ParentEvidence:
    """Levels from the parent upwards, at least one, and the anchors of their logs; nothing of it verified."""

    parents: tuple[BundledParent, ...]
    anchors: tuple[JsonValue, ...] = field(default=(), repr=False)

    def grown_from(self, growth: tuple[bytes, ...]) -> "ParentEvidence":
        """The same with the consistency proof from a checkpoint of the child up to that in the parent's entry."""
        first, *above = self.parents
        return replace(self, parents=(replace(first, growth=growth), *above))


def format_parent_evidence(evidence: ParentEvidence) -> bytes:
    """The canonical bytes."""
    members: dict[str, JsonValue] = {
        "version": PARENT_EVIDENCE_VERSION,
        "parents": [parent_to_json(parent) for parent in evidence.parents],
        "anchors": list(evidence.anchors),
    }
    return dump_json(members)


def parse_parent_evidence(data: bytes) -> ParentEvidence:
    """Read it strictly; raises MalformedError (``form.size``, ``form.json``, ``form.member``, ``form.canonical`` …)."""
    value = parse_json(data, what="parent evidence", max_bytes=PARENT_EVIDENCE_MAX_BYTES)
    members = json_object(value, what="parent evidence", required=("version", "parents", "anchors"))
    if members["version"] != PARENT_EVIDENCE_VERSION:
        raise MalformedError("form.version", f"parent evidence: the version is not {PARENT_EVIDENCE_VERSION}")
    if dump_json(members) != data:
        raise MalformedError("form.canonical", "parent evidence: not in its canonical spelling")
    parents = json_list(members["parents"], what="parents", max_items=MAX_PARENTS)
    anchors = json_list(members["anchors"], what="anchors", max_items=1 + MAX_FURTHER_ANCHORS)
    if not parents or not all(isinstance(anchor, dict) for anchor in anchors):
        raise MalformedError("form.type", "parent evidence: at least one level, and objects as anchors, are needed")
    return ParentEvidence(tuple(parse_parent(parent) for parent in parents), tuple(anchors))
