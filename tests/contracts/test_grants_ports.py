"""What ``materials.grants.ports`` promises, asked of the SQL stores. A new implementation subclasses the suites."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import Engine

from materials.grants.errors import GrantRefusedError
from materials.grants.links import GrantChain, LinkId, parse_chain
from materials.grants.ports import AnswerKey, AnswerStore, GrantStore, KeptAnswer, UsageHead, UsageStore, UseCounter
from materials.grants.usage import VerifiedUsage, issue_usage, parse_usage, verify_usage
from materials.grants.usage_record import UsageRecord, UsageResult, UsageUser
from materials.ids import EntityId, new_id
from materials.store.grants import SqlGrantStore, SqlUseCounter
from materials.store.metadata import metadata
from materials.store.usage import SqlAnswerStore, SqlUsageStore
from signing import KeyId, UnavailableError
from tests.support import grants_world as w
from tests.support.together import run_together


@dataclass(frozen=True)
class Stores:
    """All four ports on one transaction."""

    grants: GrantStore
    counter: UseCounter
    usage: UsageStore
    answers: AnswerStore


def usage(seq: int, prev: bytes | None, subject: EntityId = w.OWNER) -> VerifiedUsage:
    record = UsageRecord(
        jti=new_id("us", w.RANDOM),
        home=w.HOME,
        subject=subject,
        time=w.NOW,
        seq=seq,
        prev=prev,
        user=UsageUser(w.DEPARTMENT, w.DEPARTMENT, w.PLACE, ()),
        links=(LinkId(w.HOME, new_id("gr", w.RANDOM)),),
        basis="holder",
        purpose=w.PURPOSE,
        vct=w.VCT,
        material=w.MATERIAL,
        requested=("address",),
        disclosed=(),
        result=UsageResult("refused", "grant.uses", 0),
        request_digest=bytes(32),
        uses=(),
    )
    return verify_usage(parse_usage(issue_usage(w.HOME_GRANT, record)), w.HOME_GRANT.public_key)


Unit = Callable[[], AbstractContextManager[Stores]]


class GrantStoreContract:
    def test_links_are_kept_once(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with unit() as stores:
            assert stores.grants.add(chain, now=w.NOW) == chain.ids
        with unit() as stores:
            assert stores.grants.add(chain, now=w.NOW + 1) == ()
            stored = stores.grants.chain(chain.leaf.id)
        assert tuple(link.text for link in stored) == chain.texts
        assert [(link.depth, link.used, link.withdrawn_by) for link in stored] == [(n, 0, None) for n in range(3)]

    def test_what_is_rolled_back_is_gone(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with suppress(ZeroDivisionError), unit() as stores:
            assert stores.grants.add(chain, now=w.NOW) == chain.ids
            raise ZeroDivisionError
        with unit() as stores:
            assert stores.grants.chain(chain.leaf.id) == ()

    def test_only_the_new_links_of_a_longer_chain(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with unit() as stores:
            stores.grants.add(GrantChain(chain.links[:2]), now=w.NOW)
            assert stores.grants.add(chain, now=w.NOW) == (chain.leaf.id,)

    def test_one_identity_is_one_content(self, unit: Unit) -> None:
        chain = w.usual_chain()
        twin = parse_chain((*chain.texts[:2], w.forge(chain.leaf, w.AGENT_KEY, uses={"max": 9, "home": w.HOME})))
        malleated = parse_chain((chain.texts[0], w.malleate(chain.texts[1])))
        with unit() as stores:
            stores.grants.add(chain, now=w.NOW)
            assert stores.grants.add(malleated, now=w.NOW) == ()
            with pytest.raises(GrantRefusedError) as caught:
                stores.grants.add(twin, now=w.NOW)
        assert (caught.value.rule, caught.value.link) == ("repeated", 2)

    def test_a_party_sees_links_over_its_materials_and_links_given_to_it(self, unit: Unit) -> None:
        chain, other = w.usual_chain(), GrantChain((w.root(subject=w.CLERK, to=w.CLERK_PARTY),))
        with unit() as stores:
            stores.grants.add(chain, now=w.NOW)
            stores.grants.add(other, now=w.NOW + 1)
            seen = {
                party: [link.id for link in stores.grants.of_party(party)]
                for party in (w.OWNER, w.AGENT, w.DEPARTMENT, w.CLERK, w.HOME)
            }
        assert seen == {
            w.OWNER: list(chain.ids),
            w.AGENT: [chain.ids[1]],
            w.DEPARTMENT: [chain.ids[2]],
            w.CLERK: [other.root.id],
            w.HOME: [],
        }

    def test_the_first_withdrawal_stays(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with unit() as stores:
            stores.grants.add(chain, now=w.NOW)
            stores.grants.withdraw(chain.leaf.id, by=w.AGENT, now=w.NOW)
            stores.grants.withdraw(chain.leaf.id, by=w.OWNER, now=w.NOW + 9)
            leaf = stores.grants.chain(chain.leaf.id)[-1]
            holds = stores.counter.lock(chain.ids)
        assert (leaf.withdrawn_by, leaf.withdrawn_at) == (w.AGENT, w.NOW)
        assert [hold.withdrawn for hold in holds] == [False, False, True]


class UseCounterContract:
    def test_only_the_debited_links_are_counted(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with unit() as stores:
            stores.grants.add(chain, now=w.NOW)
            stores.counter.lock(chain.ids)
            stores.counter.debit((chain.ids[0], chain.ids[2]))
        with unit() as stores:
            assert [hold.used for hold in stores.counter.lock(chain.ids)] == [1, 0, 1]

    def test_an_unknown_link_cannot_be_counted(self, unit: Unit) -> None:
        with unit() as stores, pytest.raises(UnavailableError):
            stores.counter.lock((LinkId(w.HOME, "gr-none"),))

    def test_counts_of_many_at_once_add_up(self, unit: Unit) -> None:
        chain = w.usual_chain()
        with unit() as stores:
            stores.grants.add(chain, now=w.NOW)

        def use() -> None:
            for _ in range(5):
                with unit() as stores:
                    stores.counter.lock(chain.ids)
                    stores.counter.debit(chain.ids)

        run_together(use, use, use)
        with unit() as stores:
            assert [hold.used for hold in stores.counter.lock(chain.ids)] == [15, 15, 15]


class UsageStoreContract:
    def test_a_chain_of_records(self, unit: Unit) -> None:
        with unit() as stores:
            assert stores.usage.lock_head(w.HOME, w.OWNER) == UsageHead(0, None)
            first = usage(0, None)
            stores.usage.append(first)
            assert stores.usage.lock_head(w.HOME, w.OWNER) == UsageHead(1, first.text_hash)
            second = usage(1, first.text_hash)
            stores.usage.append(second)
            assert stores.usage.lock_head(w.HOME, w.CLERK) == UsageHead(0, None)
        with unit() as stores:
            assert stores.usage.page(w.HOME, w.OWNER) == (first.text, second.text)
            assert stores.usage.page(w.HOME, w.OWNER, first=1) == (second.text,)
            assert stores.usage.page(w.HOME, w.OWNER, limit=1) == (first.text,)
            assert stores.usage.page(w.HOME, w.CLERK) == stores.usage.page(w.DEPARTMENT, w.OWNER) == ()

    def test_records_of_many_at_once_make_one_chain(self, unit: Unit) -> None:
        def attempt() -> None:
            for _ in range(4):
                with unit() as stores:
                    head = stores.usage.lock_head(w.HOME, w.OWNER)
                    stores.usage.append(usage(head.next_seq, head.last_hash))

        run_together(attempt, attempt, attempt)
        with unit() as stores:
            texts = stores.usage.page(w.HOME, w.OWNER)
        assert [parse_usage(text).record.seq for text in texts] == list(range(12))


class AnswerStoreContract:
    def test_answers_are_kept_by_all_parts_of_the_key(self, unit: Unit) -> None:
        key = AnswerKey(LinkId(w.HOME, "gr-1"), KeyId("client"), "key")
        others = (
            replace(key, leaf=LinkId(w.HOME, "gr-2")),
            replace(key, leaf=LinkId(w.DEPARTMENT, "gr-1")),
            replace(key, client=KeyId("other")),
            replace(key, key="other"),
        )
        with unit() as stores:
            assert stores.answers.find(key) is None
            stores.answers.keep(key, KeptAnswer(b"\x01" * 32, 7))
            assert stores.answers.find(key) == KeptAnswer(b"\x01" * 32, 7)
            assert [stores.answers.find(other) for other in others] == [None] * 4


class TestSqlStores(GrantStoreContract, UseCounterContract, UsageStoreContract, AnswerStoreContract):
    @pytest.fixture
    def unit(self, engine: Engine) -> Unit:
        with engine.begin() as conn:
            metadata.create_all(conn)

        @contextmanager
        def unit() -> Iterator[Stores]:
            with engine.begin() as conn:
                yield Stores(SqlGrantStore(conn), SqlUseCounter(conn), SqlUsageStore(conn), SqlAnswerStore(conn))

        return unit
