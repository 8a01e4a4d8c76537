"""Trust profiles made from a node, and brought up to date: what is proved of it, and what is only the node's word.

Seals, code and storage are checked against the validators that the node names; that these are the network's validators,
and that the genesis block is the network's, no node can prove: two people compare both with what its operators publish.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from eth_hash.auto import keccak

from anchors import (
    AnswersPolicy,
    CliquePolicy,
    Consensus,
    ContractPin,
    Grade,
    HandoffPolicy,
    SealAlgorithm,
    SetSource,
    TrustProfile,
    ValidatorSet,
)
from anchors.contract import LAYOUT, load_artifact
from anchors.header import Bft, parse_header
from anchors.hexdata import to_hex
from anchors.jsonrpc import NodeError, bad_answer, read_data, read_object, read_quantity
from anchors.node import Endpoint, check_network, latest_number, read_header
from anchors.node_blocks import BlockReader, ChainMemory
from anchors.node_state import StateReader
from anchors.profile_json import check_profile
from anchors.profile_update import add_set, next_version
from api.names import DEVELOPMENT_CHAIN_IDS
from signing import MalformedError, RefusedError, UnavailableError, VerificationError

_HASHES_ONLY: Final = False  # of eth_getBlockByNumber: no transaction bodies
_MIN_HANDOFF_SET: Final = 4
_MAX_HANDOFF_STEPS: Final = 16
_NO_HANDOFF: Final = HandoffPolicy(allowed=False, max_steps=0, min_set=_MIN_HANDOFF_SET)
_PROBES: Final = (
    (Consensus.QBFT, "qbft_getValidatorsByBlockNumber"),
    (Consensus.QBFT, "istanbul_getValidators"),  # GoQuorum
    (Consensus.IBFT2, "ibft_getValidatorsByBlockNumber"),
    (Consensus.CLIQUE, "clique_getSigners"),
)
BY_WORD: Final = ("chainId", "genesisHash", "validatorSets", "contracts.fromBlock", "clique.epoch")
"""Members of a new profile that rest on the node's word."""


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What an operator says of the chain. ``deploy_block`` None: looked for, which takes a node that keeps old states.

    ``public_keys`` (X‖Y) are those of the validators of a network with secp256r1 seals, which no node tells;
    ``answers`` is for FISCO BCOS, and for no other.
    """

    profile_id: str | None
    contract: bytes
    deploy_block: int | None = None
    development: bool = False
    unsealed: bool = False
    clique_epoch: int = 30_000
    public_keys: tuple[bytes, ...] = ()
    answers: AnswersPolicy | None = None


def _members(endpoint: Endpoint, method: str, number: int) -> tuple[bytes, ...]:
    answer = endpoint.call(method, hex(number))
    if not isinstance(answer, list) or not answer:
        raise bad_answer(method)
    return tuple(sorted(read_data(each, "validator", length=20) for each in answer))


def _find_engine(endpoint: Endpoint, number: int) -> tuple[Consensus, str]:
    """The engine whose validators the node tells, and the method that tells them."""
    for engine, method in _PROBES:
        try:
            _members(endpoint, method, number)
        except NodeError:
            continue
        return engine, method
    raise UnavailableError("chain.engine-unknown", "the node names no validators: not a chain that seals, or API off")


def _first_block(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first block from ``low`` on for which ``holds``, which it does at ``high``."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high


def _has_code(endpoint: Endpoint, address: bytes, number: int) -> bool:
    return read_data(endpoint.call("eth_getCode", to_hex(address), hex(number)), "contract code") != b""


def _confirm_deploy_block(endpoint: Endpoint, request: ProfileRequest, given: int, latest: int) -> None:
    """Refuse a block that the contract can't have come with, as far as the node still has that state."""
    try:
        shown = request.answers is not None or (
            _has_code(endpoint, request.contract, given)
            and not (given and _has_code(endpoint, request.contract, given - 1))
        )
    except NodeError:
        shown = True
    if given > latest or not shown:
        raise RefusedError("chain.code-differs", f"the contract's code did not come with block {given}")


def _deploy_block(endpoint: Endpoint, request: ProfileRequest, latest: int) -> int:
    """The block that the contract came with, found or confirmed."""
    code = read_data(endpoint.call("eth_getCode", to_hex(request.contract), hex(latest)), "contract code")
    if keccak(code) != load_artifact().code_hash:
        raise RefusedError("chain.code-differs", "the code at that address is not the anchor contract's")
    if request.deploy_block is not None:
        _confirm_deploy_block(endpoint, request, request.deploy_block, latest)
        return request.deploy_block
    unknown = UnavailableError(
        "chain.no-old-state", "the node keeps no old states: give the block of the contract's deployment"
    )
    if request.answers is not None:  # FISCO BCOS shows the newest state whatever block is asked for
        raise unknown
    try:
        return _first_block(0, latest, lambda number: _has_code(endpoint, request.contract, number))
    except NodeError:
        raise unknown from None


def _source(endpoint: Endpoint, engine: Consensus, latest: int) -> SetSource:
    if engine is Consensus.CLIQUE:
        return SetSource.HEADER
    listed = parse_header(read_header(endpoint, latest).raw, Bft(engine.value)).validators
    return SetSource.HEADER if listed else SetSource.CONTRACT


def _present_set(
    endpoint: Endpoint, request: ProfileRequest, engine: Consensus, method: str, lowest: int, latest: int
) -> ValidatorSet:
    """Today's validators from the first block on that they sealed; what older blocks prove, newer ones prove too."""
    members = _members(endpoint, method, latest)
    keys = {keccak(key)[-20:]: key for key in request.public_keys}
    if keys and set(keys) != set(members):
        raise RefusedError("chain.keys-differ", "the public keys given are not those of the validators")
    start = _first_block(lowest, latest, lambda number: _members(endpoint, method, number) == members)
    source = _source(endpoint, engine, latest)
    return ValidatorSet(start, None, members, source, tuple(keys[member] for member in members) if keys else ())


def _highest_grade(request: ProfileRequest, engine: Consensus, chain_id: int) -> Grade:
    if request.development or engine is Consensus.UNSEALED or chain_id in DEVELOPMENT_CHAIN_IDS:
        return Grade.UNSEALED_DEV
    if engine is Consensus.FISCO:
        return Grade.AS_ANSWERED
    return Grade.PROBABILISTIC_CLIQUE if engine is Consensus.CLIQUE else Grade.FINAL_BFT


def _handoff(engine: Consensus, sets: Sequence[ValidatorSet], sealed_r1: bool) -> HandoffPolicy:
    followed = engine in (Consensus.QBFT, Consensus.IBFT2) and not sealed_r1
    if followed and all(each.source is SetSource.HEADER for each in sets):
        return HandoffPolicy(allowed=True, max_steps=_MAX_HANDOFF_STEPS, min_set=_MIN_HANDOFF_SET)
    return _NO_HANDOFF


def _validators(
    endpoint: Endpoint, request: ProfileRequest, deployed: int, latest: int
) -> tuple[Consensus, tuple[ValidatorSet, ...]]:
    """The engine and who seals; nobody whose seals are checked on a development node, and on FISCO BCOS."""
    if request.answers is not None:
        return Consensus.FISCO, ()
    if request.unsealed:
        return Consensus.UNSEALED, ()
    engine, method = _find_engine(endpoint, latest)
    return engine, (_present_set(endpoint, request, engine, method, deployed, latest),)


def make_profile(endpoint: Endpoint, request: ProfileRequest, *, default_id: Callable[[int], str]) -> TrustProfile:
    """The first version of a profile of the chain behind ``endpoint``, its newest final block verified by it.

    ``default_id`` makes a profile id of a chain id. Raises UnavailableError (``chain.*``), RefusedError
    (``chain.code-differs``), VerificationError if what the node shows isn't sealed by the validators it names.
    """
    chain_id = read_quantity(endpoint.call("eth_chainId"), "eth_chainId")
    genesis = read_object(endpoint.call("eth_getBlockByNumber", "0x0", _HASHES_ONLY), "genesis block")
    latest = latest_number(endpoint)
    deployed = _deploy_block(endpoint, request, latest)
    engine, sets = _validators(endpoint, request, deployed, latest)
    r1 = bool(request.public_keys)
    clique = engine is Consensus.CLIQUE
    profile = check_profile(
        TrustProfile(
            profile_id=request.profile_id or default_id(chain_id),
            chain_id=chain_id,
            genesis_hash=read_data(genesis.get("hash"), "genesis hash", length=32),
            from_block=sets[0].from_block if sets else deployed,
            to_block=None,
            consensus=engine,
            seal_algorithm=SealAlgorithm.SECP256R1 if r1 else SealAlgorithm.SECP256K1,
            quorum_rule="ceil2n3",
            validator_sets=sets,
            contracts=(ContractPin(request.contract, load_artifact().code_hash, LAYOUT, deployed),),
            handoff=_handoff(engine, sets, r1),
            max_grade=_highest_grade(request, engine, chain_id),
            clique=CliquePolicy(len(sets[0].addresses) // 2 + 1, request.clique_epoch) if clique else None,
            answers=request.answers,
        )
    )
    if profile.answers is None:
        _check_by_state(endpoint, profile)
    return profile


def _check_by_state(endpoint: Endpoint, profile: TrustProfile) -> None:
    """The newest final block is sealed as the profile says and proves the pinned code (of whatever origin)."""
    StateReader(endpoint, profile, profile.contracts[-1].address, ChainMemory(profile)).head(profile.profile_id)


def renew_profile(endpoint: Endpoint, old: TrustProfile, *, by_word: bool) -> TrustProfile:
    """The next version of a profile, its validators those of the node's newest block.

    A change is followed by hand-over headers, which the earlier validators sealed. Where that can't be (a set in a
    contract, Clique, too many of them replaced), ``by_word`` takes the validators that the node names. Raises
    UnavailableError (``chain.*``), RefusedError (``anchor.profile-back``), VerificationError.
    """
    if not old.validator_sets:
        raise MalformedError("anchor.profile", "trust profile: it names no validators that could change")
    check_network(endpoint, old)
    latest = latest_number(endpoint)
    if latest < old.validator_sets[-1].from_block:
        raise RefusedError("anchor.profile-back", "the node is behind the profile: ask one that is up to date")
    try:
        block = BlockReader(endpoint, old, ChainMemory(old)).newest()
    except (VerificationError, UnavailableError):
        if not by_word:
            raise
        new = next_version(_set_by_word(endpoint, old, latest), ())
    else:
        engine = Bft(old.consensus.value) if block.handoff else Bft.QBFT
        new = next_version(old, [parse_header(raw, engine) for raw in block.handoff])
    _check_by_state(endpoint, new)
    return new


def _set_by_word(endpoint: Endpoint, old: TrustProfile, latest: int) -> TrustProfile:
    last = old.validator_sets[-1]
    _, method = _find_engine(endpoint, latest)
    members = _members(endpoint, method, latest)
    if last.keys:
        raise RefusedError("chain.keys-differ", "a network with secp256r1 seals: make a new profile with the new keys")
    start = _first_block(last.from_block, latest, lambda number: _members(endpoint, method, number) == members)
    profile = add_set(old, start, members, last.source)
    if profile.clique is None:
        return profile
    # How many signers are enough depends on how many there are: the older set goes, its proofs are captured anew.
    present, policy = profile.validator_sets[-1], CliquePolicy(len(members) // 2 + 1, profile.clique.epoch)
    return replace(profile, from_block=present.from_block, validator_sets=(present,), clique=policy)
