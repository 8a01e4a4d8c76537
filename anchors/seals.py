"""Who sealed a block: recover the signers of a header's seals and hold them against a trusted validator set.

Besu's import rule (chain.md §2.2): no duplicate, every signer in the set, at least ceil(2N/3) of them. Floor division
here is a published mistake: with four validators it accepts two seals.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from anchors.header import BftHeader
from signing import VerificationError

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def seal_quorum(validators: int) -> int:
    """Seals needed of ``validators`` members: ceil(2N/3); raises ValueError for an empty set."""
    if validators < 1:
        raise ValueError("an empty validator set has no quorum")
    return -(-2 * validators // 3)


def max_faulty(validators: int) -> int:
    """Members that may misbehave without harm: floor((N−1)/3)."""
    return (validators - 1) // 3


def recover_signer(seal: bytes, digest: bytes) -> bytes:
    """Address that made ``seal`` = r ‖ s ‖ v over the 32-byte ``digest``.

    Only v of 0 or 1 and the lower s are accepted, as honest nodes write them: one spelling per seal.
    Raises VerificationError (``anchor.seal``).
    """
    r, s = int.from_bytes(seal[:32], "big"), int.from_bytes(seal[32:64], "big")
    if len(seal) != 65 or not 0 < r < _ORDER or not 0 < s <= _ORDER // 2 or seal[64] > 1:
        raise VerificationError("anchor.seal", "header: a seal is not 65 bytes of r, low s and v in range")
    try:
        public_key = Signature(seal).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError, ValueError):
        raise VerificationError("anchor.seal", "header: no key can have made a seal") from None
    return public_key.to_canonical_address()


def recover_sealers(header: BftHeader) -> frozenset[bytes]:
    """Addresses of all seals of ``header``; raises VerificationError (``anchor.seal``) for a bad or repeated one."""
    digest = header.seal_hash
    signers = [recover_signer(seal, digest) for seal in header.seals]
    if len(set(signers)) != len(signers):
        raise VerificationError("anchor.seal", "header: two seals are of one validator")
    return frozenset(signers)


def check_ascending(validators: Sequence[bytes]) -> None:
    """Refuse a listed validator set that is not strictly ascending (``anchor.validator-set``)."""
    if any(left >= right for left, right in pairwise(validators)):
        raise VerificationError("anchor.validator-set", "header: the validators are not strictly ascending")


def verify_quorum(sealers: frozenset[bytes], validators: frozenset[bytes]) -> None:
    """Check that all ``sealers`` belong to ``validators`` and are enough of them.

    Raises VerificationError: ``anchor.seal`` for an outsider, ``anchor.quorum`` for too few (or an empty set).
    """
    if not sealers <= validators:
        raise VerificationError("anchor.seal", "header: a seal is not of the validator set")
    if not validators or len(sealers) < seal_quorum(len(validators)):
        needed = seal_quorum(len(validators)) if validators else 1
        raise VerificationError("anchor.quorum", f"header: {len(sealers)} seals, {needed} are needed")
