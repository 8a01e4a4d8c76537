"""Turning outcomes of checks into findings, one per facet."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, TypeVar

from materials.report import Facet, Finding, Verdict
from signing import MalformedError, UnavailableError, VerificationError

T = TypeVar("T")

_SEVERITY: Final = (Verdict.VALID, Verdict.UNDETERMINED, Verdict.INVALID)


@dataclass(slots=True)
class Judge:
    """Collects the worst finding of each facet; a check that raises gives None."""

    findings: dict[Facet, Finding] = field(default_factory=dict)

    def judge(self, facet: Facet, check: Callable[[], T]) -> T | None:
        """What ``check`` proves; an answer that the facet has already stays if it is worse."""
        try:
            proved = check()
        except UnavailableError as error:
            self.find(facet, Verdict.UNDETERMINED, error.code, str(error))
        except (MalformedError, VerificationError) as error:
            self.find(facet, Verdict.INVALID, error.code, str(error))
        else:
            self.find(facet, Verdict.VALID, "ok", "")
            return proved
        return None

    def note(self, facet: Facet, code: str, detail: str) -> None:
        """Say more of a facet if it is valid and nothing was said of it yet."""
        self.find(facet, Verdict.VALID, code, detail)

    def find(self, facet: Facet, verdict: Verdict, code: str, detail: str) -> None:
        """Keep an answer, unless the facet has one that is as bad or worse."""
        old = self.findings.get(facet)
        if old is None or old.code == "ok" or _SEVERITY.index(verdict) > _SEVERITY.index(old.verdict):
            self.findings[facet] = Finding(facet, verdict, code, detail)

    def all(self, required: Collection[Facet] = ()) -> tuple[Finding, ...]:
        """One finding for each facet; those ``required`` that nothing was found of are undetermined."""
        return tuple(self.findings.get(facet) or _unchecked(facet, facet in required) for facet in Facet)


def _unchecked(facet: Facet, required: bool) -> Finding:
    if required:
        return Finding(facet, Verdict.UNDETERMINED, f"{facet}.missing", "asked for, but not there")
    return Finding(facet, Verdict.NOT_CHECKED, "not-checked", "")
