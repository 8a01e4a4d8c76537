"""What enough nodes said alike, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchors.agreement import agree
from signing import UnavailableError


@given(st.lists(st.integers(min_value=0, max_value=3), min_size=1, max_size=9))
def test_a_majority_or_nothing(answers: list[int]) -> None:
    needed = len(answers) // 2 + 1
    said = {f"node{n}": answer for n, answer in enumerate(answers)}
    most = max(answers, key=answers.count)
    if answers.count(most) < needed:
        with pytest.raises(UnavailableError) as caught:
            agree(said, needed, what="head")
        assert caught.value.code == "chain.disagreement"
        assert all(f"node{n}: {answer}" in str(caught.value) for n, answer in enumerate(answers))
    else:
        answer, names = agree(said, needed, what="head")
        assert (answer, len(names)) == (most, answers.count(most))
        assert {said[name] for name in names} == {most}
