"""Every role, refusal and order of decisions of the anchor contract, on two machines: py-evm and anvil's.

py-evm runs inside the development chain; anvil runs the rules of Berlin and those of Paris.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from eth.vm.forks.berlin.computation import BerlinComputation

from anchors import contract
from anchors.contract import ORIGIN_ACTIVE, ORIGIN_FROZEN, Revert, RevertName, decode_bool, decode_event
from tests.support.anvil import anvils
from tests.support.devchain_world import (
    ADMIN,
    ANCHORER,
    GOVERNOR,
    ORIGIN_NAME,
    STRANGER,
    World,
    address_of,
    error,
    open_chain,
)
from tests.support.ledger_reference import mth, proof

__all__ = ["anvils"]

ENTRIES = [b"entry %d" % n for n in range(40)]
ZERO = bytes(32)


def _root(size: int) -> bytes:
    return mth(ENTRIES[:size])


def _proof(old: int, new: int) -> list[bytes]:
    return proof(old, ENTRIES[:new])


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[World]:
    with open_chain(tmp_path / "chain.sqlite3") as chain:
        yield World.create(chain)


@pytest.fixture(params=["embedded", "berlin", "paris"])
def world(request: pytest.FixtureRequest) -> World:
    """A fresh contract: in the development chain, and on anvil by the rules of each fork."""
    if request.param == "embedded":
        made: World = request.getfixturevalue("embedded")
        return made
    return World.create(request.getfixturevalue("anvils")(request.param))


def _events(receipt: dict[str, object]) -> list[contract.Event]:
    return [
        decode_event([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
        for log in receipt["logs"]
    ]


def test_growth_is_written_and_read_back(world: World) -> None:
    sizes = [0, 3, 4, 11, 32, 40]
    for seq, (old, new) in enumerate(pairwise(sizes), start=1):
        step = world.anchor_call(old, new, _root(new), _proof(old, new) if old else ())
        assert decode_bool(world.call(step, key=ANCHORER)) is True
        receipt = world.send(ANCHORER, step)
        block = int(str(receipt["blockNumber"]), 16)
        assert _events(receipt) == [
            contract.Anchored(world.origin, new, _root(new), old, b"\x11" * 32, address_of(ANCHORER))
        ]
        head = contract.decode_head(world.call(contract.encode_head(world.origin)))
        assert (head.size, head.root, head.seq, head.block_number) == (new, _root(new), seq, block)
        stored = contract.decode_anchored(world.call(contract.encode_anchored(world.origin, new)))
        assert stored == contract.StoredAnchor(_root(new), block, head.time, address_of(ANCHORER))
    assert contract.decode_anchored(world.call(contract.encode_anchored(world.origin, 5))) is None


def test_an_exact_repeat_is_false_and_changes_nothing(world: World) -> None:
    for old, new in ((0, 4), (4, 9)):
        world.send(ANCHORER, world.anchor_call(old, new, _root(new), _proof(old, new) if old else ()))
    before = world.storage(contract.head_slot(world.origin))
    for old, new in ((0, 4), (4, 9), (7, 9)):
        repeat = world.anchor_call(old, new, _root(new))
        assert decode_bool(world.call(repeat, key=ANCHORER)) is False
        receipt = world.send(ANCHORER, repeat)
        assert (receipt["status"], receipt["logs"]) == ("0x1", [])
    assert world.storage(contract.head_slot(world.origin)) == before


def test_conflict_and_stale_head(world: World) -> None:
    world.send(ANCHORER, world.anchor_call(0, 4, _root(4)))
    world.send(ANCHORER, world.anchor_call(4, 9, _root(9), _proof(4, 9)))
    refused = [
        (world.anchor_call(4, 9, _root(10), _proof(4, 9)), Revert(RevertName.CONFLICT, 9, _root(9))),
        (world.anchor_call(0, 4, _root(5)), Revert(RevertName.CONFLICT, 4, _root(4))),
        (world.anchor_call(4, 6, _root(6), _proof(4, 6)), Revert(RevertName.STALE_HEAD, 9)),
        (world.anchor_call(4, 12, _root(12), _proof(4, 12)), Revert(RevertName.STALE_HEAD, 9)),
        (world.anchor_call(0, 12, _root(12)), Revert(RevertName.STALE_HEAD, 9)),
        (world.anchor_call(10, 12, _root(12), _proof(10, 12)), Revert(RevertName.STALE_HEAD, 9)),
    ]
    for data, expected in refused:
        assert world.refusal(ANCHORER, data) == expected


def test_sizes_roots_and_first_anchor(world: World) -> None:
    assert world.refusal(ANCHORER, world.anchor_call(0, 0, _root(1))).name is RevertName.BAD_SIZE
    assert world.refusal(ANCHORER, world.anchor_call(0, 1, ZERO)).name is RevertName.BAD_SIZE
    first_with_proof = world.anchor_call(0, 5, _root(5), [_root(1)])
    assert world.refusal(ANCHORER, first_with_proof).name is RevertName.BAD_CONSISTENCY
    assert world.refusal(ANCHORER, world.anchor_call(1, 5, _root(5))) == Revert(RevertName.STALE_HEAD, 0)
    world.send(ANCHORER, world.anchor_call(0, 5, _root(5)))
    assert world.refusal(ANCHORER, world.anchor_call(5, 6, _root(6))).name is RevertName.BAD_CONSISTENCY


def test_who_may_anchor(world: World) -> None:
    data = world.anchor_call(0, 1, _root(1))
    for key in (STRANGER, ADMIN, GOVERNOR):
        assert world.refusal(key, data).name is RevertName.NOT_ANCHORER
    unknown = contract.encode_anchor(origin=ZERO, old_size=0, new_size=1, new_root=_root(1), note_hash=ZERO, proof=())
    assert world.refusal(ANCHORER, unknown).name is RevertName.BAD_ORIGIN
    dismiss = contract.encode_set_anchorer(world.origin, address_of(ANCHORER), allowed=False)
    for key in (STRANGER, GOVERNOR, ANCHORER):
        assert world.refusal(key, dismiss).name is RevertName.NOT_ADMIN
    receipt = world.send(ADMIN, dismiss)
    assert _events(receipt) == [contract.AnchorerSet(world.origin, address_of(ANCHORER), allowed=False)]
    assert world.refusal(ANCHORER, data).name is RevertName.NOT_ANCHORER


def test_a_frozen_origin_refuses_even_a_repeat(world: World) -> None:
    data = world.anchor_call(0, 1, _root(1))
    world.send(ANCHORER, data)
    freeze = contract.encode_set_origin_status(world.origin, ORIGIN_FROZEN)
    assert world.refusal(ADMIN, freeze).name is RevertName.NOT_GOVERNOR
    assert _events(world.send(GOVERNOR, freeze)) == [contract.OriginStatusChanged(world.origin, ORIGIN_FROZEN)]
    assert world.refusal(ANCHORER, data).name is RevertName.BAD_ORIGIN
    world.send(GOVERNOR, contract.encode_set_origin_status(world.origin, ORIGIN_ACTIVE))
    assert decode_bool(world.call(data, key=ANCHORER)) is False
    for origin, status in ((world.origin, 0), (world.origin, 3), (ZERO, ORIGIN_ACTIVE)):
        bad = contract.encode_set_origin_status(origin, status)
        assert world.refusal(GOVERNOR, bad).name is RevertName.BAD_ORIGIN


def test_registration_is_the_governors_and_happens_once(world: World) -> None:
    again = contract.encode_register_origin(ORIGIN_NAME, address_of(STRANGER))
    assert world.refusal(GOVERNOR, again).name is RevertName.BAD_ORIGIN
    name = "日志.example/" + "long" * 30
    other = contract.encode_register_origin(name, address_of(STRANGER))
    for key in (ADMIN, STRANGER):
        assert world.refusal(key, other).name is RevertName.NOT_GOVERNOR
    assert world.call(other, key=GOVERNOR) == contract.origin_id(name)
    receipt = world.send(GOVERNOR, other)
    origin = contract.origin_id(name)
    assert _events(receipt) == [contract.OriginRegistered(origin, name, address_of(STRANGER))]
    info = contract.decode_origin_info(world.call(contract.encode_origin_info(origin)))
    assert info == contract.OriginInfo(address_of(STRANGER), int(str(receipt["blockNumber"]), 16), ORIGIN_ACTIVE)


def test_the_successor_is_named_once(world: World) -> None:
    assert contract.decode_address(world.call(contract.encode_governor())) == address_of(GOVERNOR)
    successor = b"\x77" * 20
    name_it = contract.encode_set_successor(successor)
    assert world.refusal(ADMIN, name_it).name is RevertName.NOT_GOVERNOR
    assert _events(world.send(GOVERNOR, name_it)) == [contract.SuccessorSet(successor)]
    assert contract.decode_address(world.call(contract.encode_successor())) == successor
    assert world.refusal(GOVERNOR, name_it).name is RevertName.NOT_GOVERNOR


def test_nothing_is_payable_and_there_is_no_fallback(world: World) -> None:
    assert world.send(ANCHORER, b"")["status"] == "0x0"
    assert world.send(ANCHORER, b"\xde\xad\xbe\xef")["status"] == "0x0"


def test_storage_words_lie_where_the_layout_says(world: World) -> None:
    for old, new in ((0, 4), (4, 9)):
        receipt = world.send(ANCHORER, world.anchor_call(old, new, _root(new), _proof(old, new) if old else ()))
    block = int(str(receipt["blockNumber"]), 16)
    head = contract.decode_head_word(world.storage(contract.head_slot(world.origin)))
    assert (head.size, head.seq, head.block_number) == (9, 2, block)
    assert world.storage(contract.anchor_root_slot(world.origin, 9)) == _root(9)
    meta = contract.decode_meta_word(world.storage(contract.anchor_meta_slot(world.origin, 9)))
    assert meta == contract.AnchorMeta(block, head.time, address_of(ANCHORER))
    info = contract.decode_origin_word(world.storage(contract.origin_slot(world.origin)))
    assert info == contract.decode_origin_info(world.call(contract.encode_origin_info(world.origin)))
    allowed = contract.anchorer_slot(world.origin, address_of(ANCHORER))
    assert int.from_bytes(world.storage(allowed), "big") == 1
    assert world.storage(contract.anchorer_slot(world.origin, address_of(STRANGER))) == ZERO
    assert world.storage(contract.GOVERNOR_SLOT)[12:] == address_of(GOVERNOR)
    assert world.storage(contract.SUCCESSOR_SLOT) == ZERO
    assert world.storage(contract.anchor_root_slot(world.origin, 5)) == ZERO


def test_what_is_decided_first(world: World) -> None:
    """Status, then caller, then form, then what is stored, then the head, then the proof."""
    world.send(ANCHORER, world.anchor_call(0, 4, _root(4)))
    all_wrong = world.anchor_call(9, 0, ZERO, [_root(1)])
    conflict = world.anchor_call(9, 4, _root(5), [_root(1)])
    stale = world.anchor_call(3, 9, _root(9), [_root(1)])
    inconsistent = world.anchor_call(4, 9, _root(9), [_root(1)])
    assert world.refusal(STRANGER, all_wrong).name is RevertName.NOT_ANCHORER
    assert world.refusal(ANCHORER, all_wrong).name is RevertName.BAD_SIZE
    assert world.refusal(ANCHORER, world.anchor_call(9, 4, ZERO)).name is RevertName.BAD_SIZE
    assert world.refusal(ANCHORER, conflict) == Revert(RevertName.CONFLICT, 4, _root(4))
    assert world.refusal(ANCHORER, stale) == Revert(RevertName.STALE_HEAD, 4)
    assert world.refusal(ANCHORER, inconsistent).name is RevertName.BAD_CONSISTENCY
    world.send(GOVERNOR, contract.encode_set_origin_status(world.origin, ORIGIN_FROZEN))
    for key in (STRANGER, ANCHORER):
        assert world.refusal(key, all_wrong).name is RevertName.BAD_ORIGIN


def test_an_origin_goes_on_after_it_was_frozen_and_after_a_successor_was_named(world: World) -> None:
    world.send(ANCHORER, world.anchor_call(0, 4, _root(4)))
    world.send(GOVERNOR, contract.encode_set_origin_status(world.origin, ORIGIN_FROZEN))
    step = world.anchor_call(4, 9, _root(9), _proof(4, 9))
    assert world.refusal(ANCHORER, step).name is RevertName.BAD_ORIGIN
    assert contract.decode_head(world.call(contract.encode_head(world.origin))).size == 4, "it can still be read"
    world.send(GOVERNOR, contract.encode_set_origin_status(world.origin, ORIGIN_ACTIVE))
    world.send(GOVERNOR, contract.encode_set_successor(b"\x77" * 20))
    assert world.send(ANCHORER, step)["status"] == "0x1"


def test_several_anchorers_and_several_origins(world: World) -> None:
    other = contract.origin_id("log.example/other")
    world.send(GOVERNOR, contract.encode_register_origin("log.example/other", address_of(STRANGER)))
    assert world.refusal(ADMIN, contract.encode_set_anchorer(other, address_of(ADMIN), allowed=True)).name is (
        RevertName.NOT_ADMIN
    ), "an admin is one of its own origin only"
    world.send(ADMIN, contract.encode_set_anchorer(world.origin, address_of(STRANGER), allowed=True))
    world.send(ANCHORER, world.anchor_call(0, 4, _root(4)))
    assert world.send(STRANGER, world.anchor_call(4, 9, _root(9), _proof(4, 9)))["status"] == "0x1"
    assert decode_bool(world.call(world.anchor_call(4, 9, _root(9)), key=ANCHORER)) is False
    stored = contract.decode_anchored(world.call(contract.encode_anchored(world.origin, 9)))
    assert stored is not None
    assert stored.anchorer == address_of(STRANGER)
    assert contract.decode_head(world.call(contract.encode_head(other))) == contract.Head(0, ZERO, 0, 0, 0)
    assert contract.decode_anchored(world.call(contract.encode_anchored(other, 9))) is None


def test_block_and_time_are_the_chain_s_own(world: World) -> None:
    receipt = world.send(ANCHORER, world.anchor_call(0, 4, _root(4)))
    block = world.chain.dispatch("eth_getBlockByNumber", [receipt["blockNumber"], False])["result"]
    stored = contract.decode_anchored(world.call(contract.encode_anchored(world.origin, 4)))
    assert stored is not None
    assert (stored.block_number, stored.time) == (int(block["number"], 16), int(block["timestamp"], 16))


def test_a_chain_without_sha256_is_refused_not_believed(embedded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call to an address without code succeeds and returns nothing; stale memory must not pass for a hash."""
    embedded.send(ANCHORER, embedded.anchor_call(0, 4, _root(4)))
    steps = [
        embedded.call_object(ANCHORER, embedded.anchor_call(4, 9, _root(9), _proof(4, 9))),
        embedded.call_object(GOVERNOR, contract.encode_register_origin("other", address_of(ADMIN))),
    ]
    for step in steps:
        assert "result" in embedded.chain.dispatch("eth_call", [step, "latest"])
    others = {at: code for at, code in BerlinComputation.get_precompiles().items() if at[-1] != 2}
    monkeypatch.setattr(BerlinComputation, "_precompiles", others)
    for step in steps:
        failure = error(embedded.chain, "eth_call", step, "latest")
        assert (failure["message"], failure["data"]) == ("Execution reverted", "0x")
