"""The chain as the worker needs it: five methods, each with its obligations; ``anchors.evm`` implements them.

A node is never believed: what is read here is proved against the trust profile before it is returned.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest anchor of an origin, proved as of a sealed block. Size 0 (root: zero bytes) is a proved "none yet"."""

    size: int
    root: bytes
    as_of_block: int
    as_of_hash: bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """What a call would need now: the sender's next nonce, a gas limit with margin, and the price per gas in wei.

    ``gas_price`` None: whatever is configured; a number where the chain sets it (FISCO BCOS).
    """

    nonce: int
    gas_limit: int
    gas_price: int | None


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction as it is sent: the raw bytes, their hash, who pays and at which nonce."""

    raw: bytes = field(repr=False)
    tx_hash: bytes
    sender: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class Included:
    """Mined in that block (a node's word until the header is checked); ``succeeded`` is the receipt's status.

    A failed transaction whose ``gas_used`` is its whole limit ran out of gas.
    """

    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int


@dataclass(frozen=True, slots=True)
class Pending:
    """No receipt, and the nonce is still free: may be mined, may be lost."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """No receipt, and the nonce is used up: another transaction took it, this one can never be mined."""


Outcome = Included | Pending | Displaced


@dataclass(frozen=True, slots=True)
class Evidence:
    """Header and proofs of one anchor, from one node at one block, already proved against the profile.

    ``descendants`` are the raw headers that follow ``header`` until enough distinct signers stand behind it (Clique
    only); ``handoff`` the raw hand-over headers, ascending, that lead from the profile's set to the one of ``header``.
    """

    header: bytes
    block_number: int
    block_hash: bytes
    contract: bytes
    root: bytes
    account_proof: tuple[bytes, ...]
    root_proof: tuple[bytes, ...]
    meta_proof: tuple[bytes, ...]
    head_proof: tuple[bytes, ...]
    descendants: tuple[bytes, ...]
    handoff: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What one node said of an anchor; nothing of it is proved. ``node`` is a name that may be shown."""

    node: str
    block_number: int
    block_hash: bytes
    root: bytes
    stored_block: int
    stored_time: int
    anchorer: bytes


@dataclass(frozen=True, slots=True)
class Answers:
    """What several of the ``asked`` nodes of a chain without state proofs said, alike (FISCO BCOS)."""

    block_number: int
    block_hash: bytes
    contract: bytes
    root: bytes
    answers: tuple[NodeAnswer, ...]
    asked: int


class Chain(Protocol):
    """One anchor contract on one chain.

    Every method may be called again after any failure, from any number of threads and processes. Each raises
    UnavailableError (``chain.*``, naming the nodes) when none gave an answer that could be proved: that is never read
    as "empty" or "refused". Nothing is retried inside beyond asking each endpoint once; the caller repeats. Each but
    ``submit`` raises EquivocationError when validators sealed two blocks at one height.
    """

    def head(self, origin: str) -> ChainHead:
        """The newest anchor of ``origin``, proved at the newest block any endpoint has; size 0 if proved empty."""

    def quote(self, sender: bytes, calldata: bytes) -> Quote:
        """Simulate a call of the contract on the latest state, spending nothing.

        Raises RefusedError (``contract.<revert>``) when the contract would revert.
        """

    def submit(self, transaction: SignedTransaction) -> tuple[str, ...]:
        """Hand raw bytes to every endpoint; the names of those that hold them, at least one. Sending again is harmless.

        After any error the transaction may have been accepted all the same: ``outcome`` decides. Raises RefusedError
        (``chain.refused``) when every endpoint that answered refused it and does not know it.
        """

    def outcome(self, transaction: SignedTransaction) -> Outcome:
        """What became of a transaction; pending until its block is as final as the chain can make it.

        Included and displaced are proved as far as the chain can: the block's seals, the sender's nonce.
        """

    def evidence(self, origin: str, size: int, *, block_number: int | None = None) -> Evidence | Answers:
        """Header and proofs of the anchor (origin, size) at ``block_number`` (None: an endpoint's latest final block).

        All of it comes from one endpoint. Raises VerificationError (``anchor.absent``) when it is *proved* that the
        contract holds none there. A node may have pruned old states; the contract is write-once, so a later block
        proves the same. ``Answers`` where a chain has no state proofs: what enough nodes said alike, at their latest.
        """
