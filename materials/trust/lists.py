"""The signed trust list (``trust-list+jwt``), and the trust file by which a verifier starts.

The list key is confirmed out of band; everything else a verifier relies on is in the list: organisations and their
keys, logs, chains. A list that is out of date is not used, even if no newer one can be had.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from materials.times import SKEW_SECONDS
from materials.trust.json_form import read_trust_list, trust_list_to_json
from materials.trust.key_check import check_key
from materials.trust.model import TrustList, VerifiedTrustList
from signing.errors import MalformedError, UnavailableError, VerificationError
from signing.jws import parse_jws, sign_jws, verify_jws
from signing.keys import PublicKey, Signer
from signing.strict_json import dump_json, json_object, json_str, parse_json

__all__ = [
    "MAX_TRUST_FILE_BYTES",
    "MAX_TRUST_LIST_BYTES",
    "TRUST_FILE_VERSION",
    "TRUST_LIST_TYP",
    "TrustFile",
    "VerifiedTrustList",
    "check_trust_update",
    "format_trust_file",
    "issue_trust_list",
    "parse_trust_file",
    "parse_trust_list",
    "verify_trust_list",
]

TRUST_LIST_TYP: Final = "trust-list+jwt"
TRUST_FILE_VERSION: Final = "ematerials/trust/v1"
MAX_TRUST_LIST_BYTES: Final = 4 * 1024 * 1024
MAX_TRUST_FILE_BYTES: Final = MAX_TRUST_LIST_BYTES + 4096


@dataclass(frozen=True, slots=True)
class TrustFile:
    """What a verifier is given to start from: the list key, confirmed by other means, and a list."""

    list_key: PublicKey
    trust_list: str = field(repr=False)


def issue_trust_list(signer: Signer, trust_list: TrustList) -> str:
    """Sign a list with the list key; raises MalformedError if it breaks a rule of its form."""
    text = sign_jws(signer, typ=TRUST_LIST_TYP, claims=trust_list_to_json(trust_list))
    parse_trust_list(text)
    return text


def parse_trust_list(text: str) -> TrustList:
    """The content of a list, *unverified*: for a home that reads back what it published itself. MalformedError."""
    return _read(text)


@lru_cache(maxsize=2)
def _read(text: str) -> TrustList:
    """A home reads its present list several times for each request; the content is the same for the same text."""
    return read_trust_list(parse_jws(text, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES).claims())


def verify_trust_list(text: str, list_key: PublicKey, now: int) -> VerifiedTrustList:
    """Check a list with the list key and at ``now`` (Unix seconds).

    Raises MalformedError; VerificationError ``signature.*``, ``time.not-yet``, and ``key.*`` if the list itself names
    its key otherwise than as a list key that counts at its date; UnavailableError ``trust.expired``: an old list says
    nothing of who is trusted today.
    """
    verified = verify_jws(parse_jws(text, typ=TRUST_LIST_TYP, max_bytes=MAX_TRUST_LIST_BYTES), list_key)
    trust_list = _read(text)
    if now < trust_list.iat - SKEW_SECONDS:
        raise VerificationError("time.not-yet", "trust list: issued after this time")
    if now >= trust_list.exp + SKEW_SECONDS:
        raise UnavailableError("trust.expired", "trust list: out of date; get the current one")
    trust = VerifiedTrustList(trust_list, verified.key_id, verified.text)
    _check_list_key(trust, now)
    return trust


def _check_list_key(trust: VerifiedTrustList, now: int) -> None:
    """The first list key is in no list, but confirmed out of band; one that is listed counts as every key does."""
    for entity in trust.list.entities:
        if entity.id == trust.list.iss:
            for key in entity.keys:
                if key.key_id == trust.list_key_id:
                    check_key(key, entity=entity, trust=trust, role="list", at=trust.list.iat, now=now)


def check_trust_update(held: VerifiedTrustList, new: VerifiedTrustList) -> None:
    """Return if ``new`` is the list held, or the next one.

    Raises VerificationError: ``trust.issuer``, ``trust.rollback`` (older), ``trust.split-view`` (same number, other
    text: keep both, raise the alarm), ``trust.gap`` (``prev`` is not the list held; fetch those between).
    """
    if new.list.iss != held.list.iss:
        raise VerificationError("trust.issuer", "trust list: from another issuer than the one held")
    if new.list.seq < held.list.seq:
        raise VerificationError("trust.rollback", "trust list: older than the one held")
    if new.list.seq == held.list.seq:
        if new.text != held.text:
            raise VerificationError("trust.split-view", "trust list: two lists have the same number")
        return
    if new.list.seq != held.list.seq + 1 or new.list.prev != held.digest:
        raise VerificationError("trust.gap", "trust list: does not follow on the one held")


def format_trust_file(trust_file: TrustFile) -> bytes:
    """The trust file as canonical JSON."""
    return dump_json(
        {
            "version": TRUST_FILE_VERSION,
            "list_key": trust_file.list_key.to_jwk(),
            "trust_list": trust_file.trust_list,
        }
    )


def parse_trust_file(data: bytes) -> TrustFile:
    """Read a trust file; its list is not verified yet. Raises MalformedError."""
    value = parse_json(data, what="trust file", max_bytes=MAX_TRUST_FILE_BYTES)
    members = json_object(value, what="trust file", required=("version", "list_key", "trust_list"))
    if members["version"] != TRUST_FILE_VERSION:
        raise MalformedError("form.version", f"trust file: not {TRUST_FILE_VERSION}")
    trust_list = json_str(members["trust_list"], what="trust_list", max_length=MAX_TRUST_LIST_BYTES)
    return TrustFile(PublicKey.from_jwk(members["list_key"], what="list_key"), trust_list)
