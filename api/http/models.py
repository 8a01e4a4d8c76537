"""Requests and answers about materials and verification, as pydantic models with examples for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from materials.bundle import MAX_CRLS, MAX_SIGNATURES
from materials.report import Facet
from signing.x509.revocation import CRL_MAX_BYTES

EXAMPLE_ID = "em-aebagbafaydqqcikbmga2dqpca"
EXAMPLE_ISSUER = "uscc:11310110MB9F000199"
EXAMPLE_LIST = "https://ledger.example.gov.cn/status/materials"
EXAMPLE_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
EXAMPLE_SM3 = "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Code = Annotated[str, Field(max_length=64, examples=["restored-by-issuer"])]
Jws = Annotated[str, Field(max_length=65536)]
Detached = Annotated[str, Field(max_length=1024, examples=["eyJhbGciOiJTTTItU00zIi…..MEUCIQ…"])]
RevocationList = Annotated[str, Field(max_length=CRL_MAX_BYTES * 2, examples=["MIIBzTCB…"])]


class Strict(BaseModel):
    """Unknown members and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StatusPlace(Strict):
    """Entry ``idx`` of the status list at ``uri`` (Token Status List)."""

    uri: str = Field(examples=[EXAMPLE_LIST])
    idx: int = Field(examples=[80113])


class SubmitFields(Strict):
    """Part ``submission``: a material for the home to issue with keys that it keeps for the caller's department.

    Fields are those of the material's type; times are Unix seconds.
    """

    issuer: str = Field(examples=[EXAMPLE_ISSUER])
    type: Code = Field(examples=["business-licence"])
    fields: dict[str, Any] = Field(
        examples=[{"holder_code_type": "001", "holder_code": "91310110MA9F000318"}], repr=False
    )
    legal_basis: Code = Field(default="unspecified", examples=["company-law-33"])
    valid_from: int | None = None
    valid_to: int | None = None
    version: int = 1
    supersedes: str | None = None


class SubmitStatement(Strict):
    """Part ``submission``: an SD-JWT that the department signed itself, with all disclosures.

    Id and status place come from ``POST /v1/materials/places``. ``supersession`` is the signed event ``superseded`` of
    the predecessor, where there is one. ``signatures`` are further ones over the statement, payload left out
    (``<protected>..<signature>``), by other issuing keys of the department: a dual one adds that of its SM2 key.
    """

    statement: Jws = Field(repr=False)
    supersession: Jws | None = None
    signatures: list[Detached] = Field(default=[], max_length=MAX_SIGNATURES)


class RegisteredMaterial(Strict):
    """The material as registered. ``is_new`` is false if the same registration was made before."""

    id: str = Field(examples=[EXAMPLE_ID])
    is_new: bool
    log_index: int = Field(examples=[17])
    status: StatusPlace | None
    warnings: list[str]


class MaterialPlace(Strict):
    """An unused id with its place in the status list, for a statement that the department signs."""

    id: str = Field(examples=[EXAMPLE_ID])
    status: StatusPlace


class PublicMaterial(Strict):
    """What everyone may know: the open claims in the log, and how the material stands now."""

    id: str = Field(examples=[EXAMPLE_ID])
    issuer: str = Field(examples=[EXAMPLE_ISSUER])
    vct: str = Field(examples=["urn:ematerials:material:business-licence:1"])
    issued_at: int = Field(examples=[1_790_000_000])
    valid_from: int
    valid_to: int
    version: int
    supersedes: str | None
    legal_basis: str
    status: str = Field(examples=["valid"], description="valid, invalid or suspended")
    status_list: StatusPlace | None
    content: str = Field(examples=["held"], description="held, or erased")
    log_index: int
    anchored: bool


class ChangeStatus(Strict):
    """A change of status for the home to sign with the key that it keeps for the department."""

    code: str = Field(examples=["revoked"], description="suspended, reinstated, revoked, annulled, cancelled, lapsed …")
    reason: Code = Field(examples=["issued-in-error"])
    successor: str | None = None


class SubmitEvent(Strict):
    """A change of status that the department signed itself (``material-event+jwt``)."""

    event: Jws


class RecordedEvent(Strict):
    """The event as logged."""

    material: str = Field(examples=[EXAMPLE_ID])
    code: str = Field(examples=["revoked"])
    log_index: int
    event: str


class FileDigest(Strict):
    """Size and both digests of a file, lower-case hex."""

    sha256: Digest = Field(examples=[EXAMPLE_SHA256])
    sm3: Digest = Field(examples=[EXAMPLE_SM3])
    size: int = Field(ge=0, examples=[0])


class VerifyBundle(Strict):
    """A bundle file's text, exactly as it is, and the digests of a file to compare with the statement.

    ``crls`` are certificate revocation lists (base64 of DER), besides those in the bundle and those that the home has.
    ``witness_policy`` is the text of a policy (C2SP tlog-policy) that the receipt's checkpoint must satisfy.
    """

    bundle: str = Field(
        repr=False, examples=['{"events":[],"receipt":"…","statement":"…","version":"ematerials/bundle/v1"}']
    )
    file: FileDigest | None = None
    crls: list[RevocationList] = Field(default=[], max_length=MAX_CRLS)
    witness_policy: str | None = Field(default=None, max_length=1 << 16, examples=["quorum none\n"])


class VerifyFile(Strict):
    """Does this file belong to this material? Both the id and the exact digests are needed."""

    material: str = Field(examples=[EXAMPLE_ID])
    file: FileDigest


class FileMatch(Strict):
    """``matches`` is false also for an unknown material. ``status`` is told only with a match."""

    matches: bool
    status: str | None = Field(examples=["valid"])


class FacetAnswer(Strict):
    """The answer to one question: ``verdict`` is valid, invalid, undetermined or not checked."""

    verdict: str = Field(examples=["valid"])
    code: str = Field(examples=["ok"])
    detail: str


class AnchorAnswer(Strict):
    """What was found of one anchor. The rest is null where the anchor does not hold. Times are Unix seconds."""

    verdict: str = Field(examples=["valid"])
    code: str = Field(examples=["ok"])
    detail: str
    profile_id: str | None
    chain_id: int | None
    size: int | None = Field(description="size of the anchored tree")
    grade: str | None = Field(examples=["final-bft"])
    block: int | None
    anchored_at: int | None
    as_of_block: int | None
    as_of: int | None


class Report(Strict):
    """The verification report: one answer per facet, and the whole. Times are Unix seconds."""

    verdict: str = Field(examples=["valid"])
    as_of: int
    material_id: str | None = Field(examples=[EXAMPLE_ID])
    issuer: str | None = Field(examples=[EXAMPLE_ISSUER])
    status_as_of: int | None
    anchored_at: int | None
    timestamped_at: int | None
    grade: str | None = Field(examples=["final-bft"])
    trust_stale: bool | None
    anchors: list[AnchorAnswer] = Field(description="each anchor of the bundle by itself")
    facets: dict[str, FacetAnswer] = Field(
        examples=[{"integrity": {"verdict": "valid", "code": "ok", "detail": ""}}],
        description=", ".join(Facet),
    )


class Readiness(Strict):
    """``ready`` is about serving requests; a chain that is away delays anchoring, nothing else."""

    ready: bool
    log_size: int | None = Field(examples=[42])
    chain: str = Field(examples=["reachable"], description="starting, reachable, away or stopped")
    chain_code: str | None
    anchored_size: int | None = Field(examples=[42])
    witness_code: str | None = Field(examples=["ok"], description="of the last round of witnesses; null without any")


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:ematerials:problem:grant.claims"])
    title: str = Field(examples=["不允许此操作 · This is not allowed"])
    status: int = Field(examples=[403])
    detail: str = Field(examples=["link 2: the link does not allow this"])
    code: str = Field(examples=["grant.claims"])
    link: int | None = Field(default=None, description="number of the grant link that refused, the root is 0")
    rule: str | None = None
    incident: str | None = None
