"""When a stored proof should be captured anew: the contract is write-once, so a later block proves the same.

A proof rests on the validators who sealed its header. Once they are replaced, their keys are guarded less well with
every year, and a profile may stop naming them (chain.md §4.4, §5.4): so each proof is taken again under the new set.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from anchors.answers import AnswersProof
from anchors.chain_state import Header, SealedHeader
from anchors.clique import parse_clique_header
from anchors.header import Bft, BftHeader, parse_header, parse_unsealed_header
from anchors.hexdata import to_hex
from anchors.profile import Consensus, TrustProfile
from anchors.profile_json import profile_to_json
from anchors.proof import AnyAnchorProof
from signing import dump_json, sha256

_BFT: Final[Mapping[Consensus, Bft]] = {Consensus.QBFT: Bft.QBFT, Consensus.IBFT2: Bft.IBFT2}


class Recapture(StrEnum):
    """Why a proof should be captured anew."""

    PROFILE = "profile"
    """It names another profile, or a block that this one does not cover any more."""

    VALIDATORS = "validators"
    """Others seal by now than those who sealed its header."""

    HANDOFF = "handoff"
    """It carries hand-over headers that a proof of today does without: the profile names the set itself."""


def _parse(profile: TrustProfile, raw: bytes) -> Header:
    if profile.consensus is Consensus.CLIQUE:
        return parse_clique_header(raw)
    engine = _BFT.get(profile.consensus)
    return parse_unsealed_header(raw) if engine is None else parse_header(raw, engine)


def _members(profile: TrustProfile, header: Header) -> tuple[bytes, ...]:
    """Who may seal ``header``: as it lists them, or, if it lists none, as the profile says."""
    if isinstance(header, BftHeader) and header.validators:
        return header.validators
    named = profile.set_at(header.number)
    return () if named is None else named.addresses


def seal_state(profile: TrustProfile, head: SealedHeader) -> bytes:
    """Digest of all that ``needs_recapture`` depends on beside the proof: while it is the same, so are its answers."""
    named = profile.set_at(head.header.number)
    return sha256(
        dump_json(
            {
                "profile": profile_to_json(profile),
                "members": [to_hex(member) for member in _members(profile, head.header)],
                "named": None if named is None else [to_hex(member) for member in named.addresses],
            }
        )
    )


def needs_recapture(proof: AnyAnchorProof, profile: TrustProfile, head: SealedHeader) -> Recapture | None:
    """Whether ``proof`` should be captured anew at ``head``, a verified header of the newest blocks, and why.

    ``profile`` is the newest version at hand. A proof captured at ``head`` never needs it at ``head``. Raises
    MalformedError for a proof whose header is not of the profile's engine.
    """
    if proof.profile_id != profile.profile_id:
        return Recapture.PROFILE
    if isinstance(proof, AnswersProof):
        return None
    header = _parse(profile, proof.header)
    first = _parse(profile, proof.handoff[0]) if proof.handoff else header
    named = profile.consensus is Consensus.UNSEALED or profile.set_at(first.number) is not None
    if header.number < profile.from_block or not named:
        return Recapture.PROFILE
    present = _members(profile, head.header)
    if header.number < head.header.number and _members(profile, header) != present:
        return Recapture.VALIDATORS
    at_head = profile.set_at(head.header.number)
    if proof.handoff and at_head is not None and at_head.addresses == present:
        return Recapture.HANDOFF
    return None
