"""What the home of a grant does with it beside answering: keep its links, withdraw one.

Both run in the caller's transaction. Standard: credentials reference §3.6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from materials.claims import StatusRef
from materials.commitment import commit_to, format_commitment
from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, LinkId, parse_link
from materials.grants.ports import AnswerStore, GrantStore, StoredLink, UsageStore, UseCounter
from materials.grants.verify import authenticate_chain
from materials.ids import EntityId
from materials.registry.ports import HomePorts
from materials.status import StatusValue
from materials.trust.lists import VerifiedTrustList
from signing.errors import RefusedError
from signing.keys import Signer

COMMITMENT_KIND = "grant"
"""The kind of the commitment by which the log holds a link."""


@dataclass(frozen=True, slots=True)
class GrantPorts:
    """The ports of one unit of work on grants, all bound to the same transaction."""

    home: HomePorts
    grants: GrantStore
    counter: UseCounter
    usage: UsageStore
    answers: AnswerStore


@dataclass(frozen=True, slots=True)
class GrantHome:
    """One home during one operation. ``signer`` holds its key of role ``grant``: for roots and usage records."""

    id: EntityId
    trust: VerifiedTrustList
    signer: Signer = field(repr=False)


def keep_grant(ports: GrantPorts, home: GrantHome, chain: GrantChain, *, now: int) -> tuple[LinkId, ...]:
    """Keep the links of a chain before its first use, so that its parties see them; returns those that are new.

    Repeatable. Raises GrantRefusedError if the chain is not genuine, has its home elsewhere, or a link names a place in
    the status list that was not allocated to it.
    """
    authenticate_chain(chain, trust=home.trust, now=now)
    check_home(chain, home.id)
    link_statuses(ports, chain)
    new = ports.grants.add(chain, now=now)
    log_links(ports, chain, new)
    return new


def withdraw_grant(ports: GrantPorts, link: LinkId, *, actor: EntityId, now: int) -> StoredLink:
    """Withdraw a link for good. Descendants end with it: every use asks every link. Repeatable.

    ``actor`` is the subject or an issuer of the link or of one above it. Raises RefusedError ``grant.withdraw``,
    the same whether the link is unknown or not the actor's to withdraw.
    """
    chain = ports.grants.chain(link)
    entitled = {stored.id.iss for stored in chain} | {stored.subject for stored in chain}
    if actor not in entitled:
        raise RefusedError("grant.withdraw", "there is no such link that this party may withdraw")
    ports.grants.withdraw(link, by=actor, now=now)
    place = parse_link(chain[-1].text).status
    entry = None if place is None else ports.home.statuses.find(place.uri, link.jti)
    if entry is not None and entry.ref == place:
        ports.home.statuses.set_status(entry.ref, StatusValue.INVALID)
    return ports.grants.chain(link)[-1]


def check_home(chain: GrantChain, home: EntityId) -> None:
    """Refuse a chain whose uses are counted elsewhere. Raises GrantRefusedError ``home``."""
    if chain.root.uses.home != home:
        raise GrantRefusedError("home", 0, "the uses of this grant are counted at another home")


def log_links(ports: GrantPorts, chain: GrantChain, new: Sequence[LinkId]) -> None:
    """Append a commitment to each new link. Last in a transaction: everybody waits for the log's head."""
    for link in chain.links:
        if link.id in new:
            ports.home.log.append(format_commitment(commit_to(COMMITMENT_KIND, link.text)))


def link_statuses(ports: GrantPorts, chain: GrantChain) -> dict[StatusRef, StatusValue]:
    """What the home's own table says of each place that a link of ``chain`` names.

    Raises GrantRefusedError ``status-list`` for a link that names a place which was not allocated to it.
    """
    statuses: dict[StatusRef, StatusValue] = {}
    for number, link in enumerate(chain.links):
        if link.status is not None:
            entry = ports.home.statuses.find(link.status.uri, link.id.jti)
            if entry is None or entry.ref != link.status:
                raise GrantRefusedError("status-list", number, "the place in the list was not allocated to this link")
            statuses[link.status] = entry.status
    return statuses
