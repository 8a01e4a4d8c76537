"""Use case: answer a request under a grant, in the caller's transaction. No release without its record.

    1 prove the chain genuine and the caller the one it names; until then nobody is known, and nothing is written
    2 keep the links, hold their rows: no other use and no withdrawal can come between
    3 withdrawals, time, status, then the request against every link
    4 a request already answered gets the same answer again, without a debit
    5 read and select what may leave; only then count the use, on the leaf and every ancestor of scope ``subtree``
    6 sign the usage record, append it and the log's commitments

From 2 on a refusal is an outcome, not an exception: its record must be committed. Locks are taken in one order by all:
links root first, the owner's usage head, the log's head. A debit is final with the commit, before a byte leaves; a lost
answer is asked for again under the same idempotency key.
Standard: credentials reference §§3.4–3.5, 7.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from materials.commitment import commit_to, format_commitment
from materials.grants.decision import Decision, acting_organisation, check_caller, decide
from materials.grants.errors import GrantRefusedError
from materials.grants.home import GrantHome, GrantPorts, check_home, link_statuses, log_links
from materials.grants.links import GrantChain, LinkId
from materials.grants.ports import AnswerKey, KeptAnswer, LinkHold
from materials.grants.release import Selection, select_material
from materials.grants.requests import RetrievalRequest, check_idempotency_key, request_digest
from materials.grants.usage import COMMITMENT_KIND, VerifiedUsage, issue_usage, parse_usage, verify_usage
from materials.grants.usage_record import UsageRecord, UsageResult, UsageUser, UseCount
from materials.grants.verify import AuthenticGrant, authenticate_chain, check_in_force
from materials.ids import RandomBytes, new_id
from signing.keys import KeyId


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What came in: a request, the whole chain, the key that signed the call, the client's idempotency key."""

    request: RetrievalRequest
    chain: GrantChain
    caller_key: KeyId
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Released:
    """The answer: what may leave once the transaction has committed, and the signed usage record.

    ``replayed`` if the same request had been answered before; then nothing was debited or recorded now.
    """

    decision: Decision
    selection: Selection = field(repr=False)
    usage: str = field(repr=False)
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The refusal and its signed usage record: commit, then tell the caller of ``error``."""

    error: GrantRefusedError
    usage: str = field(repr=False)


def retrieve_under_grant(
    ports: GrantPorts, home: GrantHome, retrieval: Retrieval, *, now: int, random_bytes: RandomBytes
) -> Released | Refused:
    """Decide, count, record and select, as one unit.

    Returns Refused for every refusal after the grant was proved genuine and its delegate known: the caller commits
    either outcome. Raises MalformedError, and GrantRefusedError for a chain that is not genuine, another's key,
    another home or an identity that another link has: the caller rolls back, and only the operator's log may tell of
    it. Anything else that is raised says nothing about the request: roll back, try again with the same idempotency key.
    """
    chain = retrieval.chain
    check_idempotency_key(retrieval.idempotency_key)
    authentic = authenticate_chain(chain, trust=home.trust, now=now)
    check_caller(chain, retrieval.caller_key)
    check_home(chain, home.id)
    new = ports.grants.add(chain, now=now)
    use = _Use(ports, home, retrieval, new, now, random_bytes)
    try:
        return use.release(authentic)
    except GrantRefusedError as refusal:
        usage = use.record(UsageResult("refused", refusal.code, refusal.link))
        return Refused(refusal, usage.text)


@dataclass(frozen=True, slots=True)
class _Use:
    """One attempt: everything that its steps share."""

    ports: GrantPorts
    home: GrantHome
    retrieval: Retrieval
    new_links: Sequence[LinkId]
    now: int
    random_bytes: RandomBytes

    def release(self, grant: AuthenticGrant) -> Released:
        """Steps 3 to 6. Raises GrantRefusedError before anything is counted or recorded."""
        ports, retrieval, chain = self.ports, self.retrieval, self.retrieval.chain
        holds = ports.counter.lock(chain.ids)
        decision = self._decide(grant, holds)
        digest = request_digest(retrieval.request)
        key = AnswerKey(chain.leaf.id, retrieval.caller_key, retrieval.idempotency_key)
        answered = ports.answers.find(key)
        if answered is not None and answered.request_digest != digest:
            raise GrantRefusedError(
                "idempotency", len(chain.links) - 1, "the idempotency key belongs to another request"
            )
        selection = select_material(ports.home, self.home, retrieval.request, chain, now=self.now)
        if answered is not None:
            first = answered.usage_seq
            (text,) = ports.usage.page(self.home.id, chain.root.subject, first=first, limit=1)
            return Released(decision, selection, text, replayed=True)
        uses = _count(chain, holds)
        ports.counter.debit([chain.links[use.link].id for use in uses])
        usage = self.record(UsageResult("released"), disclosed=selection.disclosed, uses=uses)
        ports.answers.keep(key, KeptAnswer(digest, usage.record.seq))
        return Released(decision, selection, usage.text, replayed=False)

    def record(
        self, result: UsageResult, *, disclosed: tuple[str, ...] = (), uses: tuple[UseCount, ...] = ()
    ) -> VerifiedUsage:
        """Sign and append the usage record of this attempt, and what the log gets of it."""
        ports, request, chain = self.ports, self.retrieval.request, self.retrieval.chain
        head = ports.usage.lock_head(self.home.id, chain.root.subject)
        organisation = acting_organisation(chain)
        apart = (chain.root.subject, organisation)
        record = UsageRecord(
            jti=new_id("us", self.random_bytes),
            home=self.home.id,
            subject=chain.root.subject,
            time=self.now,
            seq=head.next_seq,
            prev=head.last_hash,
            user=UsageUser(
                requester=chain.leaf.audience.id,
                organisation=organisation,
                location=request.location,
                intermediaries=tuple(link.audience.id for link in chain.links[:-1] if link.audience.id not in apart),
            ),
            links=chain.ids,
            basis=chain.root.basis,
            purpose=request.purpose,
            vct=request.vct,
            material=request.material,
            requested=request.claims,
            disclosed=disclosed,
            result=result,
            request_digest=request_digest(request),
            uses=uses,
        )
        text = issue_usage(self.home.signer, record)
        usage = verify_usage(parse_usage(text), self.home.signer.public_key)
        ports.usage.append(usage)
        log_links(ports, chain, self.new_links)
        ports.home.log.append(format_commitment(commit_to(COMMITMENT_KIND, text)))
        return usage

    def _decide(self, grant: AuthenticGrant, holds: Sequence[LinkHold]) -> Decision:
        for number, hold in enumerate(holds):
            if hold.withdrawn:
                raise GrantRefusedError("revoked", number, "the link was withdrawn")
        statuses = link_statuses(self.ports, grant.chain)
        verified = check_in_force(grant, status=statuses.__getitem__, now=self.now)
        request, caller_key = self.retrieval.request, self.retrieval.caller_key
        decision = decide(request, verified, trust=self.home.trust, caller_key=caller_key)
        return replace(decision, uses="checked")


def _count(chain: GrantChain, holds: Sequence[LinkHold]) -> tuple[UseCount, ...]:
    """The debits of one use, root first; raises GrantRefusedError ``uses`` at the first link that has none left."""
    counts = []
    for number, (link, hold) in enumerate(zip(chain.links, holds, strict=True)):
        if link is chain.leaf or link.uses.scope == "subtree":
            if hold.used >= link.uses.maximum:
                raise GrantRefusedError("uses", number, "the link has no use left")
            counts.append(UseCount(number, hold.used + 1, link.uses.maximum))
    return tuple(counts)
