"""A home with one registered material and real stores, where requests under grants are answered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from ledger.store import SqlLog
from materials.claims import StatusRef
from materials.grants.home import GrantHome, GrantPorts
from materials.grants.issue import delegate_grant, issue_root, new_grant_id
from materials.grants.links import GrantChain, GrantLink, LinkId, parse_chain
from materials.grants.requests import RetrievalRequest
from materials.grants.retrieve import Refused, Released, Retrieval, retrieve_under_grant
from materials.grants.terms import GrantDetail
from materials.grants.usage import VerifiedUsage, parse_usage, verify_usage, verify_usage_chain
from materials.grants.usage_record import UsageRecord
from materials.registry.places import allocate_place
from materials.registry.register import register
from materials.store.grants import SqlGrantStore, SqlUseCounter
from materials.store.usage import SqlAnswerStore, SqlUsageStore
from materials.trust.model import Entity
from signing import Signer
from tests.support import grants_world as w
from tests.support.materials_home import ISSUER, ORIGIN, HomeKit, submission

_keys = count()


def new_key() -> str:
    """An idempotency key that nobody used."""
    return f"client-request-{next(_keys):06}"


class Desk:
    """The home's side of retrieval; each ``retrieve`` is one unit of work, committed."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.kit = HomeKit(folder)
        self.kit.create(engine)
        with self.kit.unit(engine) as ports:
            home = self.kit.home()
            self.record = register(ports, home, submission(), self.kit.keys, now=w.NOW, random_bytes=os.urandom).record
        issuer = self.kit.home().trust.list.find_entity(ISSUER)
        issuer = replace(issuer, keys=(w.listed_key(self.kit.issue, "issue"), w.listed_key(self.kit.status, "status")))
        self.set_trust(w.HOME_ENTITY, w.DEPARTMENT_ENTITY, issuer)
        self.owner = self.record.owner
        self.detail: GrantDetail = replace(w.DETAIL, material=self.record.jti)
        self.request: RetrievalRequest = replace(w.REQUEST, material=self.record.jti)

    def set_trust(self, *entities: Entity) -> None:
        """Take another trust list into use."""
        self.home = GrantHome(w.HOME, w.trust_list(*entities), w.HOME_GRANT)

    def ports(self, conn: Connection) -> GrantPorts:
        return GrantPorts(
            home=self.kit.ports(conn),
            grants=SqlGrantStore(conn),
            counter=SqlUseCounter(conn),
            usage=SqlUsageStore(conn),
            answers=SqlAnswerStore(conn),
        )

    @contextmanager
    def unit(self) -> Iterator[GrantPorts]:
        """One unit of work, committed at its end, rolled back if it raises."""
        with self.engine.begin() as conn:
            yield self.ports(conn)

    def root(self, to: w.Party = w.OWNER_PARTY, **changes: Any) -> GrantLink:
        """A root for the registered material."""
        return w.root(to, subject=self.owner, **{"details": (self.detail,), **changes})

    def below(self, parent: GrantLink, signer: Signer, to: w.Party, **changes: Any) -> GrantLink:
        return w.below(parent, signer, to, **{"details": (self.detail,), **changes})

    def chain(self, uses: tuple[int, int, int] = (3, 3, 3), **leaf: Any) -> GrantChain:
        """Home → owner → agent → department with these numbers of uses."""
        first = self.root(max_uses=uses[0])
        second = self.below(first, w.OWNER_KEY, w.AGENT_PARTY, max_uses=uses[1])
        leaf = {"redelegate": False, "max_uses": uses[2], **leaf}
        return GrantChain((first, second, self.below(second, w.AGENT_KEY, w.DEPARTMENT_PARTY, **leaf)))

    def sibling(self, chain: GrantChain, **leaf: Any) -> GrantChain:
        """Another leaf below the same agent."""
        leaf = {"redelegate": False, **leaf}
        return GrantChain((*chain.links[:2], self.below(chain.links[1], w.AGENT_KEY, w.DEPARTMENT_PARTY, **leaf)))

    def place(self, jti: str) -> StatusRef:
        """A place in the home's list of grants, allocated and committed."""
        with self.unit() as ports:
            return allocate_place(ports.home.statuses, w.GRANT_LIST, jti, os.urandom)

    def long_lived(self) -> GrantChain:
        """A chain whose links all have a status."""
        ids = [new_grant_id(os.urandom) for _ in range(3)]
        places = [self.place(jti) for jti in ids]
        first = issue_root(
            w.HOME_GRANT, home=w.HOME, subject=self.owner, basis="holder", delegate=w.OWNER_PARTY.delegate,
            terms=w.terms(details=(self.detail,), exp=w.NOW + 30 * w.DAY, status=places[0]), jti=ids[0], now=w.NOW,
        )  # fmt: skip
        links = [first]
        for signer, to, jti, place in (
            (w.OWNER_KEY, w.AGENT_PARTY, ids[1], places[1]),
            (w.AGENT_KEY, w.DEPARTMENT_PARTY, ids[2], places[2]),
        ):
            terms = w.terms(details=(self.detail,), exp=w.NOW + 30 * w.DAY, status=place)
            links.append(delegate_grant(links[-1], signer, delegate=to.delegate, terms=terms, jti=jti, now=w.NOW))
        return GrantChain(tuple(links))

    def retrieval(
        self, chain: GrantChain, request: RetrievalRequest | None = None, *, key: str | None = None
    ) -> Retrieval:
        """As the department asks."""
        caller = w.DEPARTMENT_API.public_key.key_id
        return Retrieval(request or self.request, parse_chain(chain.texts), caller, key or new_key())

    def retrieve(
        self, chain: GrantChain, request: RetrievalRequest | None = None, *, key: str | None = None, now: int = w.NOW
    ) -> Released | Refused:
        """One request in a unit of its own."""
        with self.unit() as ports:
            retrieval = self.retrieval(chain, request, key=key)
            return retrieve_under_grant(ports, self.home, retrieval, now=now, random_bytes=os.urandom)

    def release(self, chain: GrantChain, request: RetrievalRequest | None = None, **options: Any) -> Released:
        """A request that must succeed."""
        outcome = self.retrieve(chain, request, **options)
        assert isinstance(outcome, Released), outcome
        return outcome

    def refuse(self, chain: GrantChain, request: RetrievalRequest | None = None, **options: Any) -> tuple[str, int]:
        """A request that must be refused: the rule and the link."""
        outcome = self.retrieve(chain, request, **options)
        assert isinstance(outcome, Refused), outcome
        return outcome.error.rule, outcome.error.link

    def records(self) -> tuple[UsageRecord, ...]:
        """The owner's usage records, verified as one chain."""
        with self.unit() as ports:
            texts = ports.usage.page(w.HOME, self.owner)
        return verify_usage_chain([self._verified(text) for text in texts])

    def used(self, link: LinkId) -> int:
        """What the link's counter says; 0 for an unknown link."""
        with self.unit() as ports:
            chain = ports.grants.chain(link)
        return chain[-1].used if chain else 0

    def logged(self) -> tuple[bytes, ...]:
        """All entries of the log."""
        with self.engine.begin() as conn:
            log = SqlLog(conn, ORIGIN)
            return tuple(log.entry(index) or b"" for index in range(log.size()))

    def _verified(self, text: str) -> VerifiedUsage:
        return verify_usage(parse_usage(text), w.HOME_GRANT.public_key)
