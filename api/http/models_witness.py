"""What is said of a witness's evidence as JSON."""

from pydantic import Field

from api.http.models import Strict
from ledger.witness_store import EvidenceHead
from signing import b64_encode


class EvidenceItem(Strict):
    """A request, signed by the log, for a head that it could not or did not prove; ``time`` is when it first came."""

    code: str = Field(examples=["witness.fork"])
    size: int = Field(examples=[8], description="as claimed")
    root: str = Field(examples=["XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="], description="as claimed, base64")
    time: int = Field(examples=[1700000000])
    request: str = Field(description="where the whole request is")
    held: str = Field(description="where the note is that this witness had cosigned then; empty if it had none")

    @classmethod
    def of(cls, head: EvidenceHead, prefix: str) -> "EvidenceItem":
        """That of ``head``; ``prefix`` is the path of the log here."""
        place = f"{prefix}/evidence/{head.code}/{head.size}/{head.root.hex()}"
        return cls(
            code=head.code,
            size=head.size,
            root=b64_encode(head.root),
            time=head.time,
            request=f"{place}/request",
            held=f"{place}/held",
        )


class EvidenceList(Strict):
    """All that was kept of one log."""

    evidence: list[EvidenceItem]
