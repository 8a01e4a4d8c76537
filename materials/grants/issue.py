"""Issuing grant links: the root by the home, every further link by the delegate of the one above.

Whoever passes a grant on may only narrow it; the static check here says so early, ``grants.decision`` enforces it.
A link's id comes first (``new_grant_id``), so that its place in the home's status list can be allocated to it.
"""

from dataclasses import dataclass

from materials.claims import StatusRef, status_ref_to_json
from materials.grants.errors import GrantRefusedError
from materials.grants.links import GRANT_TYP, MAX_LINKS, Delegate, GrantLink, parse_link
from materials.grants.narrowing import check_narrows
from materials.grants.terms import GrantDetail, GrantPurpose, Uses, UsesScope, details_to_json
from materials.ids import EntityId, RandomBytes, new_id
from materials.trust.model import Basis
from signing.encoding import b64url_encode
from signing.jws import sign_jws
from signing.keys import Signer
from signing.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a delegator chooses. Times are Unix seconds.

    ``max_depth`` None: nobody below this link. ``status`` None: only for a link of at most 24 hours.
    """

    purpose: GrantPurpose
    details: tuple[GrantDetail, ...]
    max_uses: int
    nbf: int
    exp: int
    max_depth: int | None = None
    redelegate: bool = False
    uses_scope: UsesScope = "subtree"
    status: StatusRef | None = None


def new_grant_id(random_bytes: RandomBytes) -> str:
    """The ``jti`` of a new link: 128 random bits."""
    return new_id("gr", random_bytes)


def issue_root(
    signer: Signer,
    *,
    home: EntityId,
    subject: EntityId,
    basis: Basis,
    delegate: Delegate,
    terms: GrantTerms,
    jti: str,
    now: int,
) -> GrantLink:
    """Sign the root: ``home`` grants ``delegate`` (usually the holder: ``subject``) in the holder's name.

    Raises MalformedError if the terms cannot be said in a link.
    """
    place: dict[str, JsonValue] = {"iss": home, "sub": subject, "basis": basis, "depth": 0}
    return _sign(signer, {**_claims(terms, delegate, home=home, depth=0, jti=jti, now=now), **place})


def delegate_grant(
    parent: GrantLink, signer: Signer, *, delegate: Delegate, terms: GrantTerms, jti: str, now: int
) -> GrantLink:
    """Sign a narrower link below ``parent``, whose delegate holds ``signer``'s key.

    Raises MalformedError, or GrantRefusedError with the rule by which the child would not be narrower. That check is
    for the user's sake; security rests on ``materials.grants.decision``, which asks every link on its own.
    """
    depth = parent.depth + 1
    if depth >= MAX_LINKS:
        raise GrantRefusedError("depth", depth, "the chain would have too many links")
    if signer.public_key != parent.audience.key:
        raise GrantRefusedError("key-binding", depth, "the link above names another key for its delegate")
    place: dict[str, JsonValue] = {
        "iss": parent.audience.id,
        "sub": parent.subject,
        "basis": parent.basis,
        "depth": depth,
        "prf": b64url_encode(parent.text_hash),
    }
    claims = _claims(terms, delegate, home=parent.uses.home, depth=depth, jti=jti, now=now)
    child = _sign(signer, {**claims, **place})
    check_narrows(child, parent)
    return child


def _claims(
    terms: GrantTerms, delegate: Delegate, *, home: EntityId, depth: int, jti: str, now: int
) -> dict[str, JsonValue]:
    claims: dict[str, JsonValue] = {
        "aud": delegate.id,
        "jti": jti,
        "iat": now,
        "nbf": terms.nbf,
        "exp": terms.exp,
        "max_depth": depth if terms.max_depth is None else terms.max_depth,
        "redelegate": terms.redelegate,
        "purpose": terms.purpose.to_json(),
        "authorization_details": details_to_json(terms.details),
        "uses": Uses(terms.max_uses, terms.uses_scope, home).to_json(),
        "cnf": {"jkt": delegate.key.key_id, "jwk": delegate.key.to_jwk()},
    }
    if terms.status is not None:
        claims["status"] = status_ref_to_json(terms.status)
    return claims


def _sign(signer: Signer, claims: dict[str, JsonValue]) -> GrantLink:
    """Sign, then read back: what cannot be parsed is never handed out."""
    return parse_link(sign_jws(signer, typ=GRANT_TYP, claims=claims))
