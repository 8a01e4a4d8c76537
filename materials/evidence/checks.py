"""The single checks behind a verification report: each returns what it proved, or raises why it could not.

MalformedError and VerificationError mean "invalid", UnavailableError "undetermined"; ``materials.verification`` turns
them into findings.
"""

from collections.abc import Sequence

from anchors import VerifiedAnchor, parse_anchor_proof, verify_anchor_proof
from ledger import Checkpoint, leaf_hash, open_checkpoint, parse_receipt, verify_receipt_inclusion
from materials.claims import STATEMENT_TYP, StatementClaims
from materials.files import FileRecord
from materials.statement import MAX_STATEMENT_BYTES
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import KeyStanding, check_key
from signing import (
    FileDigests,
    JsonValue,
    KeyId,
    PublicKey,
    UnavailableError,
    VerificationError,
    parse_jws,
    parse_note,
    verify_jws,
)


def find_issuing_key(trust: VerifiedTrustList, kid: KeyId) -> PublicKey | None:
    """The issuing key of this thumbprint, whoever has it: ``check_issuer`` asks if it is the issuer's."""
    for entity in trust.list.entities:
        for key in entity.keys:
            if key.key_id == kid and key.role == "issue":
                return key.public_key
    return None


def check_signature(text: str, claims: StatementClaims | None, trust: VerifiedTrustList) -> PublicKey:
    """The issuer-signed JWT of statement ``text`` verifies with the listed issuing key that is returned.

    A known issuer with an unlisted key is a forgery (VerificationError ``signature.key``); a key of an issuer that the
    trust list does not know can't be judged (UnavailableError ``signature.unknown-key``).
    """
    jws = parse_jws(text.partition("~")[0], typ=STATEMENT_TYP, max_bytes=MAX_STATEMENT_BYTES)
    key = find_issuing_key(trust, jws.kid)
    if key is None:
        if claims is not None and any(entity.id == claims.iss for entity in trust.list.entities):
            raise VerificationError("signature.key", "the key that signed is not one of the issuer's listed keys")
        raise UnavailableError("signature.unknown-key", "the trust list knows neither the issuer nor the key")
    verify_jws(jws, key)
    return key


def check_issuer(
    claims: StatementClaims, kid: KeyId, trust: VerifiedTrustList, *, now: int, proven_at: int | None
) -> KeyStanding:
    """The signing key is the claimed issuer's, in the role ``issue``, for this type, at the time of issue."""
    entity = next((entity for entity in trust.list.entities if entity.id == claims.iss), None)
    if entity is None:
        raise VerificationError("issuer.unknown", "the trust list does not know this issuer")
    key = trust.list.find_key(claims.iss, kid, "issue")
    return check_key(key, entity=entity, role="issue", at=claims.iat, now=now, proven_at=proven_at, vct=claims.vct)


def check_checkpoint(note: bytes, trust: VerifiedTrustList) -> Checkpoint:
    """The note is a checkpoint signed by the trusted log that it names."""
    origin = parse_note(note).text.partition(b"\n")[0].decode("utf-8")
    return open_checkpoint(note, trust.list.find_log(origin))


def check_inclusion(receipt: bytes, entry: bytes, checkpoint: Checkpoint) -> int:
    """``entry`` is in the tree of ``checkpoint``, at the index returned."""
    parsed = parse_receipt(receipt)
    verify_receipt_inclusion(parsed, leaf_hash(entry), checkpoint)
    return parsed.index


def check_logged(entry: bytes, receipt: bytes, trust: VerifiedTrustList) -> None:
    """Checkpoint and inclusion at once, for events and usage records."""
    checkpoint = check_checkpoint(parse_receipt(receipt).checkpoint_note, trust)
    check_inclusion(receipt, entry, checkpoint)


def check_anchor(anchor: JsonValue, checkpoint: Checkpoint | None, trust: VerifiedTrustList) -> VerifiedAnchor:
    """The receipt's tree, or a later one that extends it, is proved on a trusted chain."""
    if anchor is None:
        raise UnavailableError("anchor.pending", "the bundle holds no anchor proof: not anchored yet, or left out")
    proof = parse_anchor_proof(anchor)
    verified = verify_anchor_proof(proof, trust.list.chains, log_key=trust.list.find_log(proof.origin))
    if checkpoint is None:
        raise UnavailableError("anchor.no-checkpoint", "the anchor holds, but there is no proved checkpoint it covers")
    verified.check_covers(checkpoint)
    return verified


def check_file(file: FileDigests, recorded: Sequence[FileRecord]) -> None:
    """The file's size and both its digests are those of one file in the statement."""
    if not recorded:
        raise UnavailableError("file.not-disclosed", "the bundle discloses no file digest to compare with")
    if not any((file.sha256, file.sm3, file.size) == (own.sha256, own.sm3, own.size) for own in recorded):
        raise VerificationError("file.digest", "the file is not the one that the issuer signed")
