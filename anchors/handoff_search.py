"""Finding the hand-over headers that lead from a known validator set to the one of a later block.

What is found here is only proposed: ``anchors.handoff`` checks it. A liar can waste calls, not change a verdict.
"""

from collections.abc import Callable

from anchors.header import BftHeader
from signing import UnavailableError

Fetch = Callable[[int], BftHeader]
"""The header of a block number, unverified; raises UnavailableError."""


def find_handoff(
    trusted: tuple[bytes, ...], first: int, last: BftHeader, fetch: Fetch, *, max_steps: int
) -> tuple[BftHeader, ...]:
    """Headers that change the set, from ``trusted`` (known to seal block ``first``) to the one that ``last`` lists.

    The last of them is ``last`` itself if it is the first block of its set. Raises UnavailableError (``chain.handoff``)
    if more than ``max_steps`` are needed, so that only a new profile helps.
    """
    steps: list[BftHeader] = []
    while trusted != last.validators:
        if len(steps) == max_steps:
            raise UnavailableError("chain.handoff", f"the validators changed more than {max_steps} times: new profile")
        step = _first_change(trusted, first, last, fetch)
        steps.append(step)
        trusted, first = step.validators, step.number
    return tuple(steps)


def _first_change(trusted: tuple[bytes, ...], first: int, last: BftHeader, fetch: Fetch) -> BftHeader:
    """A header that lists another set than ``trusted`` and follows one that lists it: the first, unless sets recur."""
    change = last
    while change.number - first > 1:
        middle = fetch((first + change.number) // 2)
        if middle.validators == trusted:
            first = middle.number
        else:
            change = middle
    return change
