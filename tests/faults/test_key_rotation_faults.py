"""A rotation that ends at any of its steps: the home goes on signing, and the next run finishes what was begun."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import clock, names, trust_lists
from api.bundling import make_bundle
from api.checking import fsck
from api.demo.cast import REPORT
from api.keys import key_changes, keyring
from api.keys.current_keys import current_keys
from api.keys.key_changes import Rotated, Successor, rotate_key
from api.organisations import find_organisation
from api.trust_lists import export_trust
from api.workspace import Workspace
from materials.report import Verdict
from materials.trust.model import Role
from materials.verification import verify_bundle
from tests.support.workspace_world import Story, register_example


class Killed(BaseException):
    """The process ends here: nothing of ours catches this."""


@pytest.fixture
def workspace(story: Story, tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(story.copy(tmp_path / "home")) as opened:
        yield opened


def dies(real: Callable[..., Any], *, done: bool, after: int = 0) -> Callable[..., Any]:
    """``real``, whose caller ends before or after it, the first ``after`` calls excepted."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= after:
            return real(*arguments, **named)
        if done:
            real(*arguments, **named)
        raise Killed

    return call


STEPS: dict[str, tuple[Any, str, bool, int]] = {
    "no key yet": (keyring, "write_key_file", False, 0),
    "a key file": (keyring, "write_key_file", True, 0),
    "no list signed": (key_changes, "publish_trust", False, 0),
    "a list signed, nothing committed": (trust_lists.SqlTrustStore, "keep", True, 0),
    "committed, nothing told": (key_changes, "Rotated", False, 0),
    "list key announced": (key_changes, "publish_trust", False, 1),
    "list key announced, the next list not committed": (key_changes, "publish_trust", True, 1),
}
FINISHED = ("issue", "committed, nothing told")
CASES = [("list", step) for step in STEPS] + [("issue", step) for step in STEPS if "announced" not in step]


def rotate(workspace: Workspace, role: Role) -> Rotated:
    name = names.LIST_KEY if role == "list" else names.entity_key(workspace.operator, role)
    return rotate_key(workspace, name, Successor(), at=clock.now(), now=clock.now())


def still_works(workspace: Workspace, year: int) -> None:
    """A material can be registered and verified, and everything is consistent."""
    bundle = make_bundle(workspace, register_example(workspace, REPORT, report_year=year))
    trust, now = export_trust(workspace, clock.now()), clock.now() + 2
    assert verify_bundle(bundle, trust, now=now, catalogue=workspace.catalogue).verdict is not Verdict.INVALID
    assert list(fsck(workspace, clock.now())) == []


@pytest.mark.parametrize(("role", "step"), CASES)
def test_a_rotation_that_ends_at_a_step(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, role: Role, step: str
) -> None:
    module, function, done, after = STEPS[step]
    held = set(workspace.keyring.names())
    with monkeypatch.context() as patched:
        patched.setattr(module, function, dies(getattr(module, function), done=done, after=after))
        with pytest.raises(Killed):
            rotate(workspace, role)
    left = set(workspace.keyring.names()) - held
    with Workspace.open(workspace.path) as restarted:
        still_works(restarted, 2001)
        rotated = rotate(restarted, role)
        still_works(restarted, 2002)
        made = set(restarted.keyring.names()) - held
        assert made == left | {rotated.name}
        assert len(made) == (2 if (role, step) == FINISHED else 1), "a successor that was begun is the one"
        entity = find_organisation(restarted, restarted.operator, clock.now())
        assert entity is not None
        (current,) = current_keys(entity, role, clock.now() + 2)
        assert current == rotated.key
