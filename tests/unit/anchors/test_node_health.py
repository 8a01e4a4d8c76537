"""Health of nodes: pure state, rests that grow and end, and who is asked next."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from anchors import TrustProfile
from anchors.deploy import Network
from anchors.devchain.chain import DevChain
from anchors.evm import EvmChain
from anchors.health import EndpointRecord, Standing, answered, failed, lagging, order, report, saw_head, took
from anchors.node import Endpoint
from signing import UnavailableError
from tests.support.anchor_world import deploy
from tests.support.devchain_world import START, open_chain
from tests.support.ledger_logs import ORIGIN

AWAY = UnavailableError("chain.unreachable", "node: away")
FALSE = UnavailableError("chain.bad-evidence", "node: anchor.seal: a seal is not of the validator set")


def rests(error: UnavailableError, count: int) -> list[float]:
    record, pauses = EndpointRecord("node"), []
    for _ in range(count):
        record = failed(record, error, at=100)
        pauses.append(record.rest_until - 100)
    return pauses


def test_rests_grow_to_a_limit() -> None:
    assert rests(AWAY, 11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert rests(FALSE, 6) == [30, 60, 120, 240, 300, 300]
    assert rests(AWAY, 5000)[-1] == 300


def test_an_answer_ends_the_rest() -> None:
    record = failed(failed(EndpointRecord("node"), AWAY, at=100), FALSE, at=101)
    assert (record.standing, record.code, record.failures) == (Standing.WRONG, "chain.bad-evidence", 2)
    assert not record.awake(160)
    assert record.awake(161)
    assert answered(record, at=160) == record  # who was found out stays so until its rest ends
    fine = answered(record, at=161)
    assert (fine.standing, fine.code, fine.detail, fine.failures) == (Standing.OK, None, "", 0)
    assert fine.awake(0)
    assert answered(failed(EndpointRecord("node"), AWAY, at=100), at=100).standing is Standing.OK


def test_the_order_is_as_given_with_the_resting_last_by_when_they_wake() -> None:
    records = [EndpointRecord(str(n)) for n in range(4)]
    records[0] = failed(failed(records[0], AWAY, at=10), AWAY, at=10)
    records[2] = failed(records[2], AWAY, at=10)
    assert order(records, at=10) == ([1, 3], [2, 0])
    assert order(records, at=11) == ([1, 2, 3], [0])
    assert order(records, at=12) == ([0, 1, 2, 3], [])


def test_the_report_is_of_a_moment() -> None:
    records = [
        took(saw_head(answered(EndpointRecord("a"), at=0), 120, 1000), 0.0123),
        saw_head(failed(EndpointRecord("b"), AWAY, at=50), 100, 700),
        EndpointRecord("c"),
    ]
    a, b, c = report(records, now=1060, at=50.4)
    assert (a.standing, a.head_number, a.head_age, a.lag, a.latency_ms, a.rest_seconds) == (
        Standing.OK,
        120,
        60,
        0,
        12,
        0,
    )
    assert (b.standing, b.code, b.detail, b.head_age, b.lag, b.rest_seconds) == (
        Standing.RESTING,
        "chain.unreachable",
        "node: away",
        360,
        20,
        1,
    )
    assert (c.standing, c.head_number, c.head_age, c.lag, c.latency_ms) == (Standing.UNASKED, None, None, None, None)
    assert lagging(records) == [1]
    assert report([], now=0, at=0) == ()


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevChain]:
    with open_chain(tmp_path_factory.mktemp("chain") / Path("chain.db")) as chain:
        yield chain


@pytest.fixture(scope="module")
def profile(dev: DevChain) -> TrustProfile:
    return deploy(dev, Network(dev.dispatch, dev.chain_id))


class Switch:
    """A node that can be switched off, and counts its calls."""

    def __init__(self, dev: DevChain, name: str) -> None:
        self.dev, self.name, self.on, self.calls = dev, name, True, 0

    def rpc(self, method: str, params: Sequence[Any]) -> Any:
        self.calls += 1
        if not self.on:
            raise UnavailableError("chain.unreachable", f"{self.name}: {method}: ConnectionRefusedError")
        return self.dev.dispatch(method, list(params))

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.name, self.rpc)


def test_a_failed_node_is_rested_then_asked_again(dev: DevChain, profile: TrustProfile) -> None:
    first, second = Switch(dev, "first"), Switch(dev, "second")
    at = 0.0
    chain = EvmChain([first.endpoint, second.endpoint], profile, stopwatch=lambda: at)
    chain.head(ORIGIN)
    first.on = False
    chain.head(ORIGIN)
    asked = first.calls
    chain.head(ORIGIN)
    assert first.calls == asked  # it rests
    health = chain.health(START)
    assert [each.standing for each in health] == [Standing.RESTING, Standing.OK]
    assert (health[0].code, health[0].rest_seconds) == ("chain.unreachable", 1)
    first.on, at = True, 1.0
    chain.head(ORIGIN)
    assert first.calls > asked
    assert [each.standing for each in chain.health(START)] == [Standing.OK, Standing.OK]


def test_when_all_rest_all_are_asked(dev: DevChain, profile: TrustProfile) -> None:
    nodes = [Switch(dev, "first"), Switch(dev, "second")]
    chain = EvmChain([node.endpoint for node in nodes], profile, stopwatch=lambda: 0)
    for node in nodes:
        node.on = False
    with pytest.raises(UnavailableError) as caught:
        chain.head(ORIGIN)
    assert all(node.name in str(caught.value) for node in nodes)
    nodes[1].on = True
    assert chain.head(ORIGIN).size == 0
    assert [each.standing for each in chain.health(START)] == [Standing.RESTING, Standing.OK]


def test_a_node_that_changed_its_network_is_found_out_by_a_check(dev: DevChain, profile: TrustProfile) -> None:
    moved = Switch(dev, "moved")
    chain_ids: list[str] = []

    def rpc(method: str, params: Sequence[Any]) -> Any:
        if method == "eth_chainId" and chain_ids:
            return {"result": chain_ids[-1]}
        return moved.rpc(method, params)

    chain = EvmChain([Endpoint("moved", rpc)], profile)
    (before,) = chain.check(START)
    assert (before.standing, before.code) == (Standing.OK, None)
    assert before.head_number == int(dev.dispatch("eth_blockNumber", [])["result"], 16)
    chain_ids.append("0x1")
    (after,) = chain.check(START)
    assert (after.standing, after.code) == (Standing.WRONG, "chain.wrong-network")
    assert "moved" in after.detail


def test_health_asks_nobody(dev: DevChain, profile: TrustProfile) -> None:
    node = Switch(dev, "node")
    (health,) = EvmChain([node.endpoint], profile).health(START)
    assert (health.standing, node.calls) == (Standing.UNASKED, 0)
