"""One verification: the bundle, by what it is judged, and the findings so far."""

from dataclasses import dataclass, field

from anchors.verifier import AnchorVerifier
from ledger import Policy
from materials.bundle import Bundle
from materials.catalogue import Catalogue
from materials.evidence.judge import Judge
from materials.report import AnchorAnswer
from materials.trust.model import VerifiedTrustList
from signing import CryptoProfile, LedgerError, UnavailableError


@dataclass(slots=True)
class Case:
    """``profiles`` are the crypto profiles of which the statement must show a signature, ``witnesses`` is the policy
    that its checkpoint must satisfy, if any; ``now`` in Unix seconds. ``anchors`` are the answers found so far.
    """

    bundle: Bundle
    trust_or_error: VerifiedTrustList | UnavailableError
    now: int
    catalogue: Catalogue
    profiles: frozenset[CryptoProfile]
    witnesses: Policy | None
    judge: Judge
    verifier: AnchorVerifier
    anchors: list[AnchorAnswer] = field(default_factory=list)

    @property
    def trust(self) -> VerifiedTrustList:
        """The trust list; raises why there is none, so that each check that needs it says so."""
        if isinstance(self.trust_or_error, LedgerError):
            raise self.trust_or_error
        return self.trust_or_error

    @property
    def jwt(self) -> str:
        """The issuer-signed part of the statement: what is signed further, logged and time-stamped."""
        return self.bundle.statement.partition("~")[0]

    @property
    def checkpoint_note(self) -> bytes:
        """The signed checkpoint in the receipt."""
        return self.bundle.receipt.partition(b"\n\n")[2]
