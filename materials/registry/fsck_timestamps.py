"""Check the time stamps that the home keeps against the statements and checkpoints that they are over."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from materials.bundle import BundledTimestamp
from materials.evidence.times import check_timestamp
from materials.registry.fsck import StoreFinding, attempt, each
from materials.registry.ports import TimestampStore
from materials.registry.records import KeptTimestamp, StampedKind
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError, VerificationError, sha256
from signing.rfc3161.timestamps import parse_timestamp


def check_timestamps(
    timestamps: TimestampStore, messages: Iterator[tuple[StampedKind, bytes]], *, trust: VerifiedTrustList, now: int
) -> Iterator[StoreFinding]:
    """Each token must be over one of ``messages`` (all that could be stamped) and good by ``trust``.

    Whether its authority is still listed, or a revocation list at hand, is no question here: that changes no byte.
    Yields nothing if all is well; keeps a digest of each stamped message in memory.
    """
    digests: set[bytes] = set()
    yield from attempt("timestamp", lambda: digests.update(stamp.digest for stamp in timestamps.all()))

    def check_message(stampable: tuple[StampedKind, bytes]) -> Iterator[StoreFinding]:
        over, message = stampable
        digest = sha256(message)
        if digest in digests:
            digests.remove(digest)
            for stamp in timestamps.of(digest):
                where = f"timestamp {digest.hex()[:16]} {stamp.service}"
                yield from attempt(where, partial(_check, stamp, over, message, trust, now))

    yield from each("timestamp", messages, check_message)
    for digest in sorted(digests):
        where = f"timestamp {digest.hex()[:16]}"
        yield StoreFinding("fsck.timestamp-subject", where, "what this time stamp is over is not here")


def _check(stamp: KeptTimestamp, over: StampedKind, message: bytes, trust: VerifiedTrustList, now: int) -> None:
    if (stamp.over, stamp.gen_time) != (over, parse_timestamp(stamp.token).gen_time):
        raise VerificationError("fsck.row-differs", "a column differs from the time stamp")
    with suppress(UnavailableError):
        check_timestamp(BundledTimestamp(stamp.over, stamp.token), message, trust, now)
