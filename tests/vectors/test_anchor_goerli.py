"""Headers of a foreign Clique network: the first blocks of Görli, as everybody could read them.

Görli began with one signer. Each block's hash is the one that the next block names as its parent.
"""

from dataclasses import replace

import pytest
import rlp
from eth_hash.auto import keccak

from anchors import CliquePolicy, Consensus, Grade, TrustProfile
from anchors.chain_state import verify_header
from signing import VerificationError
from tests.support.anchor_forge import make_profile

GENESIS = bytes.fromhex("bf7e331f7f7c1dd2e05159666b3bf8bc7a8a3a9eb1d518969eab529dd9b88c1a")
SIGNER = bytes.fromhex("e0a2bd4258d2768837baa26a28fe71dc079f84c7")
NO_OMMERS, NOTHING = keccak(b"\xc0"), keccak(b"\x80")
STATE = bytes.fromhex("5d6cded585e73c4e322c30c2f782a336316f17dd85a4863b9d838d2d4b8b3008")
VANITY = b"Parity Tech Authority".ljust(32, b"\0")
BLOCKS = [  # gas limit, time, seal, own hash
    (
        0x9FD801,
        0x5C530FFD,
        "2bbf886181970654ed46e3fae0ded41ee53fec702c47431988a7ae80e6576f35"
        "52684f069af80ba11d36327aaf846d470526e4a1c461601b2fd4ebdcdc2b734a01",
        "8f5bab218b6bb34476f51ca588e9f4553a3a7ce5e13a66c660a5283e97e9a85a",
    ),
    (
        0x9FB00C,
        0x5C53100C,
        "fdd66d441eff7d4116fe987f0f10812fc68b06cc500ff71c492234b9a7b8b2f4"
        "5597190d97cd85f6daa45ac9518bef9f715f4bd414504b1a21d8c681654055df00",
        "e675f1362d82cdd1ec260b16fb046c17f61d8a84808150f5d715ccce775f575e",
    ),
    (
        0x9F8821,
        0x5C53101B,
        "2822e1b202411c38084d96c84302b8361ec4840a51cd2fad9cb4bd9921cad7e6"
        "4bc2e5dc7b41f3f75b33358be3aec718cf4d4317ace940e01b3581a95c9259ac01",
        "d5daa825732729bb0d2fd187a1b888e6bfc890f1fc5333984740d9052afb2920",
    ),
    (
        0x9F6040,
        0x5C53102A,
        "36de2cd22630823673cc49288ba6edab38d1d1fad4644e9559f46889afccc6ab"
        "24d57062e551164b458e7cfdfefbaeb554c1bd87ea2d6f72958e21481c1d735901",
        "fe43c87178f0f87c2be161389aa2d35f3065d330bb596a6d9e01529706bf040d",
    ),
]


def headers() -> list[bytes]:
    made: list[bytes] = []
    for number, (gas_limit, time, seal, _) in enumerate(BLOCKS, start=1):
        parent = keccak(made[-1]) if made else GENESIS
        extra = VANITY + bytes.fromhex(seal)
        fields = [parent, NO_OMMERS, bytes(20), STATE, NOTHING, NOTHING, bytes(256), b"\2", bytes([number])]
        fields += [gas_limit.to_bytes(3, "big"), b"", time.to_bytes(4, "big"), extra, bytes(32), bytes(8)]
        made.append(rlp.encode(fields))
    return made


def goerli(signer: bytes = SIGNER) -> TrustProfile:
    base = make_profile([], consensus=Consensus.CLIQUE, clique=CliquePolicy(1, 30_000), genesis_hash=GENESIS)
    members = make_profile([]).validator_sets[0]
    return replace(base, validator_sets=(replace(members, addresses=(signer,)),))


def test_blocks_of_goerli() -> None:
    made = headers()
    for number, raw in enumerate(made, start=1):
        sealed = verify_header(goerli(), raw, (), made[number:])
        assert (sealed.header.number, sealed.grade) == (number, Grade.PROBABILISTIC_CLIQUE)
        assert sealed.block_hash.hex() == BLOCKS[number - 1][3]
    with pytest.raises(VerificationError) as caught:
        verify_header(goerli(bytes(20)), made[0])
    assert caught.value.code == "anchor.seal"
