"""Status lists: read, and published anew when half their life is over. Each is signed, and all are kept."""

from api.clock_guard import is_ahead
from api.keys.current_keys import current_signer
from api.workspace import Workspace
from materials.registry.ports import HomePorts
from materials.registry.publish import ListTerms, publish_status_list
from materials.registry.records import PublishedList
from materials.trust.lists import VerifiedTrustList


def current_status_list(
    workspace: Workspace, ports: HomePorts, uri: str, trust: VerifiedTrustList, now: int
) -> PublishedList:
    """The latest list of ``uri``, published anew once half its life is over; ``ports`` are of a writing transaction."""
    latest = ports.archive.latest(uri)
    if latest is not None and not is_list_due(workspace, latest, now):
        return latest
    return publish_list(workspace, ports, uri, trust, now)


def is_list_due(workspace: Workspace, latest: PublishedList, now: int) -> bool:
    """Whether half the life of a list is over; or a clock that was ahead dated it, which a person allowed to mend."""
    return now >= latest.iat + workspace.settings.status.lifetime // 2 or is_ahead(workspace, latest.iat, now)


def publish_list(workspace: Workspace, ports: HomePorts, uri: str, trust: VerifiedTrustList, now: int) -> PublishedList:
    """Sign and keep what the status table says now of list ``uri``."""
    terms = workspace.settings.status
    signer = current_signer(workspace.keyring, trust.list.find_entity(workspace.operator), "status", now)
    list_terms = ListTerms(uri, workspace.operator, terms.lifetime, terms.ttl)
    tolerance = workspace.settings.clock.tolerance
    return publish_status_list(
        ports.statuses, ports.archive, list_terms, signer, trust=trust, now=now, tolerance=tolerance
    )
