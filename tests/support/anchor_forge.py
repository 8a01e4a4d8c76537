"""A chain made of nothing but its formats: headers sealed by own keys, state and storage tries, whole anchor proofs.

Written from chain.md's formulas without the code under test, so that both must agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import rlp
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey
from trie.hexary import HexaryTrie

from anchors import (
    AnchorProof,
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
)
from ledger import Checkpoint, RootHash, sign_checkpoint
from signing import Ed25519Signer, NoteKey, sha256

MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
CONTRACT = bytes.fromhex("c0") * 20
CODE_HASH = keccak(b"the runtime code")
ANCHORER = bytes.fromhex("a1") * 20
ORIGIN = "example.gov.cn/test"
LOG_SIGNER = Ed25519Signer(bytes(range(32)))
LOG_KEY = NoteKey.ed25519(ORIGIN, LOG_SIGNER.public_key.raw)


def validator_keys(count: int, *, first: int = 1) -> list[PrivateKey]:
    """Keys of a validator set, ordered by address as headers list them."""
    keys = [PrivateKey(sha256(b"validator %d" % number)) for number in range(first, first + count)]
    return sorted(keys, key=address)


def address(key: PrivateKey) -> bytes:
    return key.public_key.to_canonical_address()


def _pad(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@dataclass
class HeaderPlan:
    """All fields a test may want to bend before the header is sealed."""

    engine: str = "qbft"
    state_root: bytes = bytes(32)
    number: int = 20
    time: int = 1_800_000_000
    round: int = 0
    vote: object = None
    listed: Sequence[PrivateKey] | None = None
    sealers: Sequence[PrivateKey] | None = None
    tail: list[bytes] = field(default_factory=list)

    def seal(self, validators: Sequence[PrivateKey]) -> bytes:
        """Raw header, sealed by ``sealers`` (all validators if not given)."""
        listed = [address(key) for key in (validators if self.listed is None else self.listed)]
        qbft = self.engine == "qbft"
        vote = ([] if qbft else b"") if self.vote is None else self.vote
        round_number = _minimal(self.round) if qbft else self.round.to_bytes(4, "big")
        extra: list[object] = [bytes(32), listed, vote, round_number]
        digest = keccak(self.header([*extra, []] if qbft else extra))
        sealers = validators if self.sealers is None else self.sealers
        seals = [key.sign_msg_hash(digest).to_bytes() for key in sealers]
        return self.header([*extra, seals])

    def header(self, extra: list[object]) -> bytes:
        numbers = [1, self.number, 10**9, 21000, self.time]
        fields = [bytes([7]) * 32, bytes([8]) * 32, bytes(20), self.state_root, bytes([9]) * 32, bytes([10]) * 32]
        fields += [bytes(256), *map(_minimal, numbers), rlp.encode(extra), MIX_HASH, bytes(8), *self.tail]
        return rlp.encode(fields)


@dataclass
class State:
    """The world state with one contract and its storage."""

    storage: HexaryTrie
    accounts: HexaryTrie
    contract: bytes = CONTRACT

    def proof(self, slot: bytes) -> list[bytes]:
        return [rlp.encode(node) for node in self.storage.get_proof(keccak(slot))]

    def account_proof(self) -> list[bytes]:
        return [rlp.encode(node) for node in self.accounts.get_proof(keccak(self.contract))]


def make_state(words: Mapping[bytes, int], *, code_hash: bytes = CODE_HASH, others: int = 12) -> State:
    storage, accounts = HexaryTrie({}), HexaryTrie({})
    for slot, word in words.items():
        storage[keccak(slot)] = rlp.encode(_minimal(word))
    account = rlp.encode([_minimal(1), b"", storage.root_hash, code_hash])
    accounts[keccak(CONTRACT)] = account
    for number in range(others):
        accounts[keccak(bytes([number]) * 20)] = rlp.encode([b"", b"", bytes(32), bytes(32)])
    return State(storage, accounts)


def slots(size: int, origin: str = ORIGIN) -> tuple[bytes, bytes, bytes]:
    """Keys of root, meta and head (chain.md §1.3)."""
    name = sha256(origin.encode())
    root = keccak(_pad(size) + keccak(name + _pad(1)))
    return root, _pad((int.from_bytes(root, "big") + 1) % 2**256), keccak(name + _pad(0))


def anchor_words(size: int, root: bytes, *, block: int, time: int, others: int = 20) -> dict[bytes, int]:
    """Storage after a checkpoint was anchored, beside ``others`` earlier ones."""
    words = {}
    for number in range(1, others + 1):
        words[slots(1000 + number)[0]] = int.from_bytes(sha256(b"%d" % number), "big")
    root_slot, meta_slot, head_slot = slots(size)
    words[root_slot] = int.from_bytes(root, "big")
    words[meta_slot] = block | time << 48 | int.from_bytes(ANCHORER, "big") << 96
    words[head_slot] = size | 1 << 64 | block << 128 | time << 192
    return words


def make_profile(validators: Sequence[PrivateKey], **changes: object) -> TrustProfile:
    values: dict[str, object] = {
        "profile_id": "test-chain/1",
        "chain_id": 20261,
        "genesis_hash": sha256(b"genesis"),
        "from_block": 0,
        "to_block": None,
        "consensus": Consensus.QBFT,
        "seal_algorithm": SealAlgorithm.SECP256K1,
        "quorum_rule": "ceil2n3",
        "validator_sets": (ValidatorSet(0, None, tuple(address(key) for key in validators), SetSource.HEADER),),
        "contracts": (ContractPin(CONTRACT, CODE_HASH, "checkpoint-anchor/v1", 1),),
        "handoff": HandoffPolicy(False, 0, 4),
        "max_grade": Grade.FINAL_BFT,
    }
    return TrustProfile(**{**values, **changes})


@dataclass
class Forged:
    """A proof that verifies, its profile and what it was made of."""

    proof: AnchorProof
    profile: TrustProfile
    state: State
    validators: list[PrivateKey]
    plan: HeaderPlan


def forge_proof(*, validators: int = 4, size: int = 7, engine: str = "qbft") -> Forged:
    keys = validator_keys(validators)
    root = sha256(b"root of the log")
    state = make_state(anchor_words(size, root, block=15, time=1_799_999_000))
    plan = HeaderPlan(engine=engine, state_root=state.accounts.root_hash)
    root_slot, meta_slot, head_slot = slots(size)
    note = sign_checkpoint(Checkpoint(ORIGIN, size, RootHash(root)), LOG_SIGNER)
    profile = make_profile(keys, consensus=Consensus(engine))
    proof = AnchorProof(
        profile_id=profile.profile_id,
        checkpoint_note=note,
        origin=ORIGIN,
        size=size,
        root=root,
        log_proof=None,
        header=plan.seal(keys),
        handoff=(),
        contract=CONTRACT,
        account_proof=tuple(state.account_proof()),
        root_proof=tuple(state.proof(root_slot)),
        meta_proof=tuple(state.proof(meta_slot)),
        head_proof=tuple(state.proof(head_slot)),
    )
    return Forged(proof, profile, state, keys, plan)
