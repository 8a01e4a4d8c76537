"""May this request be answered under this grant? Step 6 of the decision (credentials reference §3.4).

The request must satisfy every link, each on its own: that, not the comparison of links with each other, is what makes
narrowing safe. What a link does not say is not allowed.
"""

from dataclasses import dataclass
from typing import Literal

from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, GrantLink, LinkId
from materials.grants.narrowing import location_within
from materials.grants.paths import covers_any
from materials.grants.requests import RetrievalRequest
from materials.grants.terms import GrantDetail
from materials.grants.verify import VerifiedGrant, check_listed_key, listed_entity
from materials.ids import EntityId
from materials.regions import region_contains
from materials.trust.lists import VerifiedTrustList
from materials.trust.model import Entity
from signing.errors import VerificationError
from signing.keys import KeyId


@dataclass(frozen=True, slots=True)
class Decision:
    """A request that is allowed: who uses it (``requester`` acts for ``organisation``), and the links, all ok.

    ``uses`` is ``checked`` only once the home has debited the counters.
    """

    requester: EntityId
    organisation: EntityId
    links: tuple[LinkId, ...]
    as_of: int
    uses: Literal["checked", "unchecked"] = "unchecked"


def decide(request: RetrievalRequest, grant: VerifiedGrant, *, trust: VerifiedTrustList, caller_key: KeyId) -> Decision:
    """Decide on ``request``, which ``caller_key`` signed.

    Raises GrantRefusedError with the number of the first link that refuses, and the rule.
    """
    chain = grant.chain
    leaf_number = len(chain.links) - 1
    check_caller(chain, caller_key)
    check_listed_key(
        trust,
        chain.leaf.audience.id,
        chain.leaf.audience.key,
        role="api",
        link=leaf_number,
        at=grant.as_of,
        now=grant.as_of,
    )
    for number, link in enumerate(chain.links):
        check_link(request, link, number)
    if not chain.leaf.purpose.biz_num:
        raise GrantRefusedError("purpose", leaf_number, "no link names the case, so the grant can't be used yet")
    organisation = acting_organisation(chain)
    _check_organisation(request, chain, trust, organisation, leaf_number)
    return Decision(chain.leaf.audience.id, organisation, chain.ids, grant.as_of)


def check_caller(chain: GrantChain, caller_key: KeyId) -> None:
    """Refuse a caller without the key that the leaf names (step 7): GrantRefusedError ``key-binding``."""
    if caller_key != chain.leaf.audience.key.key_id:
        raise GrantRefusedError(
            "key-binding", len(chain.links) - 1, "the caller does not hold the key that the link names"
        )


def acting_organisation(chain: GrantChain) -> EntityId:
    """For whom the leaf's delegate acts: itself if it is an organisation, else the organisation that delegated to it.

    A person to whom no organisation delegated acts for no organisation: the person's own id comes back.
    """
    leaf = chain.leaf
    if leaf.audience.id.startswith("uscc:") or len(chain.links) == 1:
        return leaf.audience.id
    return leaf.id.iss if leaf.id.iss.startswith("uscc:") else leaf.audience.id


def check_link(request: RetrievalRequest, link: GrantLink, number: int) -> None:
    """Ask one link alone for the whole request: one of its details must allow all of it. Raises GrantRefusedError."""
    purpose = link.purpose
    same_purpose = (purpose.code, purpose.item_code) == (request.purpose.code, request.purpose.item_code)
    if not same_purpose or purpose.biz_num not in ("", request.purpose.biz_num):
        raise GrantRefusedError("purpose", number, "the request has another purpose, item or case")
    failures = [_first_failure(request, detail) for detail in link.details]
    if None in failures:
        return
    # Of several details, report the one that came closest.
    rule = max((failure for failure in failures if failure), key=_RULES.index)
    raise GrantRefusedError(rule, number, "the link does not allow this")


_RULES = ("material", "action", "claims", "place")


def _first_failure(request: RetrievalRequest, detail: GrantDetail) -> str | None:
    outcomes = (
        detail.vct == request.vct and detail.material in (None, request.material),
        covers_any(detail.actions, request.action),
        bool(request.claims) and all(covers_any(detail.claims, claim) for claim in request.claims),
        any(location_within(request.location, place) for place in detail.locations),
    )
    return next((rule for rule, holds in zip(_RULES, outcomes, strict=True) if not holds), None)


def _check_organisation(
    request: RetrievalRequest, chain: GrantChain, trust: VerifiedTrustList, organisation: EntityId, number: int
) -> None:
    """The trust list, not the caller, says who the organisation is, where it is, and which purposes it registered."""
    if request.location.organisation != organisation:
        raise GrantRefusedError("audience", number, "the grant was not given to the organisation that asks")
    entity = listed_entity(trust, organisation)
    if entity is None:
        raise GrantRefusedError("purpose-registered", number, "the organisation that asks is not in the trust list")
    if request.location.level != entity.level or not region_contains(entity.region, request.location.region):
        raise GrantRefusedError("place", number, "the trust list gives the organisation another place")
    if chain.root.basis == "function" and organisation == chain.root.id.iss:
        raise GrantRefusedError("basis", number, "an authority may not grant itself use by function")
    _check_registered_purpose(request, entity, number)


def _check_registered_purpose(request: RetrievalRequest, entity: Entity, number: int) -> None:
    try:
        purpose = entity.purpose(request.purpose.code)
    except VerificationError:
        raise GrantRefusedError(
            "purpose-registered", number, "the organisation has not registered this purpose"
        ) from None
    allowed = request.vct in purpose.types and all(covers_any(purpose.claims, claim) for claim in request.claims)
    if not allowed:
        raise GrantRefusedError("purpose-registered", number, "the registered purpose does not cover what is asked")
