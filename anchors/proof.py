"""The anchor proof ``anchor-proof/v1``: which kind it is, and the kind ``storage`` taken apart.

Every member is needed for the verdict: nothing rides along unproved, so any changed byte is noticed. The format is in
docs/formats.md; ``anchors.verify`` checks what is parsed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.answers import AnswersProof, answers_proof_to_json, parse_answers_proof
from anchors.claim import ANCHOR_PROOF_VERSION, CLAIM_MEMBERS, CLAIM_OPTIONAL, AnchorClaim, claim_to_json, parse_claim
from anchors.header import HEADER_MAX_BYTES, HEADERS_MAX
from anchors.hexdata import from_hex, to_hex
from anchors.stateproof import NODE_MAX_BYTES, PROOF_MAX_NODES
from signing import JsonValue, MalformedError, UnavailableError, json_list, json_object, json_str, parse_json

ANCHOR_PROOF_MAX_BYTES: Final = 1 << 20
_MAX_HANDOFF: Final = 16
_LABELS: Final = ("anchor.root", "anchor.meta", "head")
_REQUIRED: Final = (*CLAIM_MEMBERS, "headers", "handoff", "accountProof", "storage")


@dataclass(frozen=True, slots=True)
class AnchorProof(AnchorClaim):
    """A parsed, unverified proof that a checkpoint stood in the contract in a sealed block (kind ``storage``).

    Nodes and headers are raw RLP. ``head_proof`` may miss; ``descendants`` follow ``header``, on Clique chains only.
    """

    header: bytes
    handoff: tuple[bytes, ...]
    account_proof: tuple[bytes, ...]
    root_proof: tuple[bytes, ...]
    meta_proof: tuple[bytes, ...]
    head_proof: tuple[bytes, ...] | None
    descendants: tuple[bytes, ...] = ()


AnyAnchorProof = AnchorProof | AnswersProof


def _nodes(value: JsonValue, what: str) -> tuple[bytes, ...]:
    items = json_list(value, what=what, max_items=PROOF_MAX_NODES)
    return tuple(from_hex(item, what=what, max_bytes=NODE_MAX_BYTES) for item in items)


def _headers(value: JsonValue, what: str, max_items: int) -> tuple[bytes, ...]:
    items = json_list(value, what=what, max_items=max_items)
    return tuple(from_hex(item, what=what, max_bytes=HEADER_MAX_BYTES) for item in items)


def _storage(value: JsonValue) -> dict[str, tuple[bytes, ...]]:
    what = "anchor proof storage"
    entries = [
        json_object(item, what=what, required=("label", "proof")) for item in json_list(value, what=what, max_items=3)
    ]
    labels = tuple(json_str(entry["label"], what=f"{what} label", max_length=32) for entry in entries)
    if labels not in (_LABELS[:2], _LABELS):
        raise MalformedError("anchor.storage-labels", f"{what}: the labels are {', '.join(_LABELS)}, in this order")
    return {label: _nodes(entry["proof"], what) for label, entry in zip(labels, entries, strict=True)}


def _parse_storage_proof(value: JsonValue) -> AnchorProof:
    members = json_object(value, what="anchor proof", required=_REQUIRED, optional=CLAIM_OPTIONAL)
    headers = _headers(members["headers"], "anchor proof headers", HEADERS_MAX)
    if not headers:
        raise MalformedError("anchor.headers", "anchor proof: a header is needed")
    storage, claim = _storage(members["storage"]), parse_claim(members)
    return AnchorProof(
        profile_id=claim.profile_id,
        checkpoint_note=claim.checkpoint_note,
        origin=claim.origin,
        size=claim.size,
        root=claim.root,
        log_proof=claim.log_proof,
        contract=claim.contract,
        header=headers[0],
        descendants=headers[1:],
        handoff=_headers(members["handoff"], "anchor proof handoff", _MAX_HANDOFF),
        account_proof=_nodes(members["accountProof"], "anchor proof accountProof"),
        root_proof=storage["anchor.root"],
        meta_proof=storage["anchor.meta"],
        head_proof=storage.get("head"),
    )


def parse_anchor_proof(value: JsonValue) -> AnyAnchorProof:
    """Take an anchor proof apart; proves nothing.

    Raises MalformedError (``form.*``, ``anchor.*``), UnavailableError (``anchor.unsupported``) for the kind
    ``receipt``, which a later version will know.
    """
    if not isinstance(value, dict):
        raise MalformedError("form.type", "anchor proof: an object is needed")
    if value.get("version", ANCHOR_PROOF_VERSION) != ANCHOR_PROOF_VERSION:
        raise MalformedError("form.version", f"anchor proof: version is not {ANCHOR_PROOF_VERSION}")
    kind = value.get("kind", "storage")  # without one, its members are found missing
    if kind == "storage":
        return _parse_storage_proof(value)
    if kind == "answers":
        return parse_answers_proof(value)
    if kind == "receipt":
        raise UnavailableError("anchor.unsupported", "anchor proof: kind receipt is reserved, this version can't tell")
    raise MalformedError("anchor.kind", "anchor proof: kind is not storage or answers")


def read_anchor_proof(data: bytes) -> AnyAnchorProof:
    """Parse the JSON bytes of one anchor proof; raises as ``parse_anchor_proof`` does."""
    return parse_anchor_proof(parse_json(data, what="anchor proof", max_bytes=ANCHOR_PROOF_MAX_BYTES))


def _hex_list(items: Sequence[bytes]) -> list[JsonValue]:
    return [to_hex(item) for item in items]


def anchor_proof_to_json(proof: AnyAnchorProof) -> dict[str, JsonValue]:
    """Write a proof in the form ``parse_anchor_proof`` reads; ``signing.dump_json`` makes its canonical bytes."""
    if isinstance(proof, AnswersProof):
        return answers_proof_to_json(proof)
    chains = [proof.root_proof, proof.meta_proof] + ([] if proof.head_proof is None else [proof.head_proof])
    return {
        **claim_to_json("storage", proof),
        "headers": _hex_list([proof.header, *proof.descendants]),
        "handoff": _hex_list(proof.handoff),
        "accountProof": _hex_list(proof.account_proof),
        "storage": [{"label": label, "proof": _hex_list(nodes)} for label, nodes in zip(_LABELS, chains, strict=False)],
    }
