"""Quorum and seals: who may seal a block, and how many are enough."""

import pytest
import rlp

from anchors import account
from anchors.chain_state import verify_header
from anchors.header import Bft, parse_header
from anchors.seals import check_ascending, max_faulty, recover_sealers, recover_signer, seal_quorum, verify_quorum
from signing import VerificationError, sha256
from tests.support.anchor_forge import HeaderPlan, address, make_profile, validator_keys

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = validator_keys(1)[0]
DIGEST = sha256(b"digest")
SEAL = KEY.sign_msg_hash(DIGEST).to_bytes()


@pytest.mark.parametrize(
    ("count", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (8, 6), (9, 6), (10, 7)]
)
def test_quorum_for_each_size(count: int, quorum: int) -> None:
    keys = validator_keys(count)
    members = frozenset(address(key) for key in keys)
    assert seal_quorum(count) == quorum
    for sealers in range(count + 1):
        header = parse_header(HeaderPlan(sealers=keys[:sealers]).seal(keys), Bft.QBFT)
        if sealers >= quorum:
            verify_quorum(recover_sealers(header), members)
            continue
        with pytest.raises(VerificationError) as caught:
            verify_quorum(recover_sealers(header), members)
        assert caught.value.code == "anchor.quorum"


def test_tolerated_faults() -> None:
    assert [max_faulty(count) for count in range(1, 11)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_an_empty_set_approves_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        seal_quorum(0)
    with pytest.raises(VerificationError):
        verify_quorum(frozenset(), frozenset())


def test_one_outsider_spoils_a_quorum() -> None:
    keys = validator_keys(5)
    header = parse_header(HeaderPlan(listed=keys[:4]).seal(keys), Bft.QBFT)
    with pytest.raises(VerificationError) as caught:
        verify_quorum(recover_sealers(header), frozenset(address(key) for key in keys[:4]))
    assert caught.value.code == "anchor.seal"


def test_a_repeated_signer_is_refused() -> None:
    keys = validator_keys(4)
    header = parse_header(HeaderPlan(sealers=[*keys[:2], keys[0]]).seal(keys), Bft.QBFT)
    with pytest.raises(VerificationError) as caught:
        recover_sealers(header)
    assert caught.value.code == "anchor.seal"


def test_a_seal_names_its_signer() -> None:
    assert recover_signer(SEAL, DIGEST) == address(KEY)
    assert recover_signer(SEAL, sha256(b"another digest")) != address(KEY)


def _seal(r: int, s: int, v: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


R, S, V = int.from_bytes(SEAL[:32], "big"), int.from_bytes(SEAL[32:64], "big"), SEAL[64]


@pytest.mark.parametrize(
    "seal",
    [
        b"",
        SEAL[:64],
        SEAL + b"\0",
        _seal(0, S, V),
        _seal(ORDER, S, V),
        _seal(2**256 - 1, S, V),
        _seal(R, 0, V),
        _seal(R, ORDER, V),
        _seal(R, ORDER - S, 1 - V),
        _seal(R, S, 2),
        _seal(R, S, 27 + V),
        _seal(5, S, V),
    ],
    ids=["empty", "short", "long", "r0", "rN", "rmax", "s0", "sN", "high-s", "v2", "v27", "r-off-curve"],
)
def test_seals_out_of_range(seal: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        recover_signer(seal, DIGEST)
    assert caught.value.code == "anchor.seal"


def test_any_changed_byte_changes_the_signer() -> None:
    for position in range(65):
        changed = SEAL[:position] + bytes([SEAL[position] ^ 0x10]) + SEAL[position + 1 :]
        try:
            signer = recover_signer(changed, DIGEST)
        except VerificationError:
            continue
        assert signer != address(KEY)


def test_listed_sets_ascend() -> None:
    members = [address(key) for key in validator_keys(4)]
    check_ascending(members)
    for bad in (members[::-1], [members[0], *members], members[:2] + members[1:]):
        with pytest.raises(VerificationError):
            check_ascending(bad)


def test_seals_are_read_from_raw_bytes_as_they_stand() -> None:
    keys = validator_keys(4)
    fields = rlp.decode(HeaderPlan().seal(keys))
    extra = rlp.decode(fields[12])
    extra[4] = extra[4][::-1]
    fields[12] = rlp.encode(extra)
    assert recover_sealers(parse_header(rlp.encode(fields), Bft.QBFT)) == frozenset(address(key) for key in keys)


def test_recovery_with_and_without_the_extra() -> None:
    """They agree, and both find nobody where nobody can have signed."""
    digest = sha256(b"digest")
    for key in validator_keys(4):
        seal = key.sign_msg_hash(digest).to_bytes()
        r, s, parity = int.from_bytes(seal[:32]), int.from_bytes(seal[32:64]), seal[64]
        assert account.recover_by_eth_keys(digest, r, s, parity) == key.public_key.to_bytes()
        assert account.recover_address(digest, r, s, parity) == address(key)
        assert account.recover_address(digest, r, s, 1 - parity) != address(key)
    assert account.recover_by_eth_keys(digest, 5, 1, 0) is account.recover_address(digest, 5, 1, 0) is None


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (4, 3), (5, 3), (6, 3), (7, 5), (10, 7)])
def test_the_other_quorum_rule_where_the_profile_says_so(count: int, quorum: int) -> None:
    keys = validator_keys(count)
    assert seal_quorum(count, "2f+1") == quorum
    profile = make_profile(keys, quorum_rule="2f+1")
    verify_header(profile, HeaderPlan(sealers=keys[:quorum]).seal(keys))
    for rule, sealers in (("2f+1", quorum - 1), ("ceil2n3", seal_quorum(count) - 1)):
        with pytest.raises(VerificationError) as caught:
            verify_header(make_profile(keys, quorum_rule=rule), HeaderPlan(sealers=keys[:sealers]).seal(keys))
        assert caught.value.code == "anchor.quorum"


@pytest.mark.parametrize("rule", ["weight", "", "floor2n3"])
def test_rules_without_a_quorum(rule: str) -> None:
    with pytest.raises(ValueError, match="unknown rule"):
        seal_quorum(4, rule)
