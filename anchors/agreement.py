"""What enough nodes said alike: the only evidence of a chain that proves nothing (FISCO BCOS's web3 RPC)."""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from signing import UnavailableError

_T = TypeVar("_T", bound=Hashable)


def agree(said: Mapping[str, _T], needed: int, *, what: str, show: Callable[[_T], str] = repr) -> tuple[_T, list[str]]:
    """The answer that at least ``needed`` of the nodes (by name) gave, and who gave it.

    ``needed`` is more than half of all nodes, so that there is one such answer at most. Raises UnavailableError
    (``chain.disagreement``) with each node's answer as ``show`` writes it.
    """
    groups: dict[_T, list[str]] = {}
    for name, answer in said.items():
        groups.setdefault(answer, []).append(name)
    for answer, names in groups.items():
        if len(names) >= needed:
            return answer, names
    answers = "; ".join(f"{name}: {show(answer)}" for name, answer in said.items())
    raise UnavailableError("chain.disagreement", f"{what}: {needed} equal answers are needed; {answers}")
