"""The facet ``timestamp`` of a bundle, and by when something in it provably existed."""

from collections.abc import Sequence
from dataclasses import dataclass

from anchors import VerifiedAnchor
from ledger import Checkpoint
from materials.bundle import BundledTimestamp
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError
from signing.rfc3161.timestamps import VerifiedTimestamp, parse_timestamp, verify_timestamp


@dataclass(frozen=True, slots=True)
class TimeProofs:
    """What dates the statement, and the trees that entries of the bundle are in. Times are Unix seconds.

    ``anchors``, strongest first, cover ``checkpoint``, the proved one of the receipt; ``included`` whether the
    statement is in its tree. Of the anchors only the strongest date anything: a weaker one's time is a weaker word.
    The other two are times by which time stamps prove the statement, or the checkpoint, to have existed.
    """

    anchors: tuple[VerifiedAnchor, ...] = ()
    checkpoint: Checkpoint | None = None
    included: bool = False
    statement_stamped_at: int | None = None
    checkpoint_stamped_at: int | None = None

    @property
    def anchored_at(self) -> int | None:
        """The block time of the anchor, if it is of a tree with the statement."""
        return _strongest_time(self.anchors) if self.included else None

    @property
    def timestamped_at(self) -> int | None:
        """By when the statement existed by the word of a time-stamping authority."""
        return _earliest(self.statement_stamped_at, self.checkpoint_stamped_at if self.included else None)

    @property
    def proven_at(self) -> int | None:
        """By when the statement existed at the latest, whoever proves it."""
        return _earliest(self.anchored_at, self.timestamped_at)

    def existed_by(self, checkpoint: Checkpoint | None) -> int | None:
        """By when every entry included in ``checkpoint`` existed; None if nothing proves a time."""
        if checkpoint is None:
            return None
        covering = [
            anchor for anchor in self.anchors if checkpoint in (self.checkpoint, anchor.checkpoint, anchor.older)
        ]
        return _earliest(
            _strongest_time(covering),
            self.checkpoint_stamped_at if checkpoint == self.checkpoint else None,
        )


def _strongest_time(anchors: Sequence[VerifiedAnchor]) -> int | None:
    """The earliest block time among the anchors of the highest grade."""
    return _earliest(*(anchor.block_time for anchor in anchors if anchor.grade is anchors[0].grade))


def _earliest(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)


def check_timestamp(stamp: BundledTimestamp, message: bytes, trust: VerifiedTrustList, now: int) -> VerifiedTimestamp:
    """The token is a trusted time-stamping authority's, over ``message``, whether or not that itself is proved.

    Raises MalformedError, VerificationError (``timestamp.*``, ``certificate.*``), UnavailableError
    ``timestamp.authority`` if the trust list names no root that the token leads to, ``certificate.revocation``.
    """
    timestamp = parse_timestamp(stamp.token)
    authorities = trust.list.authorities_for("timestamp")
    for revocation in ("crl", "none"):
        roots = [authority.certificate for authority in authorities if authority.revocation == revocation]
        try:
            return verify_timestamp(
                timestamp, message, roots=roots, crls=trust.crls, crl_required=revocation == "crl", now=now
            )
        except UnavailableError as error:
            if error.code != "timestamp.authority":
                raise
    raise UnavailableError("timestamp.authority", "the trust list does not name the time stamp's authority")
