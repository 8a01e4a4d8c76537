"""The consistency check on the chain against the Python verifier and the definition in RFC 9162, on two machines.

Storage is planted, so that trees of any size cost nothing: all pairs of small trees with every hash of every proof
changed, and pairs of any size with joined subtrees of invented hashes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anchors.contract import load_artifact
from ledger import RootHash
from ledger.proofs import verify_consistency
from signing import VerificationError
from tests.support.anvil import anvils
from tests.support.bare_contract import Anvil, Machine, PyEvm, grows, open_bare_origin, plant_head
from tests.support.invented_trees import invented_step
from tests.support.ledger_reference import mth, proof

__all__ = ["anvils"]

LARGEST: Final = 20
ENTRIES: Final = [b"entry %d" % n for n in range(LARGEST)]
_root = cache(lambda size: mth(ENTRIES[:size]))
_EXAMPLES: Final = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Step:
    """What is claimed: that the second tree grew from the first."""

    old: int
    old_root: bytes
    new: int
    new_root: bytes
    nodes: tuple[bytes, ...]


@pytest.fixture(scope="module", params=["py-evm", "anvil"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """The contract's code with one open origin."""
    code = load_artifact().runtime
    made = PyEvm(code) if request.param == "py-evm" else Anvil(code, request.getfixturevalue("anvils")("berlin"))
    open_bare_origin(made)
    return made


def _python_takes(step: Step) -> bool:
    try:
        verify_consistency(
            old_size=step.old,
            old_root=RootHash(step.old_root),
            new_size=step.new,
            new_root=RootHash(step.new_root),
            proof=step.nodes,
        )
    except VerificationError:
        return False
    return True


def _chain_takes(machine: Machine, step: Step) -> bool:
    plant_head(machine, step.old, step.old_root)
    return grows(machine, step.old, step.new, step.new_root, step.nodes)


def _flipped(node: bytes) -> bytes:
    return bytes([node[0] ^ 0x80]) + node[1:]


def _true_step(old: int, new: int) -> Step:
    return Step(old, _root(old), new, _root(new), tuple(proof(old, ENTRIES[:new])))


def _wrong(step: Step) -> Iterator[Step]:
    """Steps that differ from the true one: each node changed, and in turn one of the other faults."""
    nodes = step.nodes
    for at, node in enumerate(nodes):
        yield replace(step, nodes=(*nodes[:at], _flipped(node), *nodes[at + 1 :]))
    others = (
        replace(step, new_root=_flipped(step.new_root)),
        replace(step, new_root=step.old_root),
        replace(step, old_root=_flipped(step.old_root)),
        replace(step, nodes=nodes[:-1]),
        replace(step, nodes=nodes[1:]),
        replace(step, nodes=(*nodes, nodes[-1])),
        replace(step, nodes=()),
    )
    yield others[(step.old + step.new) % len(others)]


@pytest.mark.parametrize("old", range(1, LARGEST))
def test_all_small_trees(machine: Machine, old: int) -> None:
    for new in range(old + 1, LARGEST + 1):
        step = _true_step(old, new)
        assert _python_takes(step)
        assert _chain_takes(machine, step), (old, new)
        for wrong in _wrong(step):
            assert not _python_takes(wrong), wrong
            assert not _chain_takes(machine, wrong), wrong


_LARGEST: Final = 2**62  # its proofs have 63 hashes, the most that the Python verifier takes
_SIZES: Final = st.one_of(
    st.integers(1, _LARGEST - 1),
    st.integers(1, 10**8),
    st.builds(lambda bit, by: max(1, (1 << bit) + by), st.integers(1, 61), st.integers(-1, 1)),
)


@st.composite
def _steps(draw: st.DrawFn) -> Step:
    old = draw(_SIZES)
    new = draw(st.one_of(st.integers(old + 1, min(_LARGEST, 2 * old + 2)), st.integers(old + 1, _LARGEST)))
    old_root, new_root, nodes = invented_step(old, new)
    return Step(old, old_root, new, new_root, tuple(nodes))


def _mutated(step: Step, kind: int, at: int) -> Step:
    """The step with something changed that may or may not make it false: that is for the two verifiers to say."""
    nodes = list(step.nodes)
    at %= len(nodes)
    changes: Sequence[Step] = (
        replace(step, nodes=(*nodes[:at], _flipped(nodes[at]), *nodes[at + 1 :])),
        replace(step, nodes=(*nodes[:at], *nodes[at + 1 :])),
        replace(step, nodes=(*nodes[:at], nodes[at], *nodes[at:])),
        replace(step, nodes=tuple(reversed(nodes))),
        replace(step, nodes=(step.old_root, *nodes)),
        replace(step, old=step.old - 1 or 1),
        replace(step, old=min(step.old + 1, step.new - 1)),
        replace(step, new=max(step.new - 1, step.old + 1)),
        replace(step, new=min(step.new + 1, _LARGEST)),
        replace(step, new=min(step.new << 1, _LARGEST)),
        replace(step, old_root=step.new_root, new_root=step.old_root),
        replace(step, new_root=_flipped(step.new_root)),
    )
    return changes[kind % len(changes)]


@_EXAMPLES
@given(step=_steps(), kind=st.integers(0, 11), at=st.integers(0, 63))
def test_trees_of_any_size(machine: Machine, step: Step, kind: int, at: int) -> None:
    assert _python_takes(step)
    assert _chain_takes(machine, step)
    mutated = _mutated(step, kind, at)
    assert _chain_takes(machine, mutated) == _python_takes(mutated)
