"""Requests and answers about grants and retrieval, as pydantic models with examples for the OpenAPI document.

What a grant or a request means is read by ``materials`` itself, from the same JSON forms that are signed.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.http.models import EXAMPLE_ID, EXAMPLE_ISSUER, EXAMPLE_SHA256, EXAMPLE_SM3, Jws, StatusPlace, Strict

EXAMPLE_LINK = "gr-aebagbafaydqqcikbmga2dqpca"
EXAMPLE_VCT = "urn:ematerials:material:business-licence:1"
_EXAMPLE_PURPOSE = {"code": "open-a-branch", "item_code": "0131001000", "biz_num": "CASE-2026-0007"}
_EXAMPLE_PLACE = {"region": "320500", "level": "city", "department": "uscc:11320500MB9F000025"}
_EXAMPLE_DETAIL = {
    "type": "material",
    "identifier": EXAMPLE_ID,
    "vct": EXAMPLE_VCT,
    "actions": ["retrieve"],
    "datatypes": ["holder_name", "files"],
    "locations": [_EXAMPLE_PLACE],
}
_EXAMPLE_REQUEST = {
    "version": "ematerials/retrieval-request/v1",
    "purpose": _EXAMPLE_PURPOSE,
    "action": "retrieve/files",
    "vct": EXAMPLE_VCT,
    "material": EXAMPLE_ID,
    "claims": ["holder_name", "files"],
    "location": _EXAMPLE_PLACE,
}

Chain = Annotated[list[Jws], Field(min_length=1, max_length=10, description="grant+jwt links, root first")]


class Terms(Strict):
    """What is granted; ``purpose`` and ``details`` as in a link. Times are Unix seconds."""

    purpose: dict[str, Any] = Field(examples=[_EXAMPLE_PURPOSE])
    details: list[Any] = Field(min_length=1, max_length=20, examples=[[_EXAMPLE_DETAIL]])
    max_uses: int = Field(ge=1, le=1_000_000, examples=[3])
    nbf: int = Field(examples=[1_790_000_000])
    exp: int = Field(examples=[1_790_086_400])
    max_depth: int | None = Field(default=None, ge=0, le=9)
    redelegate: bool = False
    uses_scope: Literal["subtree", "grant"] = "subtree"


class OpenGrant(Strict):
    """The root of a grant over one material, for the holder's key."""

    material: str = Field(examples=[EXAMPLE_ID])
    holder_key: dict[str, Any] = Field(description="JWK of the holder: Ed25519 or P-256 with alg")
    terms: Terms
    basis: Literal["holder", "function", "entrust"] = "holder"


class ReservePlace(Strict):
    """The chain below which the caller, its last delegate, will sign one more link."""

    chain: Chain


class GrantPlace(Strict):
    """The id and the status place to put into the new link."""

    id: str = Field(examples=[EXAMPLE_LINK])
    status: StatusPlace


class SubmitGrant(Strict):
    """A chain whose last link the caller signed."""

    chain: Chain


class GrantChainAnswer(Strict):
    """A chain as kept, root first."""

    chain: list[str]


class LinkName(Strict):
    """The identity of a link."""

    iss: str = Field(max_length=64, examples=[EXAMPLE_ISSUER])
    jti: str = Field(max_length=64, examples=[EXAMPLE_LINK])


class KeptGrant(Strict):
    """The links that were new."""

    new: list[LinkName]


class WithdrawnLink(Strict):
    """A link that counts no more, nor any below it."""

    iss: str = Field(examples=[EXAMPLE_ISSUER])
    jti: str = Field(examples=[EXAMPLE_LINK])
    withdrawn_by: str | None
    withdrawn_at: int | None


class Retrieve(Strict):
    """A request under a grant; the caller holds the key that the last link names."""

    chain: Chain
    request: dict[str, Any] = Field(examples=[_EXAMPLE_REQUEST])


class FileToFetch(Strict):
    """A released file: fetch it with the same signed body and ``Idempotency-Key`` from ``path``."""

    number: int
    path: str = Field(examples=["/v1/retrievals/files/0"])
    media_type: str = Field(examples=["application/pdf"])
    size: int
    sha256: str = Field(examples=[EXAMPLE_SHA256])
    sm3: str = Field(examples=[EXAMPLE_SM3])


class RetrievedMaterial(Strict):
    """The answer: the bundle file's text, the signed usage record, and the files that may be fetched."""

    bundle: str = Field(repr=False)
    usage: str
    files: list[FileToFetch]
    replayed: bool = Field(description="the same request was answered before; nothing was counted now")


class UsagePage(Strict):
    """Signed usage records of the caller's materials, oldest first."""

    records: list[str]
    next: int | None = Field(description="pass as `first` for the next page")
