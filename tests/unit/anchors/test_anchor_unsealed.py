"""Development nodes that seal nothing (anvil): state proofs under their headers, never more than ``unsealed-dev``."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from anchors import Consensus, Grade, TrustProfile, parse_profile, profile_to_json, verify_anchor_proof
from anchors.chain_state import verify_header
from signing import LedgerError, MalformedError
from tests.support.anchor_forge import LOG_KEY, forge_proof, make_profile
from tests.support.clique_forge import forge_clique_proof

FORGED = forge_proof()
UNSEALED = replace(make_profile([], consensus=Consensus.UNSEALED), validator_sets=(), max_grade=Grade.UNSEALED_DEV)


@pytest.mark.parametrize("profile", [UNSEALED, replace(UNSEALED, max_grade=Grade.FINAL_BFT)])
def test_the_grade_is_the_lowest(profile: TrustProfile) -> None:
    foreign = forge_clique_proof(tail=[b"\x07", bytes(32), b"", b"", bytes(32)]).proof
    for header in (FORGED.proof.header, foreign.header):
        anchor = verify_anchor_proof(replace(FORGED.proof, header=header), [profile], log_key=LOG_KEY)
        assert (anchor.grade, anchor.as_of_hash) == (Grade.UNSEALED_DEV, keccak(header))


def test_profiles() -> None:
    assert parse_profile(profile_to_json(UNSEALED)) == UNSEALED
    for wrong in (
        replace(UNSEALED, max_grade=Grade.FINAL_BFT),
        replace(UNSEALED, max_grade=Grade.AS_ANSWERED),
        replace(UNSEALED, validator_sets=FORGED.profile.validator_sets),
        replace(FORGED.profile, validator_sets=()),
    ):
        with pytest.raises(MalformedError):
            parse_profile(profile_to_json(wrong))


def test_what_else_is_refused() -> None:
    header = FORGED.proof.header
    for headers, code in (
        (((header,), ()), "anchor.handoff"),
        (((), (header,)), "anchor.headers"),
    ):
        with pytest.raises(LedgerError) as caught:
            verify_header(UNSEALED, header, *headers)
        assert caught.value.code == code
    with pytest.raises(LedgerError) as caught:
        verify_header(replace(UNSEALED, from_block=21), header)
    assert caught.value.code == "anchor.era"
    with pytest.raises(MalformedError):
        verify_header(UNSEALED, header + b"\0")
