"""A small world for grants: a home, a department of another province, a holder, an agent, a clerk, and their keys."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from materials.claims import StatusRef
from materials.grants.issue import GrantTerms, delegate_grant, issue_root, new_grant_id
from materials.grants.links import Delegate, GrantChain, GrantLink
from materials.grants.requests import RetrievalRequest
from materials.grants.terms import GrantDetail, GrantPurpose, Location
from materials.identifiers import check_uscc
from materials.ids import EntityId, MaterialId, holder_id, new_material_id, organisation_id
from materials.status import StatusValue
from materials.trust.lists import VerifiedTrustList, issue_trust_list, verify_trust_list
from materials.trust.model import Entity, Purpose, Role, TrustKey, TrustList
from signing import Ed25519Signer, Es256Signer, LedgerError, Signer, b64url_decode, b64url_encode, sign_jws

NOW = 1_800_000_000
DAY = 86_400
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
VCT = "urn:ematerials:material:business-licence:1"
OTHER_VCT = "urn:ematerials:material:enterprise-annual-report:1"
MATERIAL_LIST = "https://home.example/status/materials"
GRANT_LIST = "https://home.example/status/grants"


def random_source(seed: str) -> Callable[[int], bytes]:
    """Reproducible bytes, new at each call."""
    numbers = count()

    def random_bytes(size: int) -> bytes:
        return hashlib.shake_256(f"{seed}/{next(numbers)}".encode()).digest(size)

    return random_bytes


def _uscc(body: str) -> str:
    for check in "0123456789ABCDEFGHJKLMNPQRTUWXY":
        try:
            return check_uscc(body + check)
        except LedgerError:
            continue
    raise AssertionError(body)


RANDOM = random_source("world")
HOME = organisation_id(_uscc("11310110MB9F00001"))
DEPARTMENT = organisation_id(_uscc("11320500MB9F00002"))
AGENCY = organisation_id(_uscc("91310110MA9F00003"))  # an organisation that the trust list does not know
OWNER, AGENT, CLERK = (holder_id(bytes([n]) * 16) for n in (1, 2, 3))
MATERIAL = new_material_id(RANDOM)

HOME_ISSUE, HOME_STATUS, HOME_GRANT, HOME_API = (Ed25519Signer.generate(RANDOM) for _ in range(4))
DEPARTMENT_API, DEPARTMENT_GRANT = (Ed25519Signer.generate(RANDOM) for _ in range(2))
OWNER_KEY: Signer = Es256Signer.generate(RANDOM)
AGENT_KEY, CLERK_KEY = Ed25519Signer.generate(RANDOM), Ed25519Signer.generate(RANDOM)
LIST_KEY = Ed25519Signer.generate(RANDOM)

PLACE = Location("320500", "city", DEPARTMENT)
PURPOSE = GrantPurpose("open-a-branch", "0131001000", "CASE-2026-0007")
CLAIMS = ("address", "files", "holder_name")
DETAIL = GrantDetail(VCT, MATERIAL, ("retrieve",), CLAIMS, (PLACE,))
REQUEST = RetrievalRequest(PURPOSE, "retrieve/fields", VCT, MATERIAL, ("address", "holder_name"), PLACE)


def listed_key(signer: Signer, role: Role) -> TrustKey:
    """A key in the list for two years around NOW."""
    return TrustKey(signer.public_key, role, NOW - 365 * DAY, NOW + 365 * DAY)


HOME_ENTITY = Entity(
    id=HOME,
    name_zh="某区政务服务办公室（虚构）",
    name_en="A district's service office (synthetic)",
    level="district",
    region="310110",
    types=(VCT, OTHER_VCT),
    bases=("holder", "entrust", "function"),
    status_uris=(MATERIAL_LIST, GRANT_LIST),
    purposes=(Purpose("open-a-branch", "synthetic-law-7", (VCT,), CLAIMS),),
    keys=(
        listed_key(HOME_ISSUE, "issue"),
        listed_key(HOME_STATUS, "status"),
        listed_key(HOME_GRANT, "grant"),
        listed_key(HOME_API, "api"),
    ),
)
DEPARTMENT_ENTITY = Entity(
    id=DEPARTMENT,
    name_zh="外省某市审批局（虚构）",
    name_en="A city's approval bureau in another province (synthetic)",
    level="city",
    region="320500",
    types=(),
    bases=(),
    status_uris=(),
    purposes=(Purpose("open-a-branch", "synthetic-law-7", (VCT,), CLAIMS),),
    keys=(listed_key(DEPARTMENT_API, "api"), listed_key(DEPARTMENT_GRANT, "grant")),
)


def trust_list(*entities: Entity) -> VerifiedTrustList:
    """A verified list of ``entities``; by default of the home and the department."""
    content = TrustList(
        iss=HOME,
        seq=1,
        prev=None,
        iat=NOW - DAY,
        next_update=NOW + DAY,
        exp=NOW + 7 * DAY,
        entities=entities or (HOME_ENTITY, DEPARTMENT_ENTITY),
        logs=(),
        chains=(),
    )
    return verify_trust_list(issue_trust_list(LIST_KEY, content), LIST_KEY.public_key, NOW)


TRUST = trust_list()


def terms(**changes: Any) -> GrantTerms:
    """Short-lived terms that may be passed on twice; ``changes`` replace members."""
    base = GrantTerms(
        purpose=PURPOSE,
        details=(DETAIL,),
        max_uses=3,
        nbf=NOW - 100,
        exp=NOW + 3600,
        max_depth=3,
        redelegate=True,
    )
    return replace(base, **changes)


@dataclass(frozen=True)
class Party:
    """An entity with the key that it signs with."""

    id: EntityId
    signer: Signer

    @property
    def delegate(self) -> Delegate:
        return Delegate(self.id, self.signer.public_key)


OWNER_PARTY, AGENT_PARTY, CLERK_PARTY = Party(OWNER, OWNER_KEY), Party(AGENT, AGENT_KEY), Party(CLERK, CLERK_KEY)
DEPARTMENT_PARTY = Party(DEPARTMENT, DEPARTMENT_API)


def root(to: Party = OWNER_PARTY, *, subject: EntityId = OWNER, **changes: Any) -> GrantLink:
    """A root of the home for the materials of ``subject``."""
    return issue_root(
        HOME_GRANT,
        home=HOME,
        subject=subject,
        basis="holder",
        delegate=to.delegate,
        terms=terms(**changes),
        jti=new_grant_id(RANDOM),
        now=NOW - 100,
    )


def below(parent: GrantLink, signer: Signer, to: Party, **changes: Any) -> GrantLink:
    """A link below ``parent``."""
    return delegate_grant(
        parent, signer, delegate=to.delegate, terms=terms(**changes), jti=new_grant_id(RANDOM), now=NOW - 50
    )


def usual_chain(*, case_at_leaf: bool = False, **leaf_changes: Any) -> GrantChain:
    """Home → owner → agent → department, three links."""
    open_purpose = replace(PURPOSE, biz_num="") if case_at_leaf else PURPOSE
    first = root(purpose=open_purpose)
    second = below(first, OWNER_KEY, AGENT_PARTY, purpose=open_purpose)
    leaf = {"redelegate": False, **leaf_changes}
    return GrantChain((first, second, below(second, AGENT_KEY, DEPARTMENT_PARTY, **leaf)))


def always_valid(_: StatusRef) -> StatusValue:
    """A status lookup for links without trouble."""
    return StatusValue.VALID


def other_material() -> MaterialId:
    """A material that no grant names."""
    return new_material_id(RANDOM)


def forge(link: GrantLink, signer: Signer, **changes: Any) -> str:
    """Sign ``link`` again with some claims changed; None takes a claim out."""
    claims = {**link.jws.claims(), **changes}
    return sign_jws(signer, typ="grant+jwt", claims={k: v for k, v in claims.items() if v is not None})


def malleate(text: str) -> str:
    """The other valid ES256 signature of the same bytes: (r, n − s)."""
    body, _, signature = text.rpartition(".")
    raw = b64url_decode(signature, what="test")
    s = P256_ORDER - int.from_bytes(raw[32:], "big")
    return f"{body}.{b64url_encode(raw[:32] + s.to_bytes(32, 'big'))}"
