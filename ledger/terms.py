"""The terms of a log: what is settled when it is created, and whether it was frozen since."""

from dataclasses import dataclass

from signing import NoteKey, RefusedError, VerificationError, sha256


@dataclass(frozen=True, slots=True)
class LogTerms:
    """``number`` stands for the origin in the database. ``vkey`` is the key that signs, None for a log of schema 0002
    that was not appended to since. ``entry_limit`` is the largest entry in bytes. A frozen log takes no more entries.
    """

    origin: str
    number: int
    vkey: str | None
    entry_limit: int
    frozen: bool

    def digest(self) -> bytes:
        """Stored beside the terms, so that a changed bit in them is noticed: it would follow from nothing else."""
        vkey = "" if self.vkey is None else self.vkey
        return sha256(f"{self.origin}\n{self.number}\n{vkey}\n{self.entry_limit}\n{int(self.frozen)}\n".encode())

    def check_writer(self, key: NoteKey) -> None:
        """Return if the holder of ``key`` may append; raises VerificationError ``log.key``, RefusedError
        ``log.frozen``.
        """
        if self.vkey is not None and self.vkey != key.format():
            raise VerificationError("log.key", "the log was created with another key; nothing was signed")
        if self.frozen:
            raise RefusedError("log.frozen", "the log is frozen: it proves what it has, and takes no more entries")
