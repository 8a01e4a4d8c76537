"""Whatever happens in whatever order: no state is skipped, no signed byte is lost, nothing is anchored twice."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchors import Displaced, Evidence, Included, Pending, SignedTransaction
from anchors.devchain.execution import BerlinMachine
from anchors.outbox import (
    ENDED,
    NEXT,
    AnchorScope,
    Call,
    Fee,
    Pace,
    State,
    Submission,
    build,
    enter,
    lose_block,
    plan,
    prove,
    refuse,
    replace_transaction,
    replan,
    send,
    sign,
    take_evidence,
    take_outcome,
)
from anchors.signed import SqlTransactions
from anchors.store import SqlOutbox
from ledger import Checkpoint, RootHash
from ledger.database import open_engine
from signing import UnavailableError, VerificationError
from tests.support.anchor_world import AnchorWorld, KilledError, anchored_sizes
from tests.support.devchain_world import ANCHORER, STRANGER, address_of, result, signed

_MACHINE = BerlinMachine  # py-evm sets the recursion limit when it is imported: not in the middle of a test
PACE, ANCHOR, ROOT = Pace(5), bytes(20), bytes([7]) * 32
START = plan(AnchorScope(1, bytes(20), "log"), Checkpoint("log", 7, RootHash(ROOT)), now=1)
PROOF = Evidence(b"header", 12, b"h" * 32, bytes(20), ROOT, (), (), (), (), (), ())
SIGNED_ONCE = {State.SIGNED, State.SENT, State.INCLUDED}


def transaction(nonce: int, price: int) -> SignedTransaction:
    return SignedTransaction(b"%d at %d" % (nonce, price), b"%016d%016d" % (nonce, price), ANCHOR, nonce)


def sign_next(row: Submission) -> Submission:
    return sign(row, transaction((row.nonce or 0) + 1, 8), Fee(100_000, 8))


def pay_more(row: Submission) -> Submission:
    price = (row.gas_price or 0) + 1
    return replace_transaction(row, transaction(row.transaction.nonce, price), Fee(100_000, price), now=5)


def mined(row: Submission, *, succeeded: bool, gas: int = 90_000) -> Submission:
    return take_outcome(row, row.transaction, Included(12, b"h" * 32, succeeded, gas), now=5)


EVENTS: dict[str, Callable[[Submission], Submission]] = {
    "build": lambda row: build(row, Call(0, bytes(32), b"call")),
    "sign": sign_next,
    "send": lambda row: send(row, now=5, pace=PACE, endpoints=("node",)),
    "pay more": pay_more,
    "mined": lambda row: mined(row, succeeded=True),
    "failed": lambda row: mined(row, succeeded=False),
    "out of gas": lambda row: mined(row, succeeded=False, gas=100_000),
    "displaced": lambda row: take_outcome(row, row.transaction, Displaced(), now=5),
    "pending": lambda row: take_outcome(row, row.transaction, Pending(), now=5),
    "sealed": lambda row: take_evidence(row, PROOF, now=5, pace=PACE),
    "gone": lambda row: lose_block(row, now=5, pace=PACE),
    "prove": lambda row: prove(row, PROOF),
    "adopt": lambda row: enter(row, State.ADOPTED),
    "supersede": lambda row: enter(row, State.SUPERSEDED),
    "stale": lambda row: refuse(row, "contract.stale-head", now=5),
    "conflict": lambda row: refuse(row, "contract.conflict", now=5),
    "again": replan,
}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=40))
def test_the_machine_skips_nothing_and_forgets_no_bytes(names: list[str]) -> None:
    row, signed_bytes = START, []
    for name in names:
        before = row
        try:
            row = EVENTS[name](row)
        except (ValueError, VerificationError):
            continue  # not a step of this state: nothing has changed
        assert row.state is before.state or row.state in NEXT[before.state], name
        assert before.state is not State.SUPERSEDED
        if row.raw is not None and row.raw not in signed_bytes:
            assert row.state in (State.SIGNED, State.SENT)  # new bytes come from BUILT, or as a replacement
            signed_bytes.append(row.raw)
        if before.raw is not None and row.raw is None:
            raise AssertionError("signed bytes were forgotten")
        if row.state in SIGNED_ONCE:
            assert row.transaction.raw == row.raw
        if row.state is State.SUPERSEDED:
            assert before.state in (State.PLANNED, State.BUILT, State.PROVEN)  # the last if the chain lost its block
        assert (row.size, row.root, row.planned_at) == (START.size, START.root, START.planned_at)


def grow(world: AnchorWorld) -> None:
    size = world.latest().size
    world.grow(size, size + 2)


def rival_anchors(world: AnchorWorld) -> None:
    latest, head = world.latest(), world.evm.head(world.latest().origin)
    if head.size in (0, latest.size):
        world.anchor_as(STRANGER, 0, latest)


def hand_made(world: AnchorWorld) -> None:
    raw = signed(world.dev, ANCHORER, address_of(STRANGER))
    world.dev.dispatch("eth_sendRawTransaction", ["0x" + raw.hex()])


def run(world: AnchorWorld) -> None:
    try:
        world.run()
    except (UnavailableError, KilledError):
        world.commits_to_kill = -1


def fail(method: str, when: str) -> Callable[[AnchorWorld], None]:
    return lambda world: world.chain.fail(method, when)


def kill(point: int) -> Callable[[AnchorWorld], None]:
    def at(world: AnchorWorld) -> None:
        world.commits_to_kill = point

    return at


def later(seconds: int) -> Callable[[AnchorWorld], None]:
    def pass_by(world: AnchorWorld) -> None:
        world.now += seconds

    return pass_by


def lose_a_block(world: AnchorWorld) -> None:
    """Only while nothing was proved: a BFT chain takes no final block back."""
    outbox = world.outbox()
    if outbox is not None and outbox.state in (State.SENT, State.INCLUDED) and result(world.dev, "eth_blockNumber"):
        receipt = result(world.dev, "eth_getTransactionReceipt", "0x" + (outbox.tx_hash or b"").hex())
        if receipt is not None and receipt["blockNumber"] == result(world.dev, "eth_blockNumber"):
            world.dev.reorg(1)


def drop(world: AnchorWorld) -> None:
    world.dev.drop_pending()


ACTIONS: dict[str, Callable[[AnchorWorld], None]] = {
    "grow": grow,
    "run": run,
    "a rival": rival_anchors,
    "by hand": hand_made,
    "hold": lambda world: world.dev.hold_mining(),
    "release": lambda world: world.dev.release_mining(),
    "drop": drop,
    "reorg": lose_a_block,
    "submit fails before": fail("submit", "before"),
    "submit fails after": fail("submit", "after"),
    "outcome fails": fail("outcome", "after"),
    "evidence fails": fail("evidence", "before"),
    **{f"killed at commit {point}": kill(point) for point in range(0, 12, 3)},
    "a minute": later(61),
    "an hour": later(3600),
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(sorted(ACTIONS)), min_size=4, max_size=14))
def test_whatever_happens_everything_is_anchored_once(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        world = AnchorWorld.create(open_engine(f"sqlite:///{folder}/log.db"), Path(folder))
        try:
            world.grow(1, 4)
            for name in names:
                ACTIONS[name](world)
            settle(world)
            check_signed_bytes(world)
        finally:
            world.dev.close()
            world.engine.dispose()


def settle(world: AnchorWorld) -> None:
    world.chain.faults.clear()
    world.commits_to_kill = -1
    world.dev.release_mining()
    for _ in range(30):
        world.now += 3600
        try:
            if world.run() is None:
                break
        except UnavailableError:
            continue
    world.check()


def check_signed_bytes(world: AnchorWorld) -> None:
    """Every nonce of ours that the chain used is one that is stored, unless a person used it by hand."""
    with world.engine.begin() as connection:
        outbox = SqlOutbox(connection, world.target.scope)
        stored = {each.tx_hash for each in SqlTransactions(connection, world.dev.chain_id, address_of(ANCHORER)).all()}
        rows = [row for row in map(outbox.at, outbox.sizes()) if row is not None]
    assert all(row.state in ENDED for row in rows)
    assert all(row.tx_hash in stored for row in rows if row.tx_hash is not None)
    sizes = anchored_sizes(world.dev)
    assert len(sizes) == len(set(sizes))
