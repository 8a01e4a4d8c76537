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


def _take_named(header: BftHeader, named: ValidatorSet, profile: TrustProfile) -> bool:
    """Whether a header begins a set that the profile names by now: its earlier version needed the header."""
    if header.number != named.from_block or header.validators != named.addresses:
        return False
    verify_quorum(recover_sealers(header), frozenset(named.addresses), profile.quorum_rule)
    return True


def _step(header: BftHeader, before: ValidatorSet, profile: TrustProfile) -> ValidatorSet:
    """The set listed by one hand-over header, once both the new and the old set stand behind it."""
    if not profile.handoff.allowed or before.source is not SetSource.HEADER:
        raise _refuse("the profile does not allow any")
    if before.to_block is not None:
        raise _refuse("the profile names another set after the one that a header changes")
    if len(before.addresses) < profile.handoff.min_set:
        raise _refuse(f"a set of fewer than {profile.handoff.min_set} cannot vouch for another")
    check_ascending(header.validators)
    if header.validators == before.addresses:
        raise _refuse("a header does not change the set")
    sealers = recover_sealers(header)
    verify_quorum(sealers, frozenset(header.validators), profile.quorum_rule)
    if len(sealers.intersection(before.addresses)) <= max_faulty(len(before.addresses)):
        raise _refuse("too few members of the earlier set sealed a header")
    return ValidatorSet(header.number, None, header.validators, SetSource.HEADER)


def _named_at(profile: TrustProfile, number: int) -> ValidatorSet:
    named = profile.set_at(number)
    if named is None:
        raise VerificationError("anchor.era", "header: the profile names no validator set for the block")
    return named


def follow_handoff(profile: TrustProfile, steps: Sequence[BftHeader], last: BftHeader) -> ValidatorSet:
    """The set that may seal ``last``: the profile's own, changed by the hand-over headers ``steps`` in order.

    The last of them may be ``last`` itself, the first block that its set seals. Only a set of which the profile names
    no end is handed over: retired members certify nothing that a newer version of the profile knows better.
    Raises VerificationError: ``anchor.era`` when the profile names no set for a block, ``anchor.handoff``,
    ``anchor.seal``, ``anchor.quorum``, ``anchor.validator-set``.
    """
    if len(steps) > profile.handoff.max_steps:
        raise _refuse(f"more than {profile.handoff.max_steps} steps")
    before = steps[:-1] if steps and steps[-1].raw == last.raw else steps  # the first block of the new set itself
    if any(earlier.number >= later.number for earlier, later in pairwise((*before, last))):
        raise _refuse("the block numbers do not grow")
    handed_over: ValidatorSet | None = None
    for header in steps:
        named = _named_at(profile, header.number)
        if handed_over is not None or not _take_named(header, named, profile):
            handed_over = _step(header, handed_over or named, profile)
    return handed_over or _named_at(profile, last.number)
