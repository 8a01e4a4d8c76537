"""The families of error."""

from signing import LedgerError, MalformedError, RefusedError, UnavailableError, VerificationError


def test_error_families() -> None:
    error = RefusedError("grant.scope", "out of scope")
    assert (error.code, str(error)) == ("grant.scope", "out of scope")
    assert isinstance(error, VerificationError)
    for family in (MalformedError, VerificationError, UnavailableError):
        assert family.__bases__ == (LedgerError,)
