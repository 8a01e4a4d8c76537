"""What is said of logs as JSON."""

from pydantic import Field

from api.http.models import Strict
from api.logs import HeldLog


class LogEntry(Strict):
    """A log of this home; ``url`` is the prefix of its read path (C2SP tlog-tiles) on this host."""

    origin: str = Field(examples=["example.gov/licences"])
    url: str = Field(examples=["/logs/2/"])
    vkey: str | None = Field(examples=["example.gov/licences+24b744e9+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"])
    size: int = Field(examples=[42])
    entry_limit: int = Field(examples=[65535], description="largest entry in bytes")
    frozen: bool = Field(description="takes no more entries; what it has is read and proved as before")

    @classmethod
    def of(cls, log: HeldLog) -> "LogEntry":
        """That of ``log``."""
        terms = log.terms
        return cls(
            origin=terms.origin,
            url="/log/" if log.is_own else f"/logs/{terms.number}/",
            vkey=None if log.key is None else log.key.format(),
            size=log.size,
            entry_limit=terms.entry_limit,
            frozen=terms.frozen,
        )


class LogList(Strict):
    """All logs of this home, by origin."""

    logs: list[LogEntry]


class Sizes(Strict):
    """Sizes at which a log signed a checkpoint, rising; ``next`` is the value of ``after`` that goes on, null at the
    end.
    """

    sizes: list[int] = Field(examples=[[1, 3, 8]])
    next: int | None = Field(examples=[8])
