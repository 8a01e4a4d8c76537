"""Gas and bytes on the chain, measured by mining each step on a development chain."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.ledger_sections.setup import Figure, figure
from tests.support.contract_gas import DEAREST, LAST_ENTRY, gas_of, step_call
from tests.support.devchain_world import ANCHORER, World, open_chain, signed
from tests.support.invented_trees import invented_step

_LIMIT: Final = 120_000
_STATE_BYTES: Final = 2 * 32
"""New words in the contract's storage for one checkpoint: root, and block, time and anchorer."""
_SIZES: Final = (1_000, 100_000, 1_000_000, 10_000_000, 1_000_000_000)
_QUICK_SIZES: Final = (1_000, 10_000_000)


@contextmanager
def _world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder, open_chain(Path(folder) / "chain.sqlite3") as chain:
        yield World.create(chain)


def _dearest(size: int) -> tuple[int, int]:
    """The step to ``size`` that hashes most: from all but one entry of the largest whole subtree."""
    return (1 << (size - 1).bit_length() - 1) - 1, size


def gas_by_size(quick: bool) -> list[Figure]:
    """One checkpoint, by size of the tree: the newest entry alone, and the dearest step there is."""
    assert _dearest(DEAREST[1]) == DEAREST
    rows = []
    for size in _QUICK_SIZES if quick else _SIZES:
        for what, step in (("one entry more", (size - 1, size)), ("dearest step", _dearest(size))):
            with _world() as world:
                gas = gas_of(world.send(ANCHORER, step_call(world, *step)))
            hashes = len(invented_step(*step)[2])
            target = _LIMIT if size <= LAST_ENTRY[1] else 0
            name = f"gas of a checkpoint at {size:,} entries, {what} ({hashes} hashes)"
            rows.append(figure(name, gas, "gas", better="<=", target=target))
    return rows


def one_material(_quick: bool) -> list[Figure]:
    """The share of one material in a checkpoint of a log that reaches ten million entries."""
    rows = []
    for count in (1, 1_000, 1_000_000):
        size = LAST_ENTRY[1]
        with _world() as world:
            calldata = step_call(world, size - count, size)
            sent = len(signed(world.chain, ANCHORER, world.contract, calldata))
            gas = gas_of(world.send(ANCHORER, calldata))
        each = f"one of {count:,} materials a checkpoint"
        for what, whole, unit in (("gas", gas, "gas"), ("transaction", sent, "B"), ("new state", _STATE_BYTES, "B")):
            rows.append(figure(f"{each}: {what}", whole / count, unit) | {"value": float(f"{whole / count:.6g}")})
    return rows
