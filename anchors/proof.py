"""The anchor proof: evidence that a checkpoint stood in the anchor contract in a sealed block (``anchor-proof/v1``).

Every member is needed for the verdict: nothing rides along unproved, so any changed byte is noticed. The format is in
docs/formats.md; ``anchors.verify`` checks what is parsed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.header import HEADER_MAX_BYTES
from anchors.hexdata import address_from_hex, from_hex, to_hex
from anchors.stateproof import NODE_MAX_BYTES, PROOF_MAX_NODES
from signing import (
    JsonValue,
    MalformedError,
    b64_decode,
    b64_encode,
    json_int,
    json_list,
    json_object,
    json_str,
    parse_json,
)

ANCHOR_PROOF_VERSION: Final = "anchor-proof/v1"
ANCHOR_PROOF_MAX_BYTES: Final = 1 << 20
_MAX_HEADERS: Final = 16
_MAX_LOG_HASHES: Final = 64
_NOTE_MAX_CHARACTERS: Final = 4096
_LABELS: Final = ("anchor.root", "anchor.meta", "head")
_REQUIRED: Final = (
    "version",
    "profileId",
    "kind",
    "checkpointNote",
    "origin",
    "anchored",
    "headers",
    "handoff",
    "contract",
    "accountProof",
    "storage",
)


@dataclass(frozen=True, slots=True)
class LogProof:
    """Consistency (RFC 9162 §2.1.4) of an older tree of the log with the anchored one."""

    size: int
    root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AnchorProof:
    """A parsed, unverified anchor proof. Nodes and headers are raw RLP; ``head_proof`` and ``log_proof`` may miss."""

    profile_id: str
    checkpoint_note: bytes
    origin: str
    size: int
    root: bytes
    log_proof: LogProof | None
    header: bytes
    handoff: tuple[bytes, ...]
    contract: bytes
    account_proof: tuple[bytes, ...]
    root_proof: tuple[bytes, ...]
    meta_proof: tuple[bytes, ...]
    head_proof: tuple[bytes, ...] | None


def _root(value: JsonValue, what: str) -> bytes:
    root = b64_decode(json_str(value, what=what, max_length=44), what=what)
    if len(root) != 32:
        raise MalformedError("form.base64", f"{what}: 32 bytes are needed")
    return root


def _nodes(value: JsonValue, what: str) -> tuple[bytes, ...]:
    items = json_list(value, what=what, max_items=PROOF_MAX_NODES)
    return tuple(from_hex(item, what=what, max_bytes=NODE_MAX_BYTES) for item in items)


def _headers(value: JsonValue, what: str) -> tuple[bytes, ...]:
    items = json_list(value, what=what, max_items=_MAX_HEADERS)
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


def _log_proof(value: JsonValue) -> LogProof:
    what = "anchor proof logProof"
    members = json_object(value, what=what, required=("size", "root", "consistency"))
    hashes = json_list(members["consistency"], what=what, max_items=_MAX_LOG_HASHES)
    return LogProof(
        size=json_int(members["size"], what=f"{what} size", minimum=1),
        root=_root(members["root"], f"{what} root"),
        hashes=tuple(_root(item, f"{what} consistency") for item in hashes),
    )


def _note(value: JsonValue) -> bytes:
    return json_str(value, what="anchor proof checkpointNote", max_length=_NOTE_MAX_CHARACTERS).encode("utf-8")


def _check_kind(members: dict[str, JsonValue]) -> None:
    if members["version"] != ANCHOR_PROOF_VERSION:
        raise MalformedError("form.version", f"anchor proof: version is not {ANCHOR_PROOF_VERSION}")
    if members["kind"] != "storage":
        raise MalformedError("anchor.kind", "anchor proof: kind is not storage")


def parse_anchor_proof(value: JsonValue) -> AnchorProof:
    """Take an anchor proof apart; proves nothing. Raises MalformedError (``form.*``, ``anchor.*``)."""
    members = json_object(value, what="anchor proof", required=_REQUIRED, optional=("logProof",))
    _check_kind(members)
    anchored = json_object(members["anchored"], what="anchor proof anchored", required=("size", "root"))
    headers = _headers(members["headers"], "anchor proof headers")
    if len(headers) != 1:
        raise MalformedError("anchor.headers", "anchor proof: exactly one header is needed")
    storage = _storage(members["storage"])
    return AnchorProof(
        profile_id=json_str(members["profileId"], what="anchor proof profileId", max_length=128),
        checkpoint_note=_note(members["checkpointNote"]),
        origin=json_str(members["origin"], what="anchor proof origin", max_length=255),
        size=json_int(anchored["size"], what="anchor proof anchored size", minimum=1),
        root=_root(anchored["root"], "anchor proof anchored root"),
        log_proof=_log_proof(members["logProof"]) if "logProof" in members else None,
        header=headers[0],
        handoff=_headers(members["handoff"], "anchor proof handoff"),
        contract=address_from_hex(members["contract"], what="anchor proof contract"),
        account_proof=_nodes(members["accountProof"], "anchor proof accountProof"),
        root_proof=storage["anchor.root"],
        meta_proof=storage["anchor.meta"],
        head_proof=storage.get("head"),
    )


def read_anchor_proof(data: bytes) -> AnchorProof:
    """Parse the JSON bytes of one anchor proof; raises MalformedError."""
    return parse_anchor_proof(parse_json(data, what="anchor proof", max_bytes=ANCHOR_PROOF_MAX_BYTES))


def _hex_list(items: Sequence[bytes]) -> list[JsonValue]:
    return [to_hex(item) for item in items]


def anchor_proof_to_json(proof: AnchorProof) -> dict[str, JsonValue]:
    """Write a proof in the form ``parse_anchor_proof`` reads; ``signing.dump_json`` makes its canonical bytes."""
    chains = [proof.root_proof, proof.meta_proof] + ([] if proof.head_proof is None else [proof.head_proof])
    value: dict[str, JsonValue] = {
        "version": ANCHOR_PROOF_VERSION,
        "profileId": proof.profile_id,
        "kind": "storage",
        "checkpointNote": proof.checkpoint_note.decode("utf-8"),
        "origin": proof.origin,
        "anchored": {"size": proof.size, "root": b64_encode(proof.root)},
        "headers": [to_hex(proof.header)],
        "handoff": _hex_list(proof.handoff),
        "contract": to_hex(proof.contract),
        "accountProof": _hex_list(proof.account_proof),
        "storage": [{"label": label, "proof": _hex_list(nodes)} for label, nodes in zip(_LABELS, chains, strict=False)],
    }
    if proof.log_proof is not None:
        value["logProof"] = {
            "size": proof.log_proof.size,
            "root": b64_encode(proof.log_proof.root),
            "consistency": [b64_encode(item) for item in proof.log_proof.hashes],
        }
    return value
