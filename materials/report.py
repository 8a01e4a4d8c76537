"""The verification report: twelve questions, each with its own answer, and never a guess.

An outage, a missing part or an unknown profile is *undetermined*: it reads neither as "invalid" nor as "valid".
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from signing import JsonValue


class Facet(StrEnum):
    """What is asked of a bundle, in the order in which a report shows it."""

    INTEGRITY = "integrity"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    INCLUSION = "inclusion"
    CHECKPOINT = "checkpoint"
    WITNESS = "witness"
    ANCHOR = "anchor"
    TIMESTAMP = "timestamp"
    VALIDITY = "validity"
    STATUS = "status"
    GRANT = "grant"
    FILE = "file"


class Verdict(StrEnum):
    """The four answers."""

    VALID = "valid"
    INVALID = "invalid"
    UNDETERMINED = "undetermined"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One facet's answer: a stable ``code`` for programs and an English ``detail`` without personal data."""

    facet: Facet
    verdict: Verdict
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class AnchorAnswer:
    """What was found of one anchor of the bundle. All but the verdict is None where the anchor does not hold.

    ``size`` of the anchored tree; ``block`` and ``anchored_at`` as the contract stored them, ``as_of_block`` and
    ``as_of`` of the sealed header that proves it (times in Unix seconds).
    """

    verdict: Verdict
    code: str
    detail: str
    profile_id: str | None = None
    chain_id: int | None = None
    size: int | None = None
    grade: str | None = None
    block: int | None = None
    anchored_at: int | None = None
    as_of_block: int | None = None
    as_of: int | None = None


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The answers of one verification at one time.

    ``as_of`` is the decision time, ``status_as_of`` the issue time of the status list that was read, ``anchored_at``
    the block time of the anchor, ``timestamped_at`` the earliest time by which a time stamp proves the statement to
    have existed (all in Unix seconds), ``grade`` the strength of the best anchor, ``anchors`` what was found of each,
    ``trust_stale`` whether a newer trust list should exist by now (None: the one at hand is out of date, not used).
    """

    findings: tuple[Finding, ...]
    as_of: int
    material_id: str | None = None
    issuer: str | None = None
    status_as_of: int | None = None
    anchored_at: int | None = None
    timestamped_at: int | None = None
    grade: str | None = None
    trust_stale: bool | None = None
    anchors: tuple[AnchorAnswer, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The whole: invalid if any facet is, else undetermined if any is, else valid."""
        verdicts = {finding.verdict for finding in self.findings}
        for verdict in (Verdict.INVALID, Verdict.UNDETERMINED):
            if verdict in verdicts:
                return verdict
        return Verdict.VALID

    def __getitem__(self, facet: Facet | str) -> Finding:
        """The finding of one facet."""
        return next(finding for finding in self.findings if finding.facet == facet)

    def to_json(self) -> Mapping[str, JsonValue]:
        """The report as JSON: ``verdict``, ``as_of`` and one member per facet."""
        facets: dict[str, JsonValue] = {
            str(finding.facet): {"verdict": str(finding.verdict), "code": finding.code, "detail": finding.detail}
            for finding in self.findings
        }
        return {
            "verdict": str(self.verdict),
            "as_of": self.as_of,
            "material_id": self.material_id,
            "issuer": self.issuer,
            "status_as_of": self.status_as_of,
            "anchored_at": self.anchored_at,
            "timestamped_at": self.timestamped_at,
            "grade": self.grade,
            "trust_stale": self.trust_stale,
            "anchors": [{**asdict(each), "verdict": str(each.verdict)} for each in self.anchors],
            "facets": facets,
        }
