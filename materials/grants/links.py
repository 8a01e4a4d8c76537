"""One link of a grant and a chain of links, as signed and as parsed (JWS, typ ``grant+jwt``).

A chain runs from the root, which the home signs in the holder's name, to the leaf, whose delegate may ask. Each child
names its parent by the hash of its text (``prf``), each parent names the key that signs its child (``cnf``). What is
parsed here is unproved: ``materials.grants.decision`` decides. Standard: credentials reference §3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from materials.claims import StatusRef, read_status_ref
from materials.grants.terms import GrantDetail, GrantPurpose, Uses, read_details
from materials.ids import EntityId, check_entity_id, check_id
from materials.trust.model import BASES, Basis
from signing.digests import sha256
from signing.encoding import b64url_decode
from signing.errors import MalformedError
from signing.jws import UnverifiedJws, parse_jws
from signing.keys import PublicKey
from signing.strict_json import JsonValue, json_bool, json_int, json_object, json_str

GRANT_TYP: Final = "grant+jwt"
MAX_LINK_BYTES: Final = 8192
MAX_LINKS: Final = 10
SHORT_LIFE_SECONDS: Final = 24 * 3600
"""A link that lives no longer needs no status."""

_PARTIES: Final = ("iss", "aud", "sub", "jti", "cnf")
_WINDOW: Final = ("iat", "nbf", "exp")
_LIMITS: Final = ("depth", "max_depth", "purpose", "basis", "authorization_details", "uses")
_OPTIONAL: Final = ("prf", "redelegate", "status", "meta")


@dataclass(frozen=True, slots=True)
class LinkId:
    """The identity of a link, for revocation and counters; never the hash of its text (ES256 is malleable)."""

    iss: EntityId
    jti: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """Who receives a link: the entity, and the key that must sign the next link or the request."""

    id: EntityId
    key: PublicKey


@dataclass(frozen=True, slots=True)
class GrantLink:
    """A well-formed link; nothing about it is proved. ``jws`` keeps the signed bytes."""

    jws: UnverifiedJws
    id: LinkId
    audience: Delegate
    subject: EntityId
    parent_hash: bytes | None
    depth: int
    max_depth: int
    redelegate: bool
    iat: int
    nbf: int
    exp: int
    purpose: GrantPurpose
    basis: Basis
    details: tuple[GrantDetail, ...]
    uses: Uses
    status: StatusRef | None

    @property
    def text(self) -> str:
        """The compact JWS."""
        return self.jws.text

    @property
    def text_hash(self) -> bytes:
        """SHA-256 of the text: what a child's ``prf`` holds."""
        return sha256(self.text.encode("ascii"))


@dataclass(frozen=True, slots=True)
class GrantChain:
    """One to ten well-formed links, root first; unproved."""

    links: tuple[GrantLink, ...]

    @property
    def root(self) -> GrantLink:
        """The first link."""
        return self.links[0]

    @property
    def leaf(self) -> GrantLink:
        """The last link, whose delegate may ask."""
        return self.links[-1]

    @property
    def ids(self) -> tuple[LinkId, ...]:
        """The identities, root first."""
        return tuple(link.id for link in self.links)

    @property
    def texts(self) -> tuple[str, ...]:
        """The signed texts, root first; ``parse_chain`` reads them back."""
        return tuple(link.text for link in self.links)


def parse_link(text: str) -> GrantLink:
    """Take one link apart, strictly. Raises MalformedError (``form.*``); proves nothing."""
    jws = parse_jws(text, typ=GRANT_TYP, max_bytes=MAX_LINK_BYTES)
    required = (*_PARTIES, *_WINDOW, *_LIMITS)
    claims = json_object(jws.claims(), what=GRANT_TYP, required=required, optional=_OPTIONAL)
    if claims["basis"] not in BASES:
        raise MalformedError("form.basis", f"{GRANT_TYP}: unknown basis")
    depth, max_depth = (_int(claims[name], name, maximum=MAX_LINKS - 1) for name in ("depth", "max_depth"))
    iat, nbf, exp = (_int(claims[name], name) for name in _WINDOW)
    redelegate = json_bool(claims.get("redelegate", False), what=f"{GRANT_TYP} redelegate")
    uses = Uses.from_json(claims["uses"], what=f"{GRANT_TYP} uses")
    status = read_status_ref(claims["status"]) if "status" in claims else None
    _check_window(iat, nbf, exp, has_status=status is not None)
    _check_place(claims, depth=depth, redelegate=redelegate, uses=uses)
    return GrantLink(
        jws=jws,
        id=LinkId(_entity(claims["iss"], "iss"), check_id(_text(claims["jti"], "jti"), prefix="gr", what="jti")),
        audience=Delegate(_entity(claims["aud"], "aud"), _read_cnf(claims["cnf"])),
        subject=_entity(claims["sub"], "sub"),
        parent_hash=_read_hash(claims["prf"]) if "prf" in claims else None,
        depth=depth,
        max_depth=max_depth,
        redelegate=redelegate,
        iat=iat,
        nbf=nbf,
        exp=exp,
        purpose=GrantPurpose.from_json(claims["purpose"], what=f"{GRANT_TYP} purpose"),
        basis=cast(Basis, claims["basis"]),
        details=read_details(claims["authorization_details"], what=f"{GRANT_TYP} detail"),
        uses=uses,
        status=status,
    )


def parse_chain(texts: Sequence[str]) -> GrantChain:
    """Parse one to ten links, root first. Raises MalformedError; ``form.repeated`` if an identity occurs twice."""
    if not 1 <= len(texts) <= MAX_LINKS:
        raise MalformedError("form.size", f"grant chain: between 1 and {MAX_LINKS} links are needed")
    chain = GrantChain(tuple(parse_link(text) for text in texts))
    if len(set(chain.ids)) != len(chain.ids):
        raise MalformedError("form.repeated", "grant chain: two links have one identity")
    return chain


def _check_window(iat: int, nbf: int, exp: int, *, has_status: bool) -> None:
    if nbf >= exp:
        raise MalformedError("form.window", f"{GRANT_TYP}: nbf is not before exp")
    if not has_status and exp - iat > SHORT_LIFE_SECONDS:
        raise MalformedError("form.status", f"{GRANT_TYP}: a link of more than 24 hours needs a status")


def _check_place(claims: dict[str, JsonValue], *, depth: int, redelegate: bool, uses: Uses) -> None:
    if ("prf" in claims) != (depth > 0):
        raise MalformedError("form.prf", f"{GRANT_TYP}: prf belongs in every link but the root")
    if redelegate and uses.scope == "grant":
        raise MalformedError("form.scope", f"{GRANT_TYP}: scope grant is only for a link that is not passed on")
    if not isinstance(claims.get("meta", {}), dict):
        raise MalformedError("form.type", f"{GRANT_TYP}: meta is not an object")


def _text(value: JsonValue, name: str) -> str:
    return json_str(value, what=f"{GRANT_TYP} {name}", max_length=256)


def _int(value: JsonValue, name: str, *, maximum: int = 2**53 - 1) -> int:
    return json_int(value, what=f"{GRANT_TYP} {name}", maximum=maximum)


def _entity(value: JsonValue, name: str) -> EntityId:
    return check_entity_id(_text(value, name), what=f"{GRANT_TYP} {name}")


def _read_hash(value: JsonValue) -> bytes:
    digest = b64url_decode(_text(value, "prf"), what=f"{GRANT_TYP} prf")
    if len(digest) != 32:
        raise MalformedError("form.prf", f"{GRANT_TYP}: prf is not a SHA-256")
    return digest


def _read_cnf(value: JsonValue) -> PublicKey:
    """The delegate's key; ``jkt`` beside it must be its RFC 7638 thumbprint."""
    members = json_object(value, what=f"{GRANT_TYP} cnf", required=("jkt", "jwk"))
    key = PublicKey.from_jwk(members["jwk"], what=f"{GRANT_TYP} cnf.jwk")
    if members["jkt"] != key.key_id:
        raise MalformedError("form.cnf", f"{GRANT_TYP}: cnf.jkt is not the thumbprint of cnf.jwk")
    return key
