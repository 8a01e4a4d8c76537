"""The trust profile: what a verifier believes about one era of one chain before it reads any evidence.

Profiles arrive inside a signed trust list, never with the evidence and never from a node (chain.md §5.1). Their dates
and their signature are the list's. ``anchors.profile_json`` reads and writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signing import UnavailableError

QUORUM_RULES: Final = ("ceil2n3", "2f+1", "weight")


class Consensus(StrEnum):
    """Engines a profile may name; the verifier knows QBFT and IBFT2."""

    QBFT = "qbft"
    IBFT2 = "ibft2"
    IBFT1 = "ibft1"
    CLIQUE = "clique"
    FISCO = "fisco"


class SealAlgorithm(StrEnum):
    """Signature algorithms of seals; the verifier knows secp256k1."""

    SECP256K1 = "secp256k1"
    SECP256R1 = "secp256r1"
    SM2 = "sm2"


class SetSource(StrEnum):
    """Where a validator set lives: voted in the headers, in a contract (their list is empty), in the genesis file."""

    HEADER = "header"
    CONTRACT = "contract"
    CONFIG = "config"


class Grade(StrEnum):
    """How hard an anchor is to undo (chain.md §5.5), weakest first."""

    UNSEALED_DEV = "unsealed-dev"
    FINAL_BFT = "final-bft"

    def capped(self, ceiling: "Grade") -> "Grade":
        """The weaker of the two."""
        order = list(Grade)
        return min(self, ceiling, key=order.index)


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Addresses that may seal blocks ``from_block`` to ``to_block`` (None: until further notice), ascending."""

    from_block: int
    to_block: int | None
    addresses: tuple[bytes, ...]
    source: SetSource

    def holds(self, number: int) -> bool:
        """Whether this set seals block ``number``."""
        return self.from_block <= number and (self.to_block is None or number <= self.to_block)


@dataclass(frozen=True, slots=True)
class ContractPin:
    """An anchor contract the verifier trusts: address, keccak of its runtime code, storage layout, first block."""

    address: bytes
    code_hash: bytes
    layout: str
    from_block: int


@dataclass(frozen=True, slots=True)
class HandoffPolicy:
    """Whether and how far a header chain may change the validator set (chain.md §5.4)."""

    allowed: bool
    max_steps: int
    min_set: int


@dataclass(frozen=True, slots=True)
class TrustProfile:
    """One era (``from_block`` to ``to_block``) of one network; ``max_grade`` caps every verdict it leads to."""

    profile_id: str
    chain_id: int
    genesis_hash: bytes
    from_block: int
    to_block: int | None
    consensus: Consensus
    seal_algorithm: SealAlgorithm
    quorum_rule: str
    validator_sets: tuple[ValidatorSet, ...]
    contracts: tuple[ContractPin, ...]
    handoff: HandoffPolicy
    max_grade: Grade

    def set_at(self, number: int) -> ValidatorSet | None:
        """The validator set that the profile names for block ``number``."""
        return next((each for each in self.validator_sets if each.holds(number)), None)

    def contract_at(self, address: bytes) -> ContractPin | None:
        """The pinned contract at ``address``."""
        return next((pin for pin in self.contracts if pin.address == address), None)


def find_profile(profiles: Sequence[TrustProfile], profile_id: str) -> TrustProfile:
    """The profile of that id; raises UnavailableError (``anchor.profile-unknown``): nothing can be said without it."""
    for profile in profiles:
        if profile.profile_id == profile_id:
            return profile
    raise UnavailableError("anchor.profile-unknown", "anchor proof: no trusted profile has its profileId")
