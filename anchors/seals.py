"""Who sealed a block: recover the signers of a header's seals and hold them against a trusted validator set.

Besu's import rule (chain.md §2.2): no duplicate, every signer in the set, at least ceil(2N/3) of them. Floor division
here is a published mistake: with four validators it accepts two seals.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from anchors.account import recover_address
from anchors.header import BftHeader
from anchors.profile import CEIL_2N3, TWO_F_PLUS_1
from anchors.seals_r1 import find_signer_r1
from signing import VerificationError

_SEAL_BYTES: Final = 65


def seal_quorum(validators: int, rule: str = CEIL_2N3) -> int:
    """Seals needed of ``validators`` members: ceil(2N/3), or 2f+1 on a network whose profile says so.

    Raises ValueError for an empty set and for another rule.
    """
    if validators < 1 or rule not in (CEIL_2N3, TWO_F_PLUS_1):
        raise ValueError("an empty validator set has no quorum, nor has an unknown rule")
    return 2 * max_faulty(validators) + 1 if rule == TWO_F_PLUS_1 else -(-2 * validators // 3)


def max_faulty(validators: int) -> int:
    """Members that may misbehave without harm: floor((N−1)/3)."""
    return (validators - 1) // 3


def recover_signer(seal: bytes, digest: bytes) -> bytes:
    """Address that made ``seal`` = r ‖ s ‖ v over the 32-byte ``digest``.

    Only v of 0 or 1 and the lower s are accepted, as honest nodes write them: one spelling per seal.
    Raises VerificationError (``anchor.seal``).
    """
    if len(seal) != _SEAL_BYTES:
        raise VerificationError("anchor.seal", "header: a seal is not 65 bytes")
    signer = recover_address(digest, int.from_bytes(seal[:32]), int.from_bytes(seal[32:64]), seal[64])
    if signer is None:
        raise VerificationError("anchor.seal", "header: no key can have made a seal, or not with low s and v of 0 or 1")
    return signer


def recover_sealers(header: BftHeader, keys_r1: Mapping[bytes, bytes] | None = None) -> frozenset[bytes]:
    """Addresses of all seals of ``header``; raises VerificationError (``anchor.seal``) for a bad or repeated one.

    ``keys_r1``: on a network with secp256r1 seals, the public keys (X‖Y) by address among which a signer is sought.
    """
    digest = header.seal_hash
    if keys_r1 is None:
        signers = [recover_signer(seal, digest) for seal in header.seals]
    else:
        signers = [find_signer_r1(seal, digest, keys_r1) for seal in header.seals]
    if len(set(signers)) != len(signers):
        raise VerificationError("anchor.seal", "header: two seals are of one validator")
    return frozenset(signers)


def check_ascending(validators: Sequence[bytes]) -> None:
    """Refuse a listed validator set that is not strictly ascending (``anchor.validator-set``)."""
    if any(left >= right for left, right in pairwise(validators)):
        raise VerificationError("anchor.validator-set", "header: the validators are not strictly ascending")


def verify_quorum(sealers: frozenset[bytes], validators: frozenset[bytes], rule: str = CEIL_2N3) -> None:
    """Check that all ``sealers`` belong to ``validators`` and are enough of them.

    Raises VerificationError: ``anchor.seal`` for an outsider, ``anchor.quorum`` for too few (or an empty set).
    """
    if not sealers <= validators:
        raise VerificationError("anchor.seal", "header: a seal is not of the validator set")
    needed = seal_quorum(len(validators), rule) if validators else 1
    if len(sealers) < needed:
        raise VerificationError("anchor.quorum", f"header: {len(sealers)} seals, {needed} are needed")
