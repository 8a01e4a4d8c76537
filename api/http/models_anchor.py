"""What the calls about anchoring answer."""

from pydantic import Field

from api.http.models import Strict


class AnchoringRequested(Strict):
    """The threads were woken; what they do is seen in the state."""

    requested: bool


class LagAnswer(Strict):
    """Entries not proved to be on the chain, and how old the oldest can be at most; null: not known."""

    entries: int = Field(examples=[12])
    seconds: int | None = Field(examples=[40])


class SubmissionAnswer(Strict):
    """The checkpoint on its way. ``next`` is what is done next with it."""

    size: int
    state: str = Field(examples=["sent"])
    reason: str | None
    next: str = Field(examples=["receipt"])
    attempts: int
    next_action_at: int
    planned_at: int
    nonce: int | None
    tx_hash: str | None
    endpoints: list[str]


class LeaseAnswer(Strict):
    """Who submits at present."""

    owner: str
    expires_at: int
    fence: int


class NodeAnswer(Strict):
    """One node, as it was last seen; ``behind`` in blocks, ``head_age`` in seconds."""

    name: str
    standing: str = Field(examples=["ok"], description="unasked, ok, resting or wrong")
    code: str | None
    head_number: int | None
    head_age: int | None
    behind: int | None
    latency_ms: int | None


class EquivocationAnswer(Strict):
    """Two sealed blocks at one height. ``blocks``: each the RLP list of the raw header and its hand-over headers."""

    block_number: int
    found_at: int
    reviewed_at: int | None
    nodes: list[str]
    blocks: list[str]


class ChainAnswer(Strict):
    """One chain of the settings."""

    name: str = Field(examples=["main"])
    chain_id: int | None
    profile: str | None
    contract: str | None
    log_size: int
    anchored_size: int
    block_number: int | None
    block_time: int | None
    lag: LagAnswer
    seen_at: int | None
    submission: SubmissionAnswer | None
    lease: LeaseAnswer | None
    code: str | None
    nodes: list[NodeAnswer]
    equivocations: list[EquivocationAnswer]
    alarms: list[str]


class AnchoringAnswer(Strict):
    """All chains; ``alarm`` if a person must look at any of them."""

    alarm: bool
    chains: list[ChainAnswer]
