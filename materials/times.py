"""Validity windows in Unix seconds, with one clock tolerance for everything (RFC 7519 §4.1.4, §4.1.5)."""

from typing import Final

from signing.errors import VerificationError

SKEW_SECONDS: Final = 60


def check_window(*, nbf: int, exp: int, now: int, what: str) -> None:
    """Return if ``nbf − skew ≤ now < exp + skew``.

    Raises VerificationError: ``time.not-yet`` or ``time.expired``, naming ``what``.
    """
    if now < nbf - SKEW_SECONDS:
        raise VerificationError("time.not-yet", f"{what}: not valid yet")
    if now >= exp + SKEW_SECONDS:
        raise VerificationError("time.expired", f"{what}: no longer valid")
