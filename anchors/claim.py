"""What every ``anchor-proof/v1`` is about, whatever kind of evidence follows: the members that all kinds share."""

from dataclasses import dataclass
from typing import Final

from anchors.hexdata import address_from_hex, to_hex
from signing import JsonValue, MalformedError, b64_decode, b64_encode, json_int, json_list, json_object, json_str

ANCHOR_PROOF_VERSION: Final = "anchor-proof/v1"
CLAIM_MEMBERS: Final = ("version", "kind", "profileId", "checkpointNote", "origin", "anchored", "contract")
CLAIM_OPTIONAL: Final = ("logProof",)
_MAX_LOG_HASHES: Final = 64
_NOTE_MAX_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class LogProof:
    """Consistency (RFC 9162 §2.1.4) of an older tree of the log with the anchored one."""

    size: int
    root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AnchorClaim:
    """An unverified claim that a contract holds (origin, size, root), with the log's signed note of it."""

    profile_id: str
    checkpoint_note: bytes
    origin: str
    size: int
    root: bytes
    log_proof: LogProof | None
    contract: bytes


def _root(value: JsonValue, what: str) -> bytes:
    root = b64_decode(json_str(value, what=what, max_length=44), what=what)
    if len(root) != 32:
        raise MalformedError("form.base64", f"{what}: 32 bytes are needed")
    return root


def _log_proof(value: JsonValue) -> LogProof:
    what = "anchor proof logProof"
    members = json_object(value, what=what, required=("size", "root", "consistency"))
    hashes = json_list(members["consistency"], what=what, max_items=_MAX_LOG_HASHES)
    return LogProof(
        size=json_int(members["size"], what=f"{what} size", minimum=1),
        root=_root(members["root"], f"{what} root"),
        hashes=tuple(_root(item, f"{what} consistency") for item in hashes),
    )


def parse_claim(members: dict[str, JsonValue]) -> AnchorClaim:
    """Read the members of ``CLAIM_MEMBERS`` (but version and kind); raises MalformedError (``form.*``)."""
    anchored = json_object(members["anchored"], what="anchor proof anchored", required=("size", "root"))
    note = json_str(members["checkpointNote"], what="anchor proof checkpointNote", max_length=_NOTE_MAX_CHARACTERS)
    return AnchorClaim(
        profile_id=json_str(members["profileId"], what="anchor proof profileId", max_length=128),
        checkpoint_note=note.encode("utf-8"),
        origin=json_str(members["origin"], what="anchor proof origin", max_length=255),
        size=json_int(anchored["size"], what="anchor proof anchored size", minimum=1),
        root=_root(anchored["root"], "anchor proof anchored root"),
        log_proof=_log_proof(members["logProof"]) if "logProof" in members else None,
        contract=address_from_hex(members["contract"], what="anchor proof contract"),
    )


def claim_to_json(kind: str, claim: AnchorClaim) -> dict[str, JsonValue]:
    """Write the members that ``parse_claim`` reads, with version and kind."""
    value: dict[str, JsonValue] = {
        "version": ANCHOR_PROOF_VERSION,
        "kind": kind,
        "profileId": claim.profile_id,
        "checkpointNote": claim.checkpoint_note.decode("utf-8"),
        "origin": claim.origin,
        "anchored": {"size": claim.size, "root": b64_encode(claim.root)},
        "contract": to_hex(claim.contract),
    }
    if claim.log_proof is not None:
        value["logProof"] = {
            "size": claim.log_proof.size,
            "root": b64_encode(claim.log_proof.root),
            "consistency": [b64_encode(item) for item in claim.log_proof.hashes],
        }
    return value
