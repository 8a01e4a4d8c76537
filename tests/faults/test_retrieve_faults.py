"""Retrieval when others do the same at once, and when it breaks off anywhere."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from materials.grants.home import GrantPorts, withdraw_grant
from materials.grants.links import GrantChain
from materials.grants.retrieve import Refused, Released, retrieve_under_grant
from tests.support import grants_world as w
from tests.support.retrieval_desk import Desk
from tests.support.together import run_together


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return Desk(engine, tmp_path / "vault")


def together(desk: Desk, *asked: tuple[GrantChain, str]) -> list[Released | Refused]:
    """Ask all at once, each on a connection of its own."""
    outcomes: list[Released | Refused] = []
    start = threading.Barrier(len(asked))

    def ask(chain: GrantChain, key: str) -> None:
        start.wait()
        outcomes.append(desk.retrieve(chain, key=key))

    run_together(*[lambda chain=chain, key=key: ask(chain, key) for chain, key in asked])
    return outcomes


def check_books(desk: Desk, chain: GrantChain, releases: int) -> None:
    """As many releases in the owner's records as the counters say, in one unbroken chain."""
    released = [record for record in desk.records() if record.result.outcome == "released"]
    assert len(released) == releases
    assert [desk.used(link) for link in chain.ids] == [releases] * len(chain.ids)


def test_two_clerks_on_the_last_use(desk: Desk) -> None:
    chain = desk.chain(uses=(1, 1, 1))
    outcomes = together(desk, (chain, "the-first-clerks-key"), (chain, "the-other-clerks-key"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "Released"]
    check_books(desk, chain, 1)
    assert sorted(record.result.outcome for record in desk.records()) == ["refused", "released"]


def test_two_departments_on_the_last_use_of_their_common_ancestor(desk: Desk) -> None:
    chain = desk.chain(uses=(5, 1, 1))
    other = desk.sibling(chain, max_uses=1)
    outcomes = together(desk, (chain, "the-first-clerks-key"), (other, "the-other-clerks-key"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Refused", "Released"]
    assert desk.used(chain.ids[1]) == 1
    assert desk.used(chain.leaf.id) + desk.used(other.leaf.id) == 1


def test_the_same_request_twice_at_once_is_one_use(desk: Desk) -> None:
    chain = desk.chain(uses=(1, 1, 1))
    first, second = together(desk, (chain, "the-very-same-key"), (chain, "the-very-same-key"))
    assert isinstance(first, Released)
    assert isinstance(second, Released)
    assert {first.replayed, second.replayed} == {True, False}
    assert first.usage == second.usage
    check_books(desk, chain, 1)


def test_many_at_once_neither_lose_nor_double_a_use(desk: Desk) -> None:
    chain = desk.chain(uses=(9, 9, 4))
    other = desk.sibling(chain, max_uses=3)
    asked = [(chain if n % 2 else other, f"one-of-many-requests-{n}") for n in range(10)]
    outcomes = together(desk, *asked)
    assert sum(isinstance(outcome, Released) for outcome in outcomes) == 7
    assert (desk.used(chain.leaf.id), desk.used(other.leaf.id), desk.used(chain.root.id)) == (4, 3, 7)
    assert len(desk.records()) == 10


def test_a_withdrawal_waits_for_the_use_in_progress_and_then_holds(desk: Desk) -> None:
    chain = desk.chain()
    desk.release(chain)
    order: list[str] = []
    held = threading.Event()

    def use() -> None:
        with desk.unit() as ports:
            retrieval = desk.retrieval(chain)
            outcome = retrieve_under_grant(ports, desk.home, retrieval, now=w.NOW, random_bytes=os.urandom)
            assert isinstance(outcome, Released)
            held.set()
            time.sleep(0.3)
            order.append("released")

    def withdraw() -> None:
        assert held.wait(30)
        with desk.unit() as ports:
            withdraw_grant(ports, chain.root.id, actor=desk.owner, now=w.NOW)
            order.append("withdrawn")

    run_together(use, withdraw)
    assert order == ["released", "withdrawn"]
    assert desk.refuse(chain) == ("revoked", 0)


class Killed(BaseException):
    """The process ends here."""


class Fragile:
    """A port that breaks off at one of its methods, before or after it did its work."""

    def __init__(self, port: object, method: str, *, after: bool, breakdown: Callable[[], None]) -> None:
        self._port, self._method, self._after, self._breakdown = port, method, after, breakdown

    def __getattr__(self, name: str) -> object:
        real = getattr(self._port, name)
        if name != self._method:
            return real

        def call(*args: object, **kwargs: Any) -> object:
            if self._after:
                real(*args, **kwargs)
            self._breakdown()
            raise Killed

        return call


STEPS = (
    ("grants", "add"),
    ("counter", "lock"),
    ("answers", "find"),
    ("counter", "debit"),
    ("usage", "lock_head"),
    ("usage", "append"),
    ("log", "append"),
    ("vault", "read_disclosures"),
    ("answers", "keep"),
)


def fragile(ports: GrantPorts, step: tuple[str, str], *, after: bool, breakdown: Callable[[], None]) -> GrantPorts:
    name, method = step
    owner = ports.home if name in ("log", "vault") else ports
    port = Fragile(getattr(owner, name), method, after=after, breakdown=breakdown)
    if owner is ports:
        return replace(ports, **{name: port})
    return replace(ports, home=replace(ports.home, **{name: port}))


def break_off(
    desk: Desk, chain: GrantChain, step: tuple[str, str], key: str, *, after: bool, connection_lost: bool
) -> None:
    """One request that is cut off at ``step``."""
    connection = desk.engine.connect()
    connection.begin()

    def breakdown(lost: Connection = connection) -> None:
        if connection_lost:
            lost.connection.dbapi_connection.close()

    ports = fragile(desk.ports(connection), step, after=after, breakdown=breakdown)
    retrieval = desk.retrieval(chain, key=key)
    with pytest.raises(Killed):
        retrieve_under_grant(ports, desk.home, retrieval, now=w.NOW, random_bytes=os.urandom)
    with suppress(Exception):
        connection.rollback()
    connection.invalidate()
    connection.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_breaks_off_leaves_nothing_behind_and_can_be_repeated(desk: Desk, after: bool) -> None:
    for number, step in enumerate(STEPS):
        chain, logged, records = desk.chain(), desk.logged(), desk.records()
        break_off(desk, chain, step, "the-very-same-key", after=after, connection_lost=after)
        assert desk.records() == records, step
        assert desk.logged() == logged, step
        assert [desk.used(link) for link in chain.ids] == [0, 0, 0], step
        assert not desk.release(chain, key="the-very-same-key").replayed, step
        assert [desk.used(link) for link in chain.ids] == [1, 1, 1], step
        assert len(desk.records()) == number + 1, step


def test_an_answer_lost_after_the_commit_is_given_again(desk: Desk) -> None:
    chain = desk.chain(uses=(1, 1, 1))

    def answer_is_lost() -> None:
        desk.release(chain, key="the-very-same-key")
        raise Killed

    with pytest.raises(Killed):
        answer_is_lost()
    assert desk.release(chain, key="the-very-same-key").replayed
    check_books(desk, chain, 1)


def test_a_commit_that_fails_releases_nothing(desk: Desk) -> None:
    """The caller shows an answer only after its commit; one that fails leaves neither debit nor record."""
    chain = desk.chain()
    connection = desk.engine.connect()
    connection.begin()
    retrieval = desk.retrieval(chain, key="the-very-same-key")
    ports = desk.ports(connection)
    outcome = retrieve_under_grant(ports, desk.home, retrieval, now=w.NOW, random_bytes=os.urandom)
    assert isinstance(outcome, Released)
    connection.rollback()
    connection.close()
    assert desk.records() == ()
    check_books(desk, chain, 0)
    desk.release(chain, key="the-very-same-key")


def test_the_owners_lock_order_has_no_deadlock_with_new_links(desk: Desk) -> None:
    """Chains that share a root and are first seen in the moment of their use."""
    first = desk.chain(uses=(9, 9, 3))
    chains = [first, *(desk.sibling(first) for _ in range(5))]
    outcomes = together(desk, *[(chain, f"first-sight-request-{n}") for n, chain in enumerate(chains)])
    assert all(isinstance(outcome, Released) for outcome in outcomes)
    assert desk.used(first.root.id) == 6
