"""What the contract holds, proved from one sealed header down: seals, account, storage slots.

Steps 4 to 9 of the offline verification (chain.md §5.3). The client of live nodes uses the same functions, so that no
node is believed either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.contract import (
    LAYOUT,
    AnchorMeta,
    HeadWord,
    anchor_meta_slot,
    anchor_root_slot,
    decode_head_word,
    decode_meta_word,
    head_slot,
)
from anchors.handoff import follow_handoff
from anchors.header import Bft, BftHeader, parse_header
from anchors.profile import Consensus, ContractPin, SealAlgorithm, SetSource, TrustProfile, ValidatorSet
from anchors.seals import check_ascending, recover_sealers, verify_quorum
from anchors.stateproof import verify_account, verify_storage
from signing import MalformedError, UnavailableError, VerificationError

HANDOFF_MAX_HEADERS: Final = 16
_ENGINES: Final = {Consensus.QBFT: Bft.QBFT, Consensus.IBFT2: Bft.IBFT2}


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """A header whose seals were checked against a profile; ``verify_header`` makes it."""

    header: BftHeader
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class SealedContract:
    """A pinned contract proved to stand in a sealed state; ``verify_contract`` makes it."""

    sealed: SealedHeader
    pin: ContractPin
    storage_root: bytes


def _engine(profile: TrustProfile) -> Bft:
    """The engine whose headers this verifier can check; UnavailableError (``anchor.unsupported``) for any other."""
    engine = _ENGINES.get(profile.consensus)
    if engine is None or profile.seal_algorithm is not SealAlgorithm.SECP256K1 or profile.quorum_rule != "ceil2n3":
        raise UnavailableError("anchor.unsupported", "trust profile: consensus, seals or quorum rule not supported")
    return engine


def _check_listed(header: BftHeader, trusted: ValidatorSet) -> None:
    if trusted.source is SetSource.CONTRACT:
        if header.validators or header.vote not in ([], b""):
            raise VerificationError(
                "anchor.validator-set", "header: lists validators although a contract holds the set"
            )
        return
    check_ascending(header.validators)
    if header.validators != trusted.addresses:
        raise VerificationError("anchor.validator-set", "header: lists another validator set than the trusted one")


def verify_header(profile: TrustProfile, raw: bytes, handoff: Sequence[bytes] = ()) -> SealedHeader:
    """Check a raw header's form, era, validator set and seals.

    Raises MalformedError, UnavailableError (``anchor.unsupported``) or VerificationError (``anchor.era``,
    ``anchor.validator-set``, ``anchor.seal``, ``anchor.quorum``, ``anchor.handoff``).
    """
    engine = _engine(profile)
    if len(handoff) > HANDOFF_MAX_HEADERS:
        raise MalformedError("form.size", f"validator hand-over: more than {HANDOFF_MAX_HEADERS} headers")
    steps = [parse_header(step, engine) for step in handoff]
    header = parse_header(raw, engine)
    for each in (*steps, header):
        if each.number < profile.from_block or (profile.to_block is not None and each.number > profile.to_block):
            raise VerificationError("anchor.era", "header: the block is outside the profile's era")
    trusted = follow_handoff(profile, steps, header)
    _check_listed(header, trusted)
    verify_quorum(recover_sealers(header), frozenset(trusted.addresses))
    return SealedHeader(header, header.onchain_hash)


def verify_contract(
    profile: TrustProfile, sealed: SealedHeader, address: bytes, account_proof: Sequence[bytes]
) -> SealedContract:
    """Prove that the code the profile pins stands at ``address`` in the state of a sealed header.

    Raises VerificationError (``anchor.contract``, ``anchor.code-hash``, ``anchor.proof``, ``anchor.no-account``),
    UnavailableError (``anchor.unsupported``) for a storage layout this verifier does not know.
    """
    pin = profile.contract_at(address)
    if pin is None:
        raise VerificationError("anchor.contract", "anchor proof: the contract is not one of the profile")
    if pin.layout != LAYOUT:
        raise UnavailableError("anchor.unsupported", "trust profile: the contract's storage layout is not known")
    account = verify_account(sealed.header.state_root, address, account_proof)
    if account.code_hash != pin.code_hash:
        raise VerificationError("anchor.code-hash", "anchor proof: other code stands at the contract address")
    return SealedContract(sealed, pin, account.storage_root)


def verify_root(contract: SealedContract, origin: bytes, size: int, proof: Sequence[bytes]) -> bytes:
    """The root stored for (origin id, size).

    Raises VerificationError: ``anchor.absent`` when it is proved that there is none, ``anchor.proof``.
    """
    root = verify_storage(contract.storage_root, anchor_root_slot(origin, size), proof)
    if root == bytes(32):
        raise VerificationError("anchor.absent", "anchor proof: the contract holds no anchor of this size")
    return root


def verify_meta(contract: SealedContract, origin: bytes, size: int, proof: Sequence[bytes]) -> AnchorMeta:
    """Block, time and anchorer stored for (origin id, size); raises VerificationError (``anchor.block``, ``.time``)."""
    meta = decode_meta_word(verify_storage(contract.storage_root, anchor_meta_slot(origin, size), proof))
    if not contract.pin.from_block <= meta.block_number <= contract.sealed.header.number:
        raise VerificationError("anchor.block", "anchor proof: the stored block is not between contract and header")
    if meta.time > contract.sealed.header.timestamp:
        raise VerificationError("anchor.time", "anchor proof: the stored time is after the header's")
    return meta


def verify_head(contract: SealedContract, origin: bytes, proof: Sequence[bytes]) -> HeadWord:
    """The newest anchor of an origin as of the sealed header; size 0 when it is proved that there is none."""
    return decode_head_word(verify_storage(contract.storage_root, head_slot(origin), proof))
