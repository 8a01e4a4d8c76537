"""A Clique network made of nothing but EIP-225: headers sealed by own keys, without the code under test."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import rlp
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

from anchors import (
    CliquePolicy,
    Consensus,
    Grade,
    HandoffPolicy,
    TrustProfile,
)
from tests.support.anchor_forge import Forged, HeaderPlan, _minimal, address, forge_proof, make_profile, validator_keys

ADD, DROP = b"\xff" * 8, bytes(8)


@dataclass
class CliquePlan:
    """One block, and all that a test may want to bend before it is sealed."""

    state_root: bytes = bytes(32)
    number: int = 20
    time: int = 1_800_000_000
    parent: bytes = bytes([7]) * 32
    listed: Sequence[bytes] = ()
    coinbase: bytes = bytes(20)
    nonce: bytes = DROP
    difficulty: int | None = None
    mix: bytes = bytes(32)
    ommers: bytes = keccak(b"\xc0")
    tail: list[bytes] = field(default_factory=list)

    def seal(self, key: PrivateKey, signers: Sequence[PrivateKey]) -> bytes:
        """Raw header, sealed by ``key``; the difficulty is that of its turn unless the plan says another."""
        in_turn = key in signers and self.number % len(signers) == list(signers).index(key)
        difficulty = (2 if in_turn else 1) if self.difficulty is None else self.difficulty
        extra = bytes(32) + b"".join(self.listed)
        unsealed = keccak(self._header(extra, difficulty))
        return self._header(extra + key.sign_msg_hash(unsealed).to_bytes(), difficulty)

    def _header(self, extra: bytes, difficulty: int) -> bytes:
        numbers = [difficulty, self.number, 10**9, 21000, self.time]
        fields = [self.parent, self.ommers, self.coinbase, self.state_root, bytes([9]) * 32, bytes([10]) * 32]
        fields += [bytes(256), *map(_minimal, numbers), extra, self.mix, self.nonce, *self.tail]
        return rlp.encode(fields)


def clique_chain(
    first: CliquePlan, sealers: Sequence[PrivateKey], signers: Sequence[PrivateKey], *, epoch: int = 30000
) -> list[bytes]:
    """Linked headers from ``first`` on, one of each sealer, with the list of signers where an epoch ends."""
    headers: list[bytes] = []
    for offset, key in enumerate(sealers):
        plan = replace(first, number=first.number + offset, time=first.time + 3 * offset)
        if headers:
            plan = replace(plan, parent=keccak(headers[-1]))
        if plan.number % epoch == 0:
            plan = replace(plan, listed=[address(key) for key in signers])
        headers.append(plan.seal(key, signers))
    return headers


def clique_profile(signers: Sequence[PrivateKey], *, least: int | None = None, epoch: int = 30000) -> TrustProfile:
    least = len(signers) // 2 + 1 if least is None else least
    return make_profile(
        signers,
        consensus=Consensus.CLIQUE,
        handoff=HandoffPolicy(False, 0, 4),
        clique=CliquePolicy(least, epoch),
        max_grade=Grade.FINAL_BFT,
    )


def forge_clique_proof(*, signers: int = 3, number: int = 20, tail: Sequence[bytes] = ()) -> Forged:
    """A whole proof with as many headers as the signers demand."""
    keys, base = validator_keys(signers), forge_proof()
    first = CliquePlan(state_root=base.state.accounts.root_hash, number=number, tail=list(tail))
    sealers = [keys[(number + offset) % signers] for offset in range(signers // 2 + 1)]
    headers = clique_chain(first, sealers, keys)
    proof = replace(base.proof, header=headers[0], descendants=tuple(headers[1:]))
    return Forged(proof, clique_profile(keys), base.state, keys, HeaderPlan())
