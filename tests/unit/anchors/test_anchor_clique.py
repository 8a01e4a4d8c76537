"""Clique: who may seal when, how many must stand behind a block, and what no header may do meanwhile."""

from dataclasses import replace

import pytest
import rlp
from eth_hash.auto import keccak

from anchors import Grade, anchor_proof_to_json, parse_profile, profile_to_json, read_anchor_proof, verify_anchor_proof
from anchors.chain_state import SealedHeader, verify_header
from anchors.clique import parse_clique_header
from signing import LedgerError, MalformedError, VerificationError, dump_json
from tests.support.anchor_forge import LOG_KEY, HeaderPlan, address, validator_keys
from tests.support.clique_forge import ADD, CliquePlan, clique_chain, clique_profile, forge_clique_proof

FIVE = validator_keys(5)
STRANGER = validator_keys(1, first=9)[0]
A, B, C, D, E = FIVE
FIRST = CliquePlan(number=20)  # 20 % 5: A is in turn


def check(headers: list[bytes], **profile: int) -> SealedHeader:
    return verify_header(clique_profile(FIVE, **profile), headers[0], (), headers[1:])


def refused(headers: list[bytes], code: str, **profile: int) -> None:
    with pytest.raises(LedgerError) as caught:
        check(headers, **profile)
    assert caught.value.code == code


@pytest.mark.parametrize("signers", [1, 2, 3, 4, 5, 7])
def test_a_whole_proof(signers: int) -> None:
    forged = forge_clique_proof(signers=signers)
    proof = read_anchor_proof(dump_json(anchor_proof_to_json(forged.proof)))
    assert proof == forged.proof
    profile = parse_profile(profile_to_json(forged.profile))
    anchor = verify_anchor_proof(proof, [profile], log_key=LOG_KEY)
    assert (anchor.grade, anchor.as_of_block, anchor.block_number) == (Grade.PROBABILISTIC_CLIQUE, 20, 15)
    assert anchor.as_of_hash == keccak(forged.proof.header)
    capped = replace(profile, max_grade=Grade.UNSEALED_DEV)
    assert verify_anchor_proof(proof, [capped], log_key=LOG_KEY).grade is Grade.UNSEALED_DEV


def test_distinct_signers_are_counted() -> None:
    check(clique_chain(FIRST, [A, B, C], FIVE))
    check(clique_chain(FIRST, [A, C, B, D], FIVE))  # more than needed is checked all the same
    refused(clique_chain(FIRST, [A, B], FIVE), "anchor.quorum")
    refused(clique_chain(FIRST, [A, B, C], FIVE), "anchor.quorum", least=4)
    check(clique_chain(FIRST, [A, B, C, A, D], FIVE), least=4)
    refused(clique_chain(FIRST, [A, B, C, A, B], FIVE), "anchor.quorum", least=4)


def test_one_of_any_three_consecutive_blocks() -> None:
    refused(clique_chain(FIRST, [A, B, A], FIVE), "anchor.clique-recent")
    refused(clique_chain(FIRST, [A, A, B, C], FIVE), "anchor.clique-recent")
    refused(clique_chain(FIRST, [A, B, C, B], FIVE), "anchor.clique-recent")
    check(clique_chain(FIRST, [A, B, C, A], FIVE))


def test_only_trusted_signers() -> None:
    refused(clique_chain(FIRST, [STRANGER, A, B, C], FIVE), "anchor.seal")
    refused(clique_chain(FIRST, [A, B, STRANGER], FIVE), "anchor.seal")


@pytest.mark.parametrize("difficulty", [1, 2])
def test_the_difficulty_is_that_of_the_turn(difficulty: int) -> None:
    sealers = [B, C, D] if difficulty == 2 else [A, C, D]
    first, *rest = clique_chain(FIRST, sealers, FIVE)
    check([first, *rest])
    bent = replace(FIRST, difficulty=difficulty).seal(sealers[0], FIVE)
    refused(clique_chain(replace(FIRST, difficulty=difficulty), sealers, FIVE), "anchor.clique-turn")
    assert bent != first


@pytest.mark.parametrize("difficulty", [0, 3, 256])
def test_other_difficulties_are_malformed(difficulty: int) -> None:
    refused(clique_chain(replace(FIRST, difficulty=difficulty), [A, B, C], FIVE), "anchor.header")


def test_headers_are_linked() -> None:
    headers, other = clique_chain(FIRST, [A, B, C], FIVE), clique_chain(replace(FIRST, time=1), [A, B, C], FIVE)
    refused([headers[0], headers[2]], "anchor.clique-link")
    refused([headers[0], other[1], other[2]], "anchor.clique-link")
    refused([headers[0], headers[2], headers[1]], "anchor.clique-link")
    older = replace(FIRST, number=21, parent=keccak(headers[0]), time=FIRST.time - 1).seal(B, FIVE)
    refused([headers[0], older], "anchor.clique-link")
    skipped = replace(FIRST, number=22, parent=keccak(headers[0])).seal(C, FIVE)
    refused([headers[0], skipped], "anchor.clique-link")


def test_votes_that_may_change_the_signers_under_the_next_header() -> None:
    outsider, member = address(STRANGER), address(D)
    for coinbase, nonce in ((outsider, ADD), (member, bytes(8)), (bytes(20), ADD)):
        vote = replace(FIRST, coinbase=coinbase, nonce=nonce)
        refused(clique_chain(vote, [A, B, C], FIVE), "anchor.clique-vote")
        headers = clique_chain(FIRST, [A, B], FIVE)
        last = replace(vote, number=22, parent=keccak(headers[1]), time=FIRST.time + 9)
        check([*headers, last.seal(C, FIVE)])  # nothing follows it
    for coinbase, nonce in ((outsider, bytes(8)), (member, ADD)):  # votes that change nothing
        check(clique_chain(replace(FIRST, coinbase=coinbase, nonce=nonce), [A, B, C], FIVE))


def test_the_list_of_signers_at_the_end_of_an_epoch() -> None:
    members = [address(key) for key in FIVE]
    check(clique_chain(FIRST, [A, B, C], FIVE, epoch=20), epoch=20)
    check(clique_chain(FIRST, [A, B, C], FIVE, epoch=21), epoch=21)
    refused(clique_chain(FIRST, [A, B, C], FIVE), "anchor.validator-set", epoch=20)
    refused(clique_chain(FIRST, [A, B, C], FIVE, epoch=20), "anchor.validator-set")
    for listed in (members[:4], [*members, address(STRANGER)], members[::-1]):
        refused(clique_chain(replace(FIRST, listed=listed), [A, B, C], FIVE), "anchor.validator-set", epoch=20)
    voting = replace(FIRST, listed=members, coinbase=address(D), nonce=ADD)
    refused(clique_chain(voting, [A, B, C], FIVE), "anchor.header", epoch=20)


def test_eras_and_genesis() -> None:
    headers = clique_chain(FIRST, [A, B, C], FIVE)
    for changes in ({"from_block": 21}, {"to_block": 21}):
        with pytest.raises(VerificationError) as caught:
            verify_header(replace(clique_profile(FIVE), **changes), headers[0], (), headers[1:])
        assert caught.value.code == "anchor.era"
    (members,) = clique_profile(FIVE).validator_sets
    ended = replace(clique_profile(FIVE), validator_sets=(replace(members, to_block=21),))
    with pytest.raises(VerificationError) as caught:
        verify_header(ended, headers[0], (), headers[1:])
    assert caught.value.code == "anchor.era"
    refused(clique_chain(replace(FIRST, number=0), [A, B, C], FIVE), "anchor.seal")


def test_the_base_fee_is_sealed_too_and_nothing_may_follow_it() -> None:
    london = replace(FIRST, tail=[b"\x07"])
    headers = clique_chain(london, [A, B, C], FIVE)
    check(headers)
    fields = rlp.decode(headers[2])
    assert len(fields) == 16
    refused([*headers[:2], rlp.encode([*fields[:15], b"\x08"])], "anchor.seal")
    refused([*headers[:2], rlp.encode(fields[:15])], "anchor.seal")
    for tail in ([b"\x07", bytes(32)], [b"\x00\x07"], [b"\x01" * 33], [b"", bytes(32), b"", b"", bytes(32)]):
        with pytest.raises(MalformedError):
            parse_clique_header(replace(FIRST, tail=tail).seal(A, FIVE))


def test_forms() -> None:
    for changes in (
        {"nonce": b"\x01" * 8},
        {"nonce": b""},
        {"mix": b"\x01" * 32},
        {"mix": b""},
        {"ommers": bytes(32)},
        {"coinbase": bytes(19)},
        {"listed": [b"\x01" * 19]},
        {"parent": bytes(31)},
    ):
        with pytest.raises(MalformedError) as caught:
            parse_clique_header(replace(FIRST, **changes).seal(A, FIVE))
        assert caught.value.code == "anchor.header"
    short = rlp.decode(FIRST.seal(A, FIVE))
    short[12] = short[12][:96]
    with pytest.raises(MalformedError):
        parse_clique_header(rlp.encode(short))
    with pytest.raises(MalformedError):
        parse_clique_header(HeaderPlan().seal(FIVE))


def test_no_hand_over_and_no_descendants_elsewhere() -> None:
    headers = clique_chain(FIRST, [A, B, C], FIVE)
    with pytest.raises(VerificationError) as caught:
        verify_header(clique_profile(FIVE), headers[0], headers[:1], headers[1:])
    assert caught.value.code == "anchor.handoff"
    with pytest.raises(MalformedError):
        check(headers * 22)


def test_profiles_that_ask_for_too_little() -> None:
    for least in (2, 6):
        with pytest.raises(MalformedError):
            parse_profile(profile_to_json(clique_profile(FIVE, least=least)))


def test_any_changed_byte_of_a_header_is_noticed() -> None:
    headers = clique_chain(FIRST, [A, B, C], FIVE)
    check(headers)
    for place, header in enumerate(headers):
        for position in range(len(header)):
            changed = header[:position] + bytes([header[position] ^ 1]) + header[position + 1 :]
            with pytest.raises(LedgerError):
                check([*headers[:place], changed, *headers[place + 1 :]])
