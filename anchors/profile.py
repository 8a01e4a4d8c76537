"""The trust profile: what a verifier believes about one era of one chain before it reads any evidence.

Profiles arrive inside a signed trust list or as a signed file of their own, never with the evidence and never from a
node (chain.md §5.1). Dates and signature are those of list or file. ``anchors.profile_json`` reads and writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signing import UnavailableError

CEIL_2N3: Final = "ceil2n3"
TWO_F_PLUS_1: Final = "2f+1"
QUORUM_RULES: Final = (CEIL_2N3, TWO_F_PLUS_1, "weight")


class Consensus(StrEnum):
    """Engines a profile may name; the verifier knows QBFT, IBFT2 and Clique, and records what FISCO nodes say.

    UNSEALED is a development node without seals, such as anvil: never graded above ``unsealed-dev``.
    """

    QBFT = "qbft"
    IBFT2 = "ibft2"
    IBFT1 = "ibft1"
    CLIQUE = "clique"
    FISCO = "fisco"
    UNSEALED = "none"


class SealAlgorithm(StrEnum):
    """Signature algorithms of seals; the verifier knows secp256k1, and on QBFT secp256r1."""

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
    AS_ANSWERED = "as-answered"
    PROBABILISTIC_CLIQUE = "probabilistic-clique"
    FINAL_BFT = "final-bft"

    @property
    def rank(self) -> int:
        """Its place in that order, from 0."""
        return list(Grade).index(self)

    def capped(self, ceiling: "Grade") -> "Grade":
        """The weaker of the two."""
        return self if self.rank < ceiling.rank else ceiling


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Addresses that may seal blocks ``from_block`` to ``to_block`` (None: until further notice), ascending.

    ``keys`` are the public keys (X‖Y, 64 bytes) of the same members in the same order: only for secp256r1 seals, whose
    signers are not recovered but tried.
    """

    from_block: int
    to_block: int | None
    addresses: tuple[bytes, ...]
    source: SetSource
    keys: tuple[bytes, ...] = ()

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
class CliquePolicy:
    """How many distinct signers must stand at and after a Clique block, and its epoch: blocks that list the signers."""

    min_distinct_signers: int
    epoch: int


@dataclass(frozen=True, slots=True)
class AnswersPolicy:
    """On a chain without state proofs: ``equal`` answers of the ``nodes`` asked make a record (grade as-answered)."""

    equal: int
    nodes: int


@dataclass(frozen=True, slots=True)
class TrustProfile:
    """One era (``from_block`` to ``to_block``) of one network; ``max_grade`` caps every verdict it leads to.

    ``version`` grows with each edition of the same ``profile_id``. ``clique`` is there for that engine and for no
    other, ``answers`` for FISCO BCOS and for no other.
    """

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
    version: int = 1
    clique: CliquePolicy | None = None
    answers: AnswersPolicy | None = None

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
