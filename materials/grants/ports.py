"""What retrieval under a grant asks of storage.

Obligations of every port: it works inside the transaction of its caller and never commits. Nothing it did is durable
or visible to others before that commit, and all of it is gone after a rollback. "Not found" is None or an empty tuple,
never an error. When a method raises, the caller rolls back and may run the whole unit of work again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from materials.grants.links import GrantChain, LinkId
from materials.grants.usage import VerifiedUsage
from materials.ids import EntityId
from signing.keys import KeyId


@dataclass(frozen=True, slots=True)
class StoredLink:
    """One link as the home keeps it. ``withdrawn_by`` is None while it stands."""

    id: LinkId
    subject: EntityId
    audience: EntityId
    depth: int
    parent: LinkId | None
    used: int
    withdrawn_by: EntityId | None
    withdrawn_at: int | None
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LinkHold:
    """A link whose row this transaction holds: nobody else can use or withdraw it before our commit."""

    id: LinkId
    used: int
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class UsageHead:
    """Where the chain of an owner's usage records goes on: the next number, the hash of the last text."""

    next_seq: int
    last_hash: bytes | None


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """One request as its client names it: the leaf of the grant, the client's key, the client's idempotency key."""

    leaf: LinkId
    client: KeyId
    key: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered: enough to answer the same again, and nothing personal."""

    request_digest: bytes
    usage_seq: int


@dataclass(frozen=True, slots=True)
class StoredUsage:
    """One row of the usage records."""

    home: EntityId
    subject: EntityId
    seq: int
    text: str = field(repr=False)


class GrantStore(Protocol):
    """Links that the home knows. Their identity is (``iss``, ``jti``); none is ever deleted."""

    def add(self, chain: GrantChain, *, now: int) -> tuple[LinkId, ...]:
        """Keep the links of an authentic chain, root first; returns those that are new.

        Repeatable; of concurrent calls with one link exactly one finds it new. The same identity with other content
        raises GrantRefusedError ``grant.repeated``; another signature over the same content is the same link.
        """

    def chain(self, link: LinkId) -> tuple[StoredLink, ...]:
        """The link and all above it, root first; empty if it is unknown."""

    def of_party(self, party: EntityId) -> tuple[StoredLink, ...]:
        """Links over the materials of ``party``, and links given to it, in the order in which they came."""

    def withdraw(self, link: LinkId, *, by: EntityId, now: int) -> None:
        """Withdraw a known link for good. Repeatable: the first withdrawal stays. Waits for a use in progress."""


class UseCounter(Protocol):
    """How often each link was used; one counter per link."""

    def lock(self, links: Sequence[LinkId]) -> tuple[LinkHold, ...]:
        """Hold the rows of ``links`` until the transaction ends, in the given order: root first, always.

        All must be known. Another transaction that holds one of them is waited for, and its result is seen. One order
        for everybody means no deadlock.
        """

    def debit(self, links: Sequence[LinkId]) -> None:
        """Count one use on each of ``links``, which this transaction holds and found to have one left."""


class UsageStore(Protocol):
    """Signed usage records, one gapless chain per owner and home. Only appended to."""

    def lock_head(self, home: EntityId, subject: EntityId) -> UsageHead:
        """Where the chain ends; held until the transaction ends, so that two attempts can't take one number."""

    def append(self, usage: VerifiedUsage) -> None:
        """Add the record that follows the held head."""

    def page(self, home: EntityId, subject: EntityId, *, first: int = 0, limit: int = 100) -> tuple[str, ...]:
        """Up to ``limit`` records (JWS texts) from number ``first`` on, in order."""


class AnswerStore(Protocol):
    """Answers already given, by idempotency key. Ask only while holding the leaf's row: that makes it one at a time."""

    def find(self, key: AnswerKey) -> KeptAnswer | None:
        """What was answered under ``key``."""

    def keep(self, key: AnswerKey, answer: KeptAnswer) -> None:
        """Remember an answer. ``key`` must be new."""


class GrantScan(Protocol):
    """Whole tables, for the check of everything (``materials.grants.fsck``). Best on a snapshot."""

    def links(self) -> Iterator[StoredLink]:
        """All links, those nearer the root first."""

    def answers(self) -> Iterator[tuple[LinkId, int]]:
        """Link and number of the usage record of every answer that was kept."""

    def usages(self) -> Iterator[StoredUsage]:
        """All usage records, by home, subject and number."""

    def heads(self) -> Iterator[tuple[EntityId, EntityId, UsageHead]]:
        """Home, subject and end of each chain of usage records."""
