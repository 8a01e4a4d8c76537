"""Chains of the trust list: a further one, with the contract on it, and later versions of their profiles."""

from dataclasses import replace

from anchors import TrustProfile
from api import clock
from api.anchoring import chain_profiles, chain_settings
from api.chain import chain_endpoints
from api.chain_setup import deploy
from api.trust_lists import change_trust, renew_trust
from api.workspace import Workspace
from materials.trust.model import TrustList
from signing import RefusedError, UnavailableError


def add_chain(workspace: Workspace, name: str) -> tuple[TrustProfile, bool]:
    """Deploy the contract on the chain ``name`` of the settings and list its profile; False if it was listed before.

    A run that was cut off may have deployed a contract already: the next one deploys another. Raises MalformedError
    (``chain.unknown``), UnavailableError if the chain can't be had or is not the one of the settings.
    """
    now, settings = clock.now(), chain_settings(workspace, name)
    renew_trust(workspace, now)
    with workspace.database.read() as connection:
        listed = chain_profiles(workspace, connection, now).get(name)
    if listed is not None:
        return listed, False
    with chain_endpoints(settings, workspace.path, writable=True, create=True) as endpoints:
        profile = deploy(endpoints[0], workspace.keyring, workspace.settings.origin, settings)

    def append(trust_list: TrustList) -> TrustList:
        return replace(trust_list, chains=(*trust_list.chains, profile))

    change_trust(workspace, append, clock.now())
    return profile, True


def list_profile(workspace: Workspace, profile: TrustProfile) -> None:
    """Put a later version of a profile into the trust list, in place of the one of that id.

    Raises UnavailableError (``chain.no-profile``) if none of that id is listed, RefusedError (``anchor.profile-back``)
    unless it is of the same network and contracts, and of a higher version.
    """

    def replaced(trust_list: TrustList) -> TrustList:
        listed = {each.profile_id: each for each in trust_list.chains}
        known = listed.get(profile.profile_id)
        if known is None:
            raise UnavailableError("chain.no-profile", f"the trust list has no profile {profile.profile_id}")
        same = (known.chain_id, known.genesis_hash) == (profile.chain_id, profile.genesis_hash)
        addresses = {pin.address for pin in profile.contracts}
        if not same or profile.version <= known.version or {pin.address for pin in known.contracts} - addresses:
            raise RefusedError(
                "anchor.profile-back", "the trust list has as late a version, or another network or contract"
            )
        return replace(trust_list, chains=tuple({**listed, profile.profile_id: profile}.values()))

    change_trust(workspace, replaced, clock.now())
