"""Validators voted in and out, and chains that come out the same from the same seed."""

from dataclasses import replace
from pathlib import Path

import pytest
import rlp

from anchors.devchain.chain import DevChain, open_dev_chain
from anchors.devchain.seeded import FIRST_BLOCK_TIME, seeded_bytes, still_clock
from anchors.handoff import follow_handoff
from anchors.header import Bft, parse_header
from anchors.profile import HandoffPolicy, SetSource
from signing import UnavailableError, VerificationError
from tests.support.anchor_world import deploy
from tests.support.devchain_world import World, open_chain, result


def _seeded(path: Path, seed: bytes = b"same") -> DevChain:
    return open_dev_chain(path, clock=still_clock, random_bytes=seeded_bytes(seed))


def _raw(chain: DevChain, number: int) -> bytes:
    return bytes.fromhex(result(chain, "debug_getRawHeader", hex(number))[2:])


def _proposer_and_vote(chain: DevChain, number: int) -> tuple[bytes, list[bytes]]:
    items = rlp.decode(_raw(chain, number))
    return items[2], rlp.decode(items[12])[2]


@pytest.mark.parametrize("add", [True, False])
def test_more_than_half_vote_before_the_set_changes(tmp_path: Path, add: bool) -> None:
    with open_chain(tmp_path / "c") as chain:
        before = chain.validators()
        subject = chain.new_validator() if add else before[1]
        first = chain.vote_validator(subject, add=add)
        votes = [_proposer_and_vote(chain, number) for number in range(1, first)]
        assert first == len(before) // 2 + 2
        assert len({proposer for proposer, _ in votes}) == len(votes)
        assert {tuple(vote) for _, vote in votes} == {(subject, b"\xff" if add else b"")}
        assert parse_header(_raw(chain, first - 1), Bft.QBFT).validators == before
        chain.mine()
        assert parse_header(_raw(chain, first), Bft.QBFT).validators == chain.validators()
        assert set(chain.validators()) ^ set(before) == {subject}


def test_a_verifier_follows_the_votes_of_a_chain(tmp_path: Path) -> None:
    with open_chain(tmp_path / "c") as chain:
        deployed = deploy(chain, World.create(chain).network)
        profile = replace(deployed, handoff=HandoffPolicy(allowed=True, max_steps=2, min_set=4))
        added, steps = chain.new_validator(), []
        for subject, add in ((added, True), (profile.validator_sets[0].addresses[0], False)):
            changed = chain.vote_validator(subject, add=add)
            chain.mine()
            steps.append(parse_header(_raw(chain, changed), Bft.QBFT))
        chain.mine()
        last = parse_header(_raw(chain, int(result(chain, "eth_blockNumber"), 16)), Bft.QBFT)
        trusted = follow_handoff(profile, steps, last)
        assert (trusted.addresses, trusted.source) == (chain.validators(), SetSource.HEADER)
        with pytest.raises(VerificationError):
            follow_handoff(profile, steps[1:], steps[0])


def test_votes_that_can_not_be(tmp_path: Path) -> None:
    with open_chain(tmp_path / "c") as chain:
        member = chain.validators()[0]
        for subject, add in ((member, True), (bytes(20), True), (bytes(20), False), (chain.new_validator(), False)):
            with pytest.raises(ValueError, match="validator"):
                chain.vote_validator(subject, add=add)
        for stopped in chain.validators()[:2]:
            chain.stop_validator(stopped)
        with pytest.raises(UnavailableError) as caught:
            chain.vote_validator(member, add=False)
        assert caught.value.code == "devchain.no-quorum"
        assert result(chain, "eth_blockNumber") == "0x0"
        chain.set_validators([member])
        chain.start_validator(member)
        with pytest.raises(ValueError, match="the last one"):
            chain.vote_validator(member, add=False)


def test_the_same_seed_and_calls_give_the_same_chain(tmp_path: Path) -> None:
    headers = []
    for name in "ab":
        with _seeded(tmp_path / name) as chain:
            chain.vote_validator(chain.new_validator(), add=True)
        with _seeded(tmp_path / name) as chain:  # the seed begins again: a new key all the same
            chain.vote_validator(chain.new_validator(), add=True)
            assert len(chain.validators()) == 6
            headers.append([_raw(chain, number) for number in range(7)])
            assert int(result(chain, "eth_getBlockByNumber", "0x1", False)["timestamp"], 16) == FIRST_BLOCK_TIME
    assert headers[0] == headers[1]
    with _seeded(tmp_path / "c", b"other") as chain:
        assert _raw(chain, 0) != headers[0][0]
