"""The three families of error, for all packages, by what the caller can do about them.

    LedgerError
    ├── MalformedError      what we were given is not of the form: mend the input
    ├── VerificationError   well-formed, but a proof, signature or rule does not hold: reject
    │   └── RefusedError    a policy or a grant says no: ask for something else
    └── UnavailableError    the check could not be made now: try again; never read as "invalid"

Messages never hold personal data or secrets. Codes are stable: once published, one is never given another meaning.
"""


class LedgerError(Exception):
    """Base of every error that a public function raises on purpose.

    ``code`` is a stable dotted word for programs (``form.json``); ``str(error)`` is for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MalformedError(LedgerError):
    """The input is not of the form its format prescribes."""


class VerificationError(LedgerError):
    """The input is well-formed, but what it claims is not proved."""


class RefusedError(VerificationError):
    """A registration policy or a grant does not allow the request."""


class UnavailableError(LedgerError):
    """Something the check needs could not be had; says nothing about the thing checked."""
