"""Seals on P-256 (genesis ``ecCurve: secp256r1``): found among the profile's keys, with every byte checked."""

from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from eth_hash.auto import keccak

from anchors import (
    Consensus,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
    parse_profile,
    profile_to_json,
    verify_anchor_proof,
)
from anchors.chain_state import verify_header
from anchors.seals_r1 import find_signer_r1
from signing import LedgerError, MalformedError, UnavailableError, VerificationError, sha256
from tests.support.anchor_forge import LOG_KEY, HeaderPlan, forge_proof, make_profile

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def point(scalar: int) -> tuple[int, int]:
    numbers = derive_private_key(scalar, SECP256R1()).public_key().public_numbers()
    return numbers.x, numbers.y


@dataclass(frozen=True)
class R1Key:
    """A P-256 key that signs as a validator does, by the textbook; duck-typed as a key of ``eth_keys``."""

    secret: int
    low_s: bool = False

    @property
    def public_key(self) -> "R1Key":
        return self

    def raw(self) -> bytes:
        x, y = point(self.secret)
        return x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def to_canonical_address(self) -> bytes:
        return keccak(self.raw())[-20:]

    def sign_msg_hash(self, digest: bytes) -> bytes:
        nonce = int.from_bytes(sha256(digest + self.secret.to_bytes(32, "big"))) % N
        x, y = point(nonce)
        s = pow(nonce, -1, N) * (int.from_bytes(digest) + x * self.secret) % N
        parity = y & 1
        if self.low_s and s > N // 2:
            s, parity = N - s, parity ^ 1
        return Bytes(x.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity]))


class Bytes(bytes):
    def to_bytes(self) -> bytes:  # as a signature of eth_keys
        return bytes(self)


KEYS = sorted((R1Key(int.from_bytes(sha256(b"r1 %d" % n))) for n in range(4)), key=R1Key.to_canonical_address)
BY_ADDRESS = {key.to_canonical_address(): key.raw() for key in KEYS}
DIGEST = keccak(b"a header")


def r1_profile(**changes: object) -> TrustProfile:
    members = ValidatorSet(0, None, tuple(BY_ADDRESS), SetSource.HEADER, tuple(BY_ADDRESS.values()))
    return make_profile([], **{"seal_algorithm": SealAlgorithm.SECP256R1, "validator_sets": (members,), **changes})


@pytest.mark.parametrize("low_s", [False, True])
@pytest.mark.parametrize("number", range(12))
def test_the_signer_is_found(number: int, low_s: bool) -> None:
    digest = keccak(b"header %d" % number)
    for key in KEYS:
        seal = replace(key, low_s=low_s).sign_msg_hash(digest)
        assert find_signer_r1(seal, digest, BY_ADDRESS) == key.to_canonical_address()
        other_parity = seal[:64] + bytes([seal[64] ^ 1])
        with pytest.raises(VerificationError):
            find_signer_r1(other_parity, digest, BY_ADDRESS)


def test_any_changed_byte_of_a_seal_is_noticed() -> None:
    seal = KEYS[0].sign_msg_hash(DIGEST)
    for position in range(65):
        for bit in (1, 0x80):
            changed = seal[:position] + bytes([seal[position] ^ bit]) + seal[position + 1 :]
            with pytest.raises(VerificationError):
                find_signer_r1(changed, DIGEST, BY_ADDRESS)


@pytest.mark.parametrize(
    "seal",
    [
        b"",
        bytes(64),
        bytes(65),
        bytes(66),
        b"\xff" * 65,
        N.to_bytes(32, "big") * 2 + b"\0",
        bytes(31) + b"\x05" + bytes(31) + b"\x01" + b"\0",  # 5 is the abscissa of a point, 7 of none
        bytes(31) + b"\x07" + bytes(31) + b"\x01" + b"\1",
    ],
)
def test_seals_nobody_made(seal: bytes) -> None:
    with pytest.raises(VerificationError):
        find_signer_r1(seal, DIGEST, BY_ADDRESS)
    with pytest.raises(VerificationError):
        find_signer_r1(KEYS[0].sign_msg_hash(DIGEST), DIGEST, {bytes(20): b"\xff" * 64})


@pytest.mark.parametrize("engine", ["qbft", "ibft2"])
def test_a_header_of_such_a_network(engine: str) -> None:
    profile = r1_profile(consensus=Consensus(engine))
    assert parse_profile(profile_to_json(profile)) == profile
    header = HeaderPlan(engine=engine).seal(KEYS[:4])
    assert verify_header(profile, header).header.number == 20
    for sealers, code in ((KEYS[:2], "anchor.quorum"), ([R1Key(5), *KEYS[:3]], "anchor.seal"), ([KEYS[0]] * 3, None)):
        with pytest.raises(VerificationError) as caught:
            verify_header(profile, HeaderPlan(engine=engine, sealers=sealers).seal(KEYS))
        assert caught.value.code == (code or "anchor.seal")


def test_a_whole_proof_and_a_profile_without_keys() -> None:
    forged = forge_proof()
    proof = replace(forged.proof, header=forged.plan.seal(KEYS))
    assert verify_anchor_proof(proof, [r1_profile()], log_key=LOG_KEY).block_number == 15
    (members,) = r1_profile().validator_sets
    with pytest.raises(UnavailableError) as caught:
        verify_anchor_proof(proof, [r1_profile(validator_sets=(replace(members, keys=()),))], log_key=LOG_KEY)
    assert caught.value.code == "anchor.unsupported"
    with pytest.raises(LedgerError):  # seals on the other curve
        verify_anchor_proof(forged.proof, [r1_profile()], log_key=LOG_KEY)


def test_profiles_with_keys_that_do_not_belong() -> None:
    (members,) = r1_profile().validator_sets
    for profile in (
        r1_profile(validator_sets=(replace(members, keys=members.keys[::-1]),)),
        r1_profile(validator_sets=(replace(members, keys=members.keys[:3]),)),
        r1_profile(seal_algorithm=SealAlgorithm.SECP256K1),
        r1_profile(handoff=HandoffPolicy(True, 4, 4)),
    ):
        with pytest.raises(MalformedError):
            parse_profile(profile_to_json(profile))
