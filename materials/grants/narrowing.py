"""The static check at issuance: is a child no wider than its parent? A readable error for the user, never the security.

What passes it is accepted by the child only where the parent accepts it too (a property test holds it to that).
Standard: credentials reference §3.4, last paragraph.
"""

from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantLink
from materials.grants.paths import covers, covers_any
from materials.grants.terms import GrantDetail, GrantPurpose, Location
from materials.regions import region_contains


def check_narrows(child: GrantLink, parent: GrantLink) -> None:
    """Raise GrantRefusedError, naming the rule, if ``child`` would allow anything that ``parent`` does not."""
    rules = {
        "redelegate": parent.redelegate,
        "depth": child.depth == parent.depth + 1 and child.depth <= child.max_depth <= parent.max_depth,
        "subject": child.subject == parent.subject,
        "basis": child.basis == parent.basis,
        "home": child.uses.home == parent.uses.home,
        "outlives-parent": parent.nbf <= child.nbf and child.exp <= parent.exp,
        "purpose": purpose_narrows(child.purpose, parent.purpose),
        "uses": child.uses.maximum <= parent.uses.maximum,
        "detail": all(any(detail_within(d, outer) for outer in parent.details) for d in child.details),
    }
    for rule, holds in rules.items():
        if not holds:
            raise GrantRefusedError(rule, child.depth, "the link would be wider than the one above it")


def purpose_narrows(child: GrantPurpose, parent: GrantPurpose) -> bool:
    """Whether nothing but an empty case number changed."""
    case_kept = parent.biz_num in ("", child.biz_num)
    return case_kept and (child.code, child.item_code) == (parent.code, parent.item_code)


def detail_within(inner: GrantDetail, outer: GrantDetail) -> bool:
    """Whether every request that ``inner`` allows is allowed by ``outer`` as well."""
    return (
        inner.vct == outer.vct
        and outer.material in (None, inner.material)
        and all(covers_any(outer.actions, action) for action in inner.actions)
        and all(covers_any(outer.claims, claim) for claim in inner.claims)
        and all(any(location_within(place, wide) for wide in outer.locations) for place in inner.locations)
    )


def location_within(inner: Location, outer: Location) -> bool:
    """Whether place ``inner`` lies in ``outer``: region and department by whole segments, the same level."""
    return (
        region_contains(outer.region, inner.region)
        and inner.level == outer.level
        and covers(outer.department, inner.department)
    )
