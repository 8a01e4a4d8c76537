"""The next version of a trust profile: the same network and contracts, with the validators who came since."""

from collections.abc import Sequence
from dataclasses import replace

from anchors.header import BftHeader
from anchors.profile import SetSource, TrustProfile, ValidatorSet
from anchors.profile_json import check_profile
from signing import RefusedError


def add_set(profile: TrustProfile, from_block: int, addresses: Sequence[bytes], source: SetSource) -> TrustProfile:
    """The profile with another validator set from ``from_block`` on, its present one ended before; same version.

    Raises RefusedError (``anchor.profile-back``) if the present set begins at that block or later, or has ended.
    """
    last = profile.validator_sets[-1]
    if last.to_block is not None or from_block <= last.from_block:
        raise RefusedError("anchor.profile-back", "the profile names later validators already; it never goes back")
    ended = replace(last, to_block=from_block - 1)
    new = ValidatorSet(from_block, None, tuple(sorted(addresses)), source)
    return replace(profile, validator_sets=(*profile.validator_sets[:-1], ended, new))


def next_version(profile: TrustProfile, handoff: Sequence[BftHeader]) -> TrustProfile:
    """The profile's next version, its sets extended by verified hand-over headers, ascending (none: unchanged)."""
    for step in handoff:
        profile = add_set(profile, step.number, step.validators, SetSource.HEADER)
    return check_profile(replace(profile, version=profile.version + 1))
