"""Following a validator set through headers that change it (chain.md §5.4), from the set a profile names.

Each hand-over header is sealed by a quorum of the set it lists *and* by at least f+1 members of the set before it, so
that one honest old member vouches for the new set. Retired members can certify nothing later.
"""

from collections.abc import Sequence
from itertools import pairwise

from anchors.header import BftHeader
from anchors.profile import SetSource, TrustProfile, ValidatorSet
from anchors.seals import check_ascending, max_faulty, recover_sealers, verify_quorum
from signing import VerificationError


def _refuse(why: str) -> VerificationError:
    return VerificationError("anchor.handoff", f"validator hand-over: {why}")


def _check_policy(profile: TrustProfile, trusted: ValidatorSet, steps: int) -> None:
    if not profile.handoff.allowed or trusted.source is not SetSource.HEADER:
        raise _refuse("the profile does not allow any")
    if steps > profile.handoff.max_steps:
        raise _refuse(f"more than {profile.handoff.max_steps} steps")


def _step(header: BftHeader, trusted: frozenset[bytes], min_set: int) -> frozenset[bytes]:
    """The set listed by one hand-over header, once both the new and the old set stand behind it."""
    check_ascending(header.validators)
    listed = frozenset(header.validators)
    if len(trusted) < min_set:
        raise _refuse(f"a set of fewer than {min_set} cannot vouch for another")
    if listed == trusted:
        raise _refuse("a header does not change the set")
    sealers = recover_sealers(header)
    verify_quorum(sealers, listed)
    if len(sealers & trusted) <= max_faulty(len(trusted)):
        raise _refuse("too few members of the earlier set sealed a header")
    return listed


def follow_handoff(profile: TrustProfile, steps: Sequence[BftHeader], last: BftHeader) -> ValidatorSet:
    """The set that may seal ``last``: the profile's own, changed by the hand-over headers ``steps`` in order.

    Raises VerificationError: ``anchor.era`` when the profile names no set for the first block, ``anchor.handoff``,
    ``anchor.seal``, ``anchor.quorum``, ``anchor.validator-set``.
    """
    numbers = [header.number for header in (*steps, last)]
    start = profile.set_at(numbers[0])
    if start is None:
        raise VerificationError("anchor.era", "header: the profile names no validator set for the block")
    if not steps:
        return start
    _check_policy(profile, start, len(steps))
    if any(earlier >= later for earlier, later in pairwise(numbers)):
        raise _refuse("the block numbers do not grow")
    trusted = frozenset(start.addresses)
    for header in steps:
        trusted = _step(header, trusted, profile.handoff.min_set)
    return ValidatorSet(steps[-1].number, None, tuple(sorted(trusted)), SetSource.HEADER)
