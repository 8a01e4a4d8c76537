"""Put the anchor contract on a chain, and describe that chain as a trust profile."""

from collections.abc import Callable
from typing import Final

from anchors import AnswersPolicy, TrustProfile
from anchors.account import Account, account_address
from anchors.deploy import Network, deploy_contract, register_origin, set_anchorer
from anchors.hexdata import to_hex
from anchors.jsonrpc import read_quantity
from anchors.node import Endpoint
from api import clock, names
from api.chain_profiles import ProfileRequest, make_profile
from api.keys.keyring import Keyring
from api.settings import ChainSettings
from signing import UnavailableError

_FINAL_TRIES: Final = 60
"""Looks at a chain whose blocks become final only by later ones (Clique), with a pause between them."""


def deploy(endpoint: Endpoint, keyring: Keyring, origin: str, settings: ChainSettings) -> TrustProfile:
    """Deploy the contract, register the origin, admit the anchor key; returns the profile of this chain.

    The engine is the one whose validators the node tells, unless the settings say otherwise. What a node says of
    validators and genesis is taken as it is: before another party relies on the profile, two people compare both with
    what the chain's operators publish (docs/operations.md). Raises UnavailableError (``chain.*``; ``chain.no-funds``
    names the accounts that have to pay), RefusedError.
    """
    governor, anchorer = keyring.account(names.GOVERNOR_KEY), keyring.account(names.ANCHOR_KEY)
    chain_id = read_quantity(endpoint.call("eth_chainId"), "eth_chainId")
    if settings.chain_id not in (None, chain_id):
        raise UnavailableError("chain.wrong-network", f"{endpoint.name}: its chain id is not that of the settings")
    _check_funds(endpoint, settings, governor, anchorer)
    pause = clock.pause if settings.kind == "rpc" else _no_pause
    gas_price = settings.gas_price if settings.answers is None else None
    network = Network(rpc=endpoint.rpc, chain_id=chain_id, gas_price=gas_price, wait=pause)
    deployment = deploy_contract(network, governor=governor)
    admin = account_address(governor)
    registered = register_origin(network, contract=deployment.address, governor=governor, name=origin, admin=admin)
    set_anchorer(
        network, contract=deployment.address, admin=governor, origin=registered, anchorer=account_address(anchorer)
    )
    request = ProfileRequest(
        profile_id=names.profile_id(origin, chain_id),
        contract=deployment.address,
        deploy_block=deployment.block_number,
        development=settings.kind == "embedded",
        unsealed=settings.unsealed,
        answers=None if settings.answers is None else AnswersPolicy(settings.answers, len(settings.urls)),
    )
    return _once_final(endpoint, request, pause)


def _once_final(endpoint: Endpoint, request: ProfileRequest, pause: Callable[[], None]) -> TrustProfile:
    for _ in range(_FINAL_TRIES):
        try:
            return make_profile(endpoint, request, default_id=str)
        except UnavailableError as error:
            if error.code != "chain.not-final":
                raise
        pause()
    raise UnavailableError("chain.not-final", f"{endpoint.name}: the contract's block does not become final")


def _check_funds(endpoint: Endpoint, settings: ChainSettings, *accounts: Account) -> None:
    """Where transactions cost something, both accounts need funds before anything is sent."""
    if not settings.gas_price:
        return
    addresses = (to_hex(account_address(account)) for account in accounts)
    poor = [each for each in addresses if not read_quantity(endpoint.call("eth_getBalance", each, "latest"), "balance")]
    if poor:
        raise UnavailableError("chain.no-funds", f"fund {' and '.join(poor)} on this chain, then run again")


def _no_pause() -> None:
    """The embedded chain mines at once."""
