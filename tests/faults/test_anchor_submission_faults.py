"""Submission when the world is unkind: days without a node, lost and stolen nonces, restored databases, rivals."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from eth_hash.auto import keccak
from sqlalchemy import select

from anchors import ChainHead, Included, Outcome, Pending, Quote, SignedTransaction
from anchors.capture import AnchorTarget
from anchors.devchain.chain import open_dev_chain
from anchors.evm import EvmChain
from anchors.leases import LEASE_SECONDS
from anchors.node import Endpoint
from anchors.outbox import Pace, State, Submission
from anchors.policy import AnchorPolicy
from anchors.store import SqlAnchorProofs, SqlOutbox
from anchors.tables import submissions, transactions
from anchors.worker import AnchorWorker
from ledger.database import open_engine
from ledger.store import SqlLog
from signing import LedgerError, UnavailableError, VerificationError
from tests.support.anchor_world import AnchorWorld, FaultyChain, anchored_sizes
from tests.support.devchain_world import ANCHORER, STRANGER, account_of, address_of, result, signed
from tests.support.ledger_logs import ORIGIN

DAY = 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnchorWorld]:
    world = AnchorWorld.create(open_engine(f"sqlite:///{tmp_path / 'log.db'}"), tmp_path)
    world.grow(1, 5)
    yield world
    world.dev.close()
    world.engine.dispose()


def settle(world: AnchorWorld) -> None:
    """Run as an operator's worker does, minute after minute, until all is proved."""
    for _ in range(30):
        try:
            if world.run() is None:
                break
        except UnavailableError:
            pass
        world.now += 60
    world.check()


def nonces_used(world: AnchorWorld, key: bytes = ANCHORER) -> int:
    return int(result(world.dev, "eth_getTransactionCount", "0x" + address_of(key).hex(), "latest"), 16)


def until(world: AnchorWorld, state: State, worker: AnchorWorker | None = None) -> Submission:
    worker = worker or world.worker()
    for _ in range(20):
        submission = worker.advance(now=world.now)
        if submission is not None and submission.state is state:
            return submission
    raise AssertionError(f"never {state}")


def rows(world: AnchorWorld) -> dict[int, str]:
    with world.engine.begin() as connection:
        return {row.size: row.state for row in connection.execute(select(submissions))}


def stored_transactions(world: AnchorWorld) -> int:
    with world.engine.begin() as connection:
        return len(connection.execute(select(transactions.c.tx_hash)).all())


def test_all_nodes_away_for_a_day_cost_one_transaction(world: AnchorWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(world)

    def away(_: str) -> ChainHead:
        raise UnavailableError("chain.unreachable", "no node answers")

    monkeypatch.setattr(world.chain, "head", away)
    for minute in range(48):  # a worker runs on while materials are registered
        world.grow(5 + minute, 6 + minute)
        with pytest.raises(UnavailableError):
            world.run()
        world.now += DAY // 48
    assert len(rows(world)) == 2  # no row for each look
    monkeypatch.undo()
    settle(world)
    assert anchored_sizes(world.dev) == [5, 53]
    assert nonces_used(world) == 2


@pytest.mark.parametrize("kind", ["same key", "two keys"])
def test_rivals_on_one_database_at_the_same_time(world: AnchorWorld, kind: str) -> None:
    """Two workers in threads, ten checkpoints: each ends proved, none is anchored twice."""
    targets = [world.target, world.target]
    if kind == "two keys":
        targets[1] = replace(world.target, account=account_of(STRANGER))

    met: set[str] = set()

    def work(number: int) -> None:
        for _ in range(40):
            worker = AnchorWorker(
                world.evm,
                targets[number],
                transactions=world.engine.begin,
                log=lambda connection: SqlLog(connection, ORIGIN),
                owner=f"rival {number}",
            )
            try:
                worker.run(now=world.now)
            except UnavailableError as error:
                met.add(error.code)

    with ThreadPoolExecutor(3) as pool:
        rivals = [pool.submit(work, number) for number in range(2)]
        for size in range(5, 15):
            world.grow(size, size + 1)
        for rival in rivals:
            rival.result()
    assert met <= {"outbox.leased", "outbox.fenced", "outbox.busy"}
    world.now += LEASE_SECONDS
    settle(world)
    assert len(set(anchored_sizes(world.dev))) == len(anchored_sizes(world.dev))
    assert set(rows(world).values()) <= {"proven", "superseded"}


def test_two_anchorers_with_databases_of_their_own(world: AnchorWorld, tmp_path: Path) -> None:
    """Another home's key on the same origin: what one wrote the other adopts, and both hold the proof."""
    copy = tmp_path / "other.db"
    other = copy_of(world, copy, replace(world.target, account=account_of(STRANGER)))
    mine, theirs = world.worker(), other.worker()
    for _ in range(12):
        for worker in (mine, theirs):
            worker.advance(now=world.now)
    settle(world)
    settle(other)
    assert anchored_sizes(world.dev) == [5]
    ours, others = world.proof(5), other.proof(5)
    assert ours is not None
    assert others is not None
    assert (ours.checkpoint, ours.anchorer) == (others.checkpoint, others.anchorer)
    other.engine.dispose()


def copy_of(world: AnchorWorld, path: Path, target: AnchorTarget | None = None) -> AnchorWorld:
    """The same log and chain, with a copy of the database."""
    backup(world, path)
    copy = replace(world, engine=open_engine(f"sqlite:///{path}"), chain=FaultyChain(world.evm))
    return copy if target is None else replace(copy, target=target)


def backup(world: AnchorWorld, path: Path) -> None:
    with world.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql(f"VACUUM INTO '{path}'")
        connection.exec_driver_sql("BEGIN")


@pytest.mark.parametrize("state", [None, *(s for s in State if s.value in "planned built signed sent included final")])
def test_an_outbox_restored_to_an_older_state(world: AnchorWorld, tmp_path: Path, state: State | None) -> None:
    """The log is whole, the outbox is as it was before: what was done since is found, and not done again."""
    worker = world.worker()
    if state is State.PLANNED:
        world.chain.fail("head", "before")
        with pytest.raises(UnavailableError):
            worker.advance(now=world.now)
    elif state is not None:
        until(world, state, worker)
    old = tmp_path / "old.db"
    backup(world, old)
    world.now += LEASE_SECONDS
    settle(world)
    restored = copy_of(replace(world, engine=open_engine(f"sqlite:///{old}")), tmp_path / "restored.db")
    restored.now = world.now + DAY
    settle(restored)
    assert anchored_sizes(world.dev) == [5]
    assert nonces_used(world) == 1
    restored.grow(5, 9)
    settle(restored)
    assert anchored_sizes(world.dev) == [5, 9]


def test_a_log_restored_to_an_older_state_signs_and_sends_nothing(world: AnchorWorld, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    settle(world)
    backup(world, old)
    world.grow(5, 9)
    settle(world)
    restored = replace(world, engine=open_engine(f"sqlite:///{old}"))
    restored.grow(5, 7)  # other entries than those that were anchored
    for _ in range(3):
        with pytest.raises(VerificationError) as refused:
            restored.run()
        assert refused.value.code == "log.behind-chain"
        restored.now += DAY
    restored.grow(7, 12)
    with pytest.raises(VerificationError):
        restored.worker().run(now=restored.now)
    assert anchored_sizes(world.dev) == [5, 9]
    assert nonces_used(world) == 2
    settle(world)
    restored.engine.dispose()


def test_a_node_of_another_chain_is_never_sent_anything(world: AnchorWorld, tmp_path: Path) -> None:
    with open_dev_chain(
        tmp_path / "other.db", clock=lambda: world.now, random_bytes=Random(7).randbytes, chain_id=20999
    ) as stray:
        alone = replace(world, chain=FaultyChain(EvmChain([Endpoint("stray", stray.dispatch)], world.profile)))
        with pytest.raises(UnavailableError) as refused:
            alone.run()
        assert refused.value.code == "chain.wrong-network"
        stored = world.outbox()
        assert stored is not None
        assert (stored.state, stored.raw) == (State.PLANNED, None)
        world.now += LEASE_SECONDS
        settle(world)
        assert result(stray, "eth_blockNumber") == "0x0"


def test_a_nonce_that_somebody_else_used_is_told_and_replaced(world: AnchorWorld) -> None:
    worker = world.worker()
    until(world, State.SIGNED, worker)
    raw = signed(world.dev, ANCHORER, address_of(STRANGER))  # the same key, used by hand for something else
    result(world.dev, "eth_sendRawTransaction", "0x" + raw.hex())
    until(world, State.REVERTED, worker)
    again = until(world, State.SIGNED, worker)
    assert (again.nonce, again.reason) == (1, "chain.nonce-taken")
    world.now += LEASE_SECONDS
    settle(world)
    assert anchored_sizes(world.dev) == [5]


def test_a_lost_lower_nonce_without_bytes_is_filled(world: AnchorWorld) -> None:
    """Somebody's own transaction was mined, ours after it, a reorganisation lost both: theirs is gone for good."""
    raw = signed(world.dev, ANCHORER, address_of(STRANGER))
    result(world.dev, "eth_sendRawTransaction", "0x" + raw.hex())
    included = until(world, State.INCLUDED)
    assert included.nonce == 1
    world.dev.reorg(2)
    assert nonces_used(world) == 0
    world.now += LEASE_SECONDS
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonces_used(world) == 2
    assert stored_transactions(world) == 2  # the filler too was stored before it was sent
    mined = result(world.dev, "eth_getTransactionByHash", "0x" + (included.tx_hash or b"").hex())
    assert mined["blockNumber"] is not None  # the same bytes


def test_a_block_that_goes_after_it_was_final_is_made_again(world: AnchorWorld) -> None:
    worker = world.worker()
    until(world, State.FINAL, worker)
    world.dev.reorg(1)
    assert until(world, State.SENT, worker).reason == "chain.reorganised"
    world.now += LEASE_SECONDS
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonces_used(world) == 1


def test_a_transaction_that_ran_out_of_gas_is_tried_with_more(
    world: AnchorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.chain.quote

    def stingy(sender: bytes, calldata: bytes) -> Quote:
        return replace(real(sender, calldata), gas_limit=60_000)

    monkeypatch.setattr(world.chain, "quote", stingy)
    worker = world.worker()
    assert until(world, State.SENT, worker).gas_limit == 60_000
    failed = until(world, State.REVERTED, worker)
    assert (failed.reason, failed.receipt_status) == ("chain.out-of-gas", 0)
    world.now += LEASE_SECONDS
    settle(world)
    assert anchored_sizes(world.dev) == [5]
    assert nonces_used(world) == 2


@pytest.mark.parametrize("mined", ["the first", "the replacement"])
def test_where_a_price_is_paid_a_stuck_transaction_is_replaced(
    world: AnchorWorld, monkeypatch: pytest.MonkeyPatch, mined: str
) -> None:
    """The chain takes transactions and mines none for long; in the end either version of the nonce is mined."""
    world.target = replace(world.target, gas_price=80)
    pool: list[SignedTransaction] = []

    def take(transaction: SignedTransaction) -> tuple[str, ...]:
        pool.append(transaction)
        return ("node",)

    monkeypatch.setattr(world.chain, "submit", take)
    monkeypatch.setattr(world.chain, "outcome", lambda _: Pending())
    first = world.run()
    assert first is not None
    for _ in range(3):  # T1: the same bytes
        world.now += Pace().rebroadcast
        world.run()
    assert {transaction.raw for transaction in pool} == {first.raw}
    world.now += Pace().replace  # T2: an eighth more
    replaced = world.run()
    assert replaced is not None
    assert (replaced.nonce, replaced.gas_price, replaced.state) == (first.nonce, 90, State.SENT)
    assert pool[-1].raw == replaced.raw != first.raw
    assert stored_transactions(world) == 2
    for _ in range(60):
        world.now += Pace().replace
        world.run()
    last = world.outbox()
    assert last is not None
    assert 80 * 8 < (last.gas_price or 0) <= 80 * 10  # it ends somewhere

    world.anchor_as(STRANGER, 0, world.latest())  # stands for the block that mines one version
    newest = result(world.dev, "eth_getBlockByNumber", "latest", False)
    number, block_hash = int(newest["number"], 16), bytes.fromhex(newest["hash"][2:])
    winner = first.tx_hash if mined == "the first" else last.tx_hash

    def outcome(transaction: SignedTransaction) -> Outcome:
        return Included(number, block_hash, True, 90_000) if transaction.tx_hash == winner else Pending()

    monkeypatch.setattr(world.chain, "outcome", outcome)
    included = until(world, State.INCLUDED)
    assert included.tx_hash == winner
    world.now += LEASE_SECONDS
    settle(world)


def test_where_nothing_is_paid_a_stuck_transaction_is_only_sent_again(
    world: AnchorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    def take(transaction: SignedTransaction) -> tuple[str, ...]:
        sent.append(transaction.raw)
        return ("node",)

    monkeypatch.setattr(world.chain, "submit", take)
    world.run()
    for _ in range(10):
        world.now += Pace().replace
        world.run()
    assert len(sent) == 11
    assert len(set(sent)) == 1
    monkeypatch.undo()
    world.now += Pace().replace
    settle(world)
    assert nonces_used(world) == 1


def test_the_policy_says_when_and_a_request_says_now(world: AnchorWorld) -> None:
    settle(world)
    policy = AnchorPolicy(seconds=600, entries=4)
    start = world.now

    def run(*, now: int, requested: bool = False) -> Submission | None:
        worker = AnchorWorker(
            world.evm,
            world.target,
            transactions=world.engine.begin,
            log=lambda connection: SqlLog(connection, ORIGIN),
            owner="w",
            policy=policy,
        )
        return worker.run(now=now, requested=requested)

    world.grow(5, 8)
    assert run(now=start) is None  # three wait
    assert run(now=start, requested=True) is not None
    world.grow(8, 12)
    assert run(now=start) is not None  # four
    world.grow(12, 13)
    assert run(now=start + 599) is None
    assert run(now=start + 600) is not None
    assert anchored_sizes(world.dev) == [5, 8, 12, 13]


def test_what_a_row_keeps(world: AnchorWorld) -> None:
    settle(world)
    world.grow(5, 9)
    settle(world)
    with world.engine.begin() as connection:
        row = SqlOutbox(connection, world.target.scope).at(9)
        seen = SqlAnchorProofs(connection, world.target.scope).seen()
    assert row is not None
    assert seen is not None
    assert (row.old_size, row.endpoints, row.receipt_status, row.nonce, row.gas_price) == (5, ("embedded",), 1, 1, 0)
    assert row.note_hash is not None
    assert row.note_hash in (row.calldata or b"")
    assert (row.gas_limit or 0) > 50_000
    assert row.planned_at <= seen.seen_at <= seen.covered_at <= world.now


def expect(code: str, action: Callable[[], object]) -> None:
    with pytest.raises(LedgerError) as caught:
        action()
    assert caught.value.code == code


def test_no_more_transactions_on_their_way_than_the_window_holds(world: AnchorWorld) -> None:
    """The account anchors other logs too: eight of its transactions wait."""
    world.dev.hold_mining()
    with world.engine.begin() as connection:
        for nonce in range(8):
            raw = signed(world.dev, ANCHORER, address_of(STRANGER), nonce=nonce)
            row = {"chain_id": world.dev.chain_id, "tx_hash": keccak(raw), "anchorer": address_of(ANCHORER)}
            connection.execute(transactions.insert().values(**row, nonce=nonce, gas_price=0, raw=raw))
    expect("outbox.window", world.run)
    stored = world.outbox()
    assert stored is not None
    assert stored.state is State.BUILT
    world.dev.release_mining()  # the stored bytes had been sent again
    settle(world)
    assert nonces_used(world) == 9
