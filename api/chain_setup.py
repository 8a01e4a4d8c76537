"""Put the anchor contract on a chain and describe that chain as a trust profile."""

from typing import Final

from anchors import Consensus, ContractPin, Grade, HandoffPolicy, SealAlgorithm, SetSource, TrustProfile, ValidatorSet
from anchors.account import account_address
from anchors.contract import LAYOUT
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.jsonrpc import read_data, read_object, read_quantity
from anchors.node import Endpoint
from api import clock, names
from api.keys.keyring import Keyring
from api.settings import ChainSettings, Settings
from signing import UnavailableError

_GENESIS: Final = ("0x0", False)  # without full transactions
DEVELOPMENT_CHAIN_IDS: Final = range(20261, 21000)
_MIN_HANDOFF_SET: Final = 4
_MAX_HANDOFF_STEPS: Final = 16


def deploy(endpoint: Endpoint, keyring: Keyring, settings: Settings) -> TrustProfile:
    """Deploy the contract, register the origin, admit the anchor key; returns the profile of this chain.

    What a node says of validators and genesis is taken as it is: before another party relies on the profile, two
    people compare both with what the chain's operators publish (docs/operations.md).
    """
    governor, anchorer = keyring.account(names.GOVERNOR_KEY), keyring.account(names.ANCHOR_KEY)
    chain_id = read_quantity(endpoint.call("eth_chainId"), "eth_chainId")
    pause = clock.pause if settings.chain.kind == "rpc" else _no_pause
    network = Network(rpc=endpoint.rpc, chain_id=chain_id, gas_price=settings.chain.gas_price, wait=pause)
    deployment = deploy_contract(network, governor=governor)
    admin = account_address(governor)
    origin = register_origin(network, contract=deployment.address, governor=governor, name=settings.origin, admin=admin)
    set_anchorer(
        network, contract=deployment.address, admin=governor, origin=origin, anchorer=account_address(anchorer)
    )
    pin = ContractPin(deployment.address, deployment.code_hash, LAYOUT, deployment.block_number)
    return _profile(endpoint, settings.origin, chain_id, pin, highest_grade(settings.chain, chain_id))


def highest_grade(settings: ChainSettings, chain_id: int) -> Grade:
    """A development chain never gives a production grade, whether embedded or served by another process."""
    development = settings.kind == "embedded" or chain_id in DEVELOPMENT_CHAIN_IDS
    return Grade.UNSEALED_DEV if development else Grade.FINAL_BFT


def _no_pause() -> None:
    """The embedded chain mines at once."""


def _profile(endpoint: Endpoint, origin: str, chain_id: int, pin: ContractPin, max_grade: Grade) -> TrustProfile:
    genesis = read_object(endpoint.call("eth_getBlockByNumber", *_GENESIS), "genesis block")
    validators = endpoint.call("qbft_getValidatorsByBlockNumber", "latest")
    if not isinstance(validators, list) or not validators:
        raise UnavailableError("chain.bad-answer", "the node names no validators: is it a QBFT chain?")
    addresses = tuple(sorted(read_data(address, "validator", length=20) for address in validators))
    return TrustProfile(
        profile_id=names.profile_id(origin, chain_id),
        chain_id=chain_id,
        genesis_hash=read_data(genesis.get("hash"), "genesis hash", length=32),
        from_block=0,
        to_block=None,
        consensus=Consensus.QBFT,
        seal_algorithm=SealAlgorithm.SECP256K1,
        quorum_rule="ceil2n3",
        validator_sets=(ValidatorSet(0, None, addresses, SetSource.HEADER),),
        contracts=(pin,),
        handoff=HandoffPolicy(allowed=True, max_steps=_MAX_HANDOFF_STEPS, min_set=_MIN_HANDOFF_SET),
        max_grade=max_grade,
    )
