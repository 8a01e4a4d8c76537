"""The consistency check on the chain, for all pairs of sizes, against the definition of RFC 9162 and wrong proofs."""

import hashlib
from collections.abc import Iterator
from functools import cache
from itertools import count

import pytest

from anchors.contract import RevertName, decode_bool, decode_revert, encode_anchor
from anchors.deploy import register_origin, set_anchorer
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, World, account_of, address_of, open_chain, result
from tests.support.ledger_reference import mth, proof

LARGEST = 20
ENTRIES = [b"entry %d" % n for n in range(LARGEST)]

_root = cache(lambda size: mth(ENTRIES[:size]))
Step = tuple[int, bytes, list[bytes]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_chain(tmp_path_factory.mktemp("consistency") / "chain.sqlite3") as chain:
        yield World.create(chain)


def _origin_at(world: World, size: int, *, root: bytes | None = None) -> bytes:
    """An origin whose head has ``size`` entries: the reference tree's, unless another root is given."""
    origin = register_origin(
        world.network,
        contract=world.contract,
        governor=account_of(GOVERNOR),
        name=f"log.example/{size}",
        admin=address_of(ADMIN),
    )
    set_anchorer(
        world.network, contract=world.contract, admin=account_of(ADMIN), origin=origin, anchorer=address_of(ANCHORER)
    )
    world.send(ANCHORER, _call(origin, 0, (size, root or _root(size), [])))
    return origin


def _call(origin: bytes, old: int, step: Step) -> bytes:
    size, root, nodes = step
    return encode_anchor(origin=origin, old_size=old, new_size=size, new_root=root, note_hash=bytes(32), proof=nodes)


def _flipped(node: bytes) -> bytes:
    return bytes([node[0] ^ 0x80]) + node[1:]


def _wrong(old: int, new: int) -> Iterator[Step]:
    """Steps that differ from the true one: each node changed, and in turn one of the other faults."""
    nodes = proof(old, ENTRIES[:new])
    for at, node in enumerate(nodes):
        yield new, _root(new), [*nodes[:at], _flipped(node), *nodes[at + 1 :]]
    others: list[Step] = [
        (new, _flipped(_root(new)), nodes),
        (new, _root(old), nodes),
        (new, _root(new), nodes[:-1]),
        (new, _root(new), nodes[1:]),
        (new, _root(new), [*nodes, nodes[-1]]),
    ]
    yield others[(old + new) % len(others)]


@pytest.mark.parametrize("old", range(1, LARGEST))
def test_true_steps_pass_and_wrong_ones_do_not(world: World, old: int) -> None:
    origin = _origin_at(world, old)
    for new in range(old + 1, LARGEST + 1):
        true_step = (new, _root(new), proof(old, ENTRIES[:new]))
        assert decode_bool(world.call(_call(origin, old, true_step), key=ANCHORER)) is True
        for step in _wrong(old, new):
            response = world.chain.dispatch(
                "eth_call", [world.call_object(ANCHORER, _call(origin, old, step)), "latest"]
            )
            assert "error" in response, (old, step)
            refusal = decode_revert(bytes.fromhex(str(response["error"]["data"])[2:]))
            assert refusal.name is RevertName.BAD_CONSISTENCY


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _invented(old: int, new: int) -> tuple[bytes, bytes, list[bytes]]:
    """Old root, new root and a proof that joins them, from invented subtree hashes, for trees too large to build."""
    fresh = (_hash(b"subtree %d" % number) for number in count())
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = next(fresh)
    nodes = [] if old & (old - 1) == 0 else [fr]
    while sn:
        nodes.append(next(fresh))
        if fn & 1 or fn == sn:
            fr, sr = _hash(b"\x01" + nodes[-1] + fr), _hash(b"\x01" + nodes[-1] + sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _hash(b"\x01" + sr + nodes[-1])
        fn, sn = fn >> 1, sn >> 1
    return fr, sr, nodes


# Measured in the reference (chain.md §1.6): 15 hashes, and 25, the most at ten million entries.
@pytest.mark.parametrize(("old", "nodes", "gas"), [(9_999_999, 15, 104_861), (8_388_439, 25, 115_967)])
def test_large_steps_cost_what_was_measured(world: World, old: int, nodes: int, gas: int) -> None:
    old_root, new_root, path = _invented(old, 10_000_000)
    assert len(path) == nodes
    origin = _origin_at(world, old, root=old_root)
    call = _call(origin, old, (10_000_000, new_root, path))
    receipt = world.send(ANCHORER, call)
    assert receipt["status"] == "0x1"
    assert int(receipt["gasUsed"], 16) == pytest.approx(gas, rel=0.03)
    repeat = world.send(ANCHORER, call)
    assert int(repeat["gasUsed"], 16) == pytest.approx({15: 40_790, 25: 45_826}[nodes], rel=0.03)
    estimate = result(world.chain, "eth_estimateGas", world.call_object(ANCHORER, call))
    assert int(repeat["gasUsed"], 16) <= int(estimate, 16) <= int(repeat["gasUsed"], 16) * 1.1
