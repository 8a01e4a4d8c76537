"""Usage records as signed by the home (JWS ``usage-record+jwt``), one hash chain per owner and home.

Each record names the hash of the one before, so that none can be taken out unseen; the log holds a commitment to each.
Refused attempts are recorded too. Standard: credentials reference §7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from materials.grants.usage_record import UsageRecord, read_record, record_to_json
from signing.digests import sha256
from signing.errors import VerificationError
from signing.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from signing.keys import PublicKey, Signer

USAGE_TYP: Final = "usage-record+jwt"
MAX_USAGE_BYTES: Final = 32768
COMMITMENT_KIND: Final = "usage-record"
"""The kind of the commitment by which the log holds a record."""


@dataclass(frozen=True, slots=True)
class UnverifiedUsage:
    """A well-formed record whose signature nobody has checked yet."""

    jws: UnverifiedJws
    record: UsageRecord


@dataclass(frozen=True, slots=True)
class VerifiedUsage:
    """A record that the home signed. Only ``verify_usage`` makes one."""

    text: str
    record: UsageRecord

    @property
    def text_hash(self) -> bytes:
        """SHA-256 of the text: what the next record's ``prev`` holds."""
        return usage_hash(self.text)


def usage_hash(text: str) -> bytes:
    """SHA-256 of the ASCII text of a record."""
    return sha256(text.encode("ascii"))


def issue_usage(signer: Signer, record: UsageRecord) -> str:
    """Sign ``record`` with the home's key of role ``grant``; the compact JWS."""
    return sign_jws(signer, typ=USAGE_TYP, claims=record_to_json(record))


def parse_usage(text: str) -> UnverifiedUsage:
    """Take a record apart, strictly. Raises MalformedError; proves nothing."""
    jws = parse_jws(text, typ=USAGE_TYP, max_bytes=MAX_USAGE_BYTES)
    return UnverifiedUsage(jws, read_record(jws.claims()))


def verify_usage(unverified: UnverifiedUsage, key: PublicKey) -> VerifiedUsage:
    """Check the signature; raises VerificationError. That ``key`` was the home's to use is for the caller to check."""
    verify_jws(unverified.jws, key)
    return VerifiedUsage(unverified.jws.text, unverified.record)


def verify_usage_chain(usages: Sequence[VerifiedUsage]) -> tuple[UsageRecord, ...]:
    """Check that ``usages`` are all records of one owner at one home from the first on, in order, none missing.

    Raises VerificationError: ``usage.subject``, ``usage.gap``, ``usage.prev``. That the last one is the newest can be
    seen only from the log.
    """
    previous: bytes | None = None
    for number, usage in enumerate(usages):
        record = usage.record
        first = usages[0].record
        if (record.home, record.subject) != (first.home, first.subject):
            raise VerificationError("usage.subject", f"usage record {number} is of another owner or home")
        if record.seq != number:
            raise VerificationError("usage.gap", f"usage record {number} is missing or out of order")
        if record.prev != previous:
            raise VerificationError("usage.prev", f"usage record {number} does not follow from the one before")
        previous = usage.text_hash
    return tuple(usage.record for usage in usages)
