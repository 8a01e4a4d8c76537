"""What calls of the anchor contract cost in gas: mined on a chain, one after the other, receipts read.

Used by the tests, which hold the figures to limits, and by ``bench/anchors.py``, which prints them.
"""

from typing import Final

from anchors.contract import encode_anchor
from anchors.deploy import register_origin, set_anchorer
from tests.support.devchain_world import ADMIN, ANCHORER, GOVERNOR, World, account_of, address_of
from tests.support.invented_trees import invented_step

TEN_MILLION: Final = 10_000_000
LAST_ENTRY: Final = (TEN_MILLION - 1, TEN_MILLION)
"""15 hashes, 27 of SHA-256."""
LONGEST: Final = (8_388_439, TEN_MILLION)
"""25 hashes, 43 of SHA-256: the step that was measured when the contract was designed."""
DEAREST: Final = (2**23 - 1, TEN_MILLION)
"""25 hashes, 46 of SHA-256: no other step to ten million needs more of either."""


def gas_of(receipt: dict[str, object]) -> int:
    """The gas that a mined call used; it must have succeeded."""
    assert receipt["status"] == "0x1"
    return int(str(receipt["gasUsed"]), 16)


def origin_with_head(world: World, size: int, root: bytes) -> bytes:
    """An origin, admitted to the anchorer, whose first anchor is the given tree; one per contract and size."""
    contract, admin = world.contract, address_of(ADMIN)
    origin = register_origin(
        world.network, contract=contract, governor=account_of(GOVERNOR), name=f"log.example/{size}", admin=admin
    )
    set_anchorer(
        world.network, contract=contract, admin=account_of(ADMIN), origin=origin, anchorer=address_of(ANCHORER)
    )
    gas_of(world.send(ANCHORER, _call(origin, 0, size, root, [])))
    return origin


def _call(origin: bytes, old: int, new: int, root: bytes, nodes: list[bytes]) -> bytes:
    return encode_anchor(origin=origin, old_size=old, new_size=new, new_root=root, note_hash=b"\x11" * 32, proof=nodes)


def step_call(world: World, old: int, new: int) -> bytes:
    """Calldata of a true step, on an origin made for it."""
    old_root, new_root, nodes = invented_step(old, new)
    return _call(origin_with_head(world, old, old_root), old, new, new_root, nodes)
