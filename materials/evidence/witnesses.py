"""Whether enough witnesses cosigned the checkpoint in a receipt, by the relying party's policy (C2SP tlog-policy)."""

from ledger import Policy, VerifiedCheckpoint, read_checkpoint
from materials.trust.model import VerifiedTrustList
from signing import UnavailableError, VerificationError


def check_witnesses(note: bytes, policy: Policy, trust: VerifiedTrustList) -> VerifiedCheckpoint:
    """The checkpoint in ``note``, if ``policy`` accepts it. A policy without log lines is about the trust list's.

    Cosignatures that are not there are missing evidence, not false: witnesses may have signed later. Raises
    UnavailableError (``witness.quorum``) for them, VerificationError (``policy.log``, ``note.signature``,
    ``log.unknown``) and MalformedError for what is wrong.
    """
    if not policy.logs:
        policy = policy.for_log(trust.list.find_log(read_checkpoint(note).origin))
    try:
        return policy.check(note)
    except VerificationError as error:
        if error.code != "policy.quorum":
            raise
        raise UnavailableError("witness.quorum", str(error)) from None
