"""What the contract holds, proved from one sealed header down: seals, account, storage slots.

Steps 4 to 9 of the offline verification (chain.md §5.3). The client of live nodes uses the same functions, so that no
node is believed either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchors.clique import CliqueHeader, parse_clique_header, verify_clique
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
from anchors.header import HEADERS_MAX, Bft, BftHeader, UnsealedHeader, parse_header, parse_unsealed_header
from anchors.profile import (
    CEIL_2N3,
    TWO_F_PLUS_1,
    Consensus,
    ContractPin,
    Grade,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
)
from anchors.seals import check_ascending, recover_sealers, verify_quorum
from anchors.stateproof import verify_account, verify_storage
from signing import MalformedError, UnavailableError, VerificationError

HANDOFF_MAX_HEADERS: Final = 16
Header = BftHeader | CliqueHeader | UnsealedHeader
_ENGINES: Final = {Consensus.QBFT: Bft.QBFT, Consensus.IBFT2: Bft.IBFT2}


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """A header whose seals were checked against a profile; ``verify_header`` makes it. ``grade`` is not yet capped."""

    header: Header
    block_hash: bytes
    grade: Grade


@dataclass(frozen=True, slots=True)
class SealedContract:
    """A pinned contract proved to stand in a sealed state; ``verify_contract`` makes it."""

    sealed: SealedHeader
    pin: ContractPin
    storage_root: bytes


def _unsupported() -> UnavailableError:
    return UnavailableError("anchor.unsupported", "trust profile: consensus, seals or quorum rule not supported")


def _bft_engine(profile: TrustProfile) -> Bft:
    """The engine whose headers this verifier can check."""
    engine = _ENGINES.get(profile.consensus)
    known = (SealAlgorithm.SECP256K1, SealAlgorithm.SECP256R1)
    if engine is None or profile.seal_algorithm not in known or profile.quorum_rule not in (CEIL_2N3, TWO_F_PLUS_1):
        raise _unsupported()
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


def _check_era(profile: TrustProfile, headers: Sequence[Header]) -> None:
    for each in headers:
        if each.number < profile.from_block or (profile.to_block is not None and each.number > profile.to_block):
            raise VerificationError("anchor.era", "header: the block is outside the profile's era")


def _keys_r1(profile: TrustProfile, trusted: ValidatorSet) -> dict[bytes, bytes] | None:
    if profile.seal_algorithm is SealAlgorithm.SECP256K1:
        return None
    if len(trusted.keys) != len(trusted.addresses):
        raise UnavailableError("anchor.unsupported", "trust profile: secp256r1 seals, but not the public keys")
    return dict(zip(trusted.addresses, trusted.keys, strict=True))


def _verify_bft(profile: TrustProfile, raw: bytes, handoff: Sequence[bytes]) -> SealedHeader:
    engine = _bft_engine(profile)
    steps = [parse_header(step, engine) for step in handoff]
    header = parse_header(raw, engine)
    _check_era(profile, (*steps, header))
    trusted = follow_handoff(profile, steps, header)
    _check_listed(header, trusted)
    verify_quorum(
        recover_sealers(header, _keys_r1(profile, trusted)), frozenset(trusted.addresses), profile.quorum_rule
    )
    return SealedHeader(header, header.onchain_hash, Grade.FINAL_BFT)


def _verify_clique(profile: TrustProfile, raws: Sequence[bytes]) -> SealedHeader:
    if profile.clique is None or profile.seal_algorithm is not SealAlgorithm.SECP256K1:
        raise _unsupported()
    headers = [parse_clique_header(raw) for raw in raws]
    _check_era(profile, headers)
    signers = profile.set_at(headers[0].number)
    if signers is None or not signers.holds(headers[-1].number):
        raise VerificationError("anchor.era", "header: the profile names no validator set for all of the blocks")
    verify_clique(headers, signers.addresses, profile.clique)
    return SealedHeader(headers[0], headers[0].onchain_hash, Grade.PROBABILISTIC_CLIQUE)


def _take_unsealed(profile: TrustProfile, raw: bytes, handoff: Sequence[bytes]) -> SealedHeader:
    if handoff:
        raise VerificationError("anchor.handoff", "validator hand-over: there are no validators")
    header = parse_unsealed_header(raw)
    _check_era(profile, [header])
    return SealedHeader(header, header.onchain_hash, Grade.UNSEALED_DEV)


def verify_header(
    profile: TrustProfile, raw: bytes, handoff: Sequence[bytes] = (), descendants: Sequence[bytes] = ()
) -> SealedHeader:
    """Check a raw header's form, era, validator set and seals.

    ``descendants`` are the raw headers right after it, as Clique needs them; ``handoff`` those that change the
    validator set before it. Raises MalformedError, UnavailableError (``anchor.unsupported``) or VerificationError
    (``anchor.era``, ``.validator-set``, ``.seal``, ``.quorum``, ``.handoff``, ``.headers``, ``.clique-*``).
    """
    if len(handoff) > HANDOFF_MAX_HEADERS or len(descendants) >= HEADERS_MAX:
        raise MalformedError("form.size", f"anchor proof: more than {HEADERS_MAX} headers or 16 hand-over headers")
    if profile.consensus is Consensus.CLIQUE:
        if handoff:
            raise VerificationError("anchor.handoff", "validator hand-over: there is none on a Clique chain")
        return _verify_clique(profile, (raw, *descendants))
    if descendants:
        raise MalformedError("anchor.headers", "anchor proof: descendants are for Clique only")
    if profile.consensus is Consensus.UNSEALED:
        return _take_unsealed(profile, raw, handoff)
    return _verify_bft(profile, raw, handoff)


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
