"""Verifying many anchor proofs, of which most are the same one: seals are recovered once for each distinct proof."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from anchors.answers import AnswersProof
from anchors.profile import TrustProfile, find_profile
from anchors.proof import ANCHOR_PROOF_MAX_BYTES, parse_anchor_proof
from anchors.verify import RecordedAnchor, VerifiedAnchor, check_claim, check_recorded_anchor, verify_anchor_proof
from signing import JsonValue, MalformedError, NoteKey, dump_json, sha256

DEFAULT_ENTRIES: Final = 256

CheckedAnchor = VerifiedAnchor | RecordedAnchor


@dataclass(frozen=True, slots=True)
class _Seen:
    """A proof that held, and by what: it holds again only for the same profile and log key."""

    anchor: CheckedAnchor
    profile: TrustProfile
    log_key: NoteKey


class AnchorVerifier:
    """Checks anchor proofs and remembers those that held, by the SHA-256 of their canonical bytes.

    At most ``entries`` are kept, the least recently used is forgotten first; what does not hold is never kept. One
    object may serve any number of threads. A verdict is the same as without it: profile and log key are looked up each
    time, and what was remembered counts only if both are equal to those of then.
    """

    def __init__(self, entries: int = DEFAULT_ENTRIES) -> None:
        self._entries = entries
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._lock = Lock()

    def check(
        self, value: JsonValue, profiles: Sequence[TrustProfile], *, log_key: Callable[[str], NoteKey]
    ) -> CheckedAnchor:
        """The anchor that ``value``, the JSON of one proof, proves; of kind ``answers``, the record that it is.

        ``log_key`` gives the trusted key of a log by its origin, or raises UnavailableError. Raises as
        ``parse_anchor_proof`` and ``verify_anchor_proof`` do.
        """
        data = dump_json(value)
        if len(data) > ANCHOR_PROOF_MAX_BYTES:
            raise MalformedError("form.size", f"anchor proof: larger than {ANCHOR_PROOF_MAX_BYTES} bytes")
        digest = sha256(data)
        with self._lock:
            seen = self._seen.get(digest)
            if seen is not None:
                self._seen.move_to_end(digest)
        if seen is not None and self._still_holds(seen, profiles, log_key):
            return seen.anchor
        new = self._check(value, profiles, log_key)
        with self._lock:
            self._seen[digest] = new
            self._seen.move_to_end(digest)
            while len(self._seen) > self._entries:
                self._seen.popitem(last=False)
        return new.anchor

    def _still_holds(self, seen: _Seen, profiles: Sequence[TrustProfile], log_key: Callable[[str], NoteKey]) -> bool:
        profile = find_profile(profiles, seen.profile.profile_id)
        return (profile, log_key(seen.anchor.checkpoint.origin)) == (seen.profile, seen.log_key)

    def _check(self, value: JsonValue, profiles: Sequence[TrustProfile], log_key: Callable[[str], NoteKey]) -> _Seen:
        proof = parse_anchor_proof(value)
        check_claim(proof)
        key, profile = log_key(proof.origin), find_profile(profiles, proof.profile_id)
        if isinstance(proof, AnswersProof):
            return _Seen(check_recorded_anchor(proof, [profile], log_key=key), profile, key)
        return _Seen(verify_anchor_proof(proof, [profile], log_key=key), profile, key)
