"""A header of a foreign QBFT network of four Besu validators, sealed by three of them in round 1.

Its seal hash is the one that another light client computed of it: datachainlab/besu-qbft-elc, elc/src/header.rs.
"""

from dataclasses import replace

import pytest
import rlp
from eth_hash.auto import keccak

from anchors import Grade, TrustProfile
from anchors.chain_state import verify_header
from anchors.header import Bft, parse_header
from signing import VerificationError
from tests.support.anchor_forge import MIX_HASH, make_profile

VALIDATORS = [
    bytes.fromhex(text)
    for text in (
        "647bfdd19655e51e69d35454ff3a92f8828e6302",
        "a5c8416b9d13417b45b45ada76408f39d1e504ef",
        "b92e91f4dcc9d28503be521afa2a8fbf3c1acf60",
        "ee3353e587cfa91625a1adaef308a726de3803d3",
    )
]
SEALS = [
    bytes.fromhex(text)
    for text in (
        "bc7633fd65570f610a595086e9a34e5bf6aacfb67b8f8cd01852e6b285147f04"
        "6a50577b49378b86723ac9b456ef59ef7ab57cda7139d807f10f58e8cb10c67600",
        "ad1defc2b0b4a48158cff24778bb5ba4d9f373c171022ab0a42e37bdb0d40257"
        "18434d303a8d94df56ef9ad5219be9f27b2f67179a7fb82d3323dde29546f9f701",
        "e233d3670dd97c715f72b440eeb1ccb1e22c8c23f6ab470c46c99c2d0ee6509f"
        "0341a42e0e4569782557e93c3815e8ca4294043595f69a90f73f135de8ecf41e00",
    )
]
PARENT = bytes.fromhex("0af93e70b1c6d3974a88a42eb70bb61adbd523bfac0c83027ba4637c52746a0f")
STATE = bytes.fromhex("166ed98eea93ab2b6f6b1a425526994adc2d675bf9a0d77d600ed1e02d8f77df")
SEAL_HASH = bytes.fromhex("75ea184f58cd3f0ef89032a069df01f07ec524ef3a85cf6d3e424d62130c0a32")
NUMBER, GAS_LIMIT, TIME, ROUND = 7528, 0x47B760, 1715495307, 1


def header(*, seals: list[bytes] = SEALS, round_number: int = ROUND) -> bytes:
    extra = rlp.encode([bytes(32), VALIDATORS, [], round_number, seals])
    fields = [PARENT, keccak(b"\xc0"), VALIDATORS[3], STATE, keccak(b"\x80"), keccak(b"\x80"), bytes(256)]
    return rlp.encode([*fields, 1, NUMBER, GAS_LIMIT, 0, TIME, extra, MIX_HASH, bytes(8)])


def profile(validators: list[bytes]) -> TrustProfile:
    base = make_profile([])
    return replace(base, validator_sets=(replace(base.validator_sets[0], addresses=tuple(validators)),))


def test_a_block_of_besu() -> None:
    assert parse_header(header(), Bft.QBFT).seal_hash == SEAL_HASH
    sealed = verify_header(profile(VALIDATORS), header())
    assert (sealed.header.number, sealed.header.state_root, sealed.grade) == (NUMBER, STATE, Grade.FINAL_BFT)


@pytest.mark.parametrize(
    ("raw", "trusted", "code"),
    [
        (header(seals=SEALS[:2]), VALIDATORS, "anchor.quorum"),
        (header(seals=[*SEALS, SEALS[0]]), VALIDATORS, "anchor.seal"),
        (header(round_number=0), VALIDATORS, "anchor.seal"),
        (header(), VALIDATORS[:3], "anchor.validator-set"),
    ],
)
def test_it_does_not_hold_with_anything_else(raw: bytes, trusted: list[bytes], code: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_header(profile(trusted), raw)
    assert caught.value.code == code
